"""The words of Databento's live gateway: what its text lines and its control records look like, for both sides.

A connection begins with lines (`key=value|key=value`), then comes one DBN header, then records. `is_line`, `is_header` and
`record_bytes` tell which of them a message is. A message of records is whole records, a control record stands alone.
"""

from typing import Any, Final

import databento_dbn as dbn
import numpy as np

from pipeline.normalize.databento_records import dtype_of
from pipeline.ports import Channel
from pipeline.units import TS_MAX_NS

HEADER_START: Final = b"DBN"
HEADER_PRELUDE_BYTES: Final = 8
"""`DBN`, the version, the length of the rest."""

RECORD_HEADER_BYTES: Final = 16
ERROR, MAPPING, SYSTEM = 21, 22, 23
CONTROL: Final = frozenset((ERROR, MAPPING, SYSTEM))
"""Record types that are no market data."""

HEARTBEAT, SUBSCRIPTION_ACK, SLOW_READER, REPLAY_COMPLETED, END_OF_INTERVAL, UNSUBSCRIBE_ACK = range(6)
"""Codes of system records."""

UNRESOLVED, SKIPPED, AGED_OUT = 4, 7, 8
"""Codes of errors: a symbol that can't be resolved, records left out for a slow reader, a replay from too long ago."""

FATAL_CODES: Final = frozenset((1, 2, 5))
"""Errors that no new connection mends: a wrong key, one that was deactivated, a subscription that is none."""

SCHEMAS: Final = {
    Channel.QUOTES: ("mbp-1", "tbbo", "bbo-1s", "bbo-1m", "cmbp-1", "cbbo-1s", "cbbo-1m", "tcbbo"),
    Channel.PRINTS: ("trades",),
    Channel.BARS_1S: ("ohlcv-1s",),
    Channel.BARS_1M: ("ohlcv-1m",),
    Channel.BARS_1D: ("ohlcv-1d",),
    Channel.STATUSES: ("status",),
}
"""Which schemas a channel can be had by; the first unless another one is asked for."""

_SYSTEM: Final = np.dtype(dbn.SystemMsg._dtypes)  # noqa: SLF001 - the package's own published array layout has no other name
_ERROR: Final = np.dtype(dbn.ErrorMsg._dtypes)  # noqa: SLF001 - same
_MAPPING: Final = np.dtype(dbn.SymbolMappingMsg._dtypes)  # noqa: SLF001 - same
_ERROR_CODE: Final = 318
"""Where the code of an error stands."""

_RAW_SYMBOL: Final = 1
_RECV_OFFSETS: Final = dict.fromkeys((0, 1, 177, 192, 193, 194, 195, 196), 32)
"""Where a record's capture time stands, of types that are ordered by it."""


def is_line(payload: bytes) -> bool:
    """Whether a message is a text line: its second byte is a letter then, and no record type is one."""
    return len(payload) > 1 and payload[-1:] == b"\n" and payload[1:2].isalpha()


def is_header(payload: bytes) -> bool:
    """Whether a message is the DBN header."""
    return payload[:3] == HEADER_START


def metadata_of(content: bytes) -> dbn.Metadata:
    """What a DBN header says, its dates read too. Raises ValueError, whatever the decoder makes of it: of some bytes it panics."""
    try:
        metadata = dbn.Metadata.decode(content)
        _ = metadata.mappings  # dates are decoded when asked for
    except (dbn.DBNError, ValueError, OverflowError) as error:
        raise ValueError(str(error)) from None
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # no module exports it, and it is no Exception
            raise
        raise ValueError(f"its decoder gave up: {error}") from None
    return metadata


def line_of(words: dict[str, str]) -> bytes:
    """A line."""
    return ("|".join(f"{key}={value}" for key, value in words.items()) + "\n").encode()


def words_of(line: bytes) -> dict[str, str]:
    """A line's words; keys that nobody knows are among them."""
    pairs = (pair.partition("=") for pair in line.decode("utf-8", "replace").strip().split("|"))
    return {key: value for key, _, value in pairs if key}


def control_of(payload: bytes) -> tuple[int, int, int, str]:
    """(type, code, gateway's time, text) of a system or error record. The time is 0 where it is none.

    Raises ValueError for a record of no such layout. Records of DBN 1 have no code: a heartbeat is known by its text.
    """
    rtype = payload[1]
    layout = dtype_of(rtype, len(payload), ts_out=False)
    if layout is None or layout.names is None:
        raise ValueError(f"a control record of {len(payload)} bytes")
    record = np.frombuffer(payload, layout)[0]
    text = bytes(record["err" if rtype == ERROR else "msg"]).decode("utf-8", "replace")
    ts_ns = int(record["ts_event"])
    known = HEARTBEAT if text == "Heartbeat" else SUBSCRIPTION_ACK if rtype == SYSTEM else 0
    code = int(record["code"]) if "code" in layout.names else known
    return rtype, code, ts_ns if ts_ns < TS_MAX_NS else 0, text


def is_skip(payload: bytes) -> bool:
    """Whether an error record says that records were left out; of DBN 1 only the text could tell, and doesn't."""
    return len(payload) == _ERROR.itemsize and payload[_ERROR_CODE] == SKIPPED


def first_ns(payload: bytes) -> int:
    """When the first record of a message of records was captured, by Databento's clock; 0 when it doesn't say."""
    offset = _RECV_OFFSETS.get(payload[1], 8)
    ts_ns = int.from_bytes(payload[offset : offset + 8], "little")
    return ts_ns if ts_ns < TS_MAX_NS else 0


def system_record(code: int, text: str, ts_ns: int) -> bytes:
    """A system record of the gateway."""
    return _record(_SYSTEM, SYSTEM, ts_event=ts_ns, code=code, msg=text.encode()[:302])


def error_record(code: int, text: str, ts_ns: int, *, is_last: bool = True) -> bytes:
    """An error record of the gateway."""
    return _record(_ERROR, ERROR, ts_event=ts_ns, code=code, err=text.encode()[:301], is_last=int(is_last))


def mapping_record(instrument_id: int, symbol: str, ts_ns: int) -> bytes:
    """Which symbol a number means, until further notice."""
    return _record(
        _MAPPING,
        MAPPING,
        instrument_id=instrument_id,
        ts_event=ts_ns,
        stype_in=_RAW_SYMBOL,
        stype_in_symbol=symbol.encode(),
        stype_out=_RAW_SYMBOL,
        stype_out_symbol=symbol.encode(),
        start_ts=2**64 - 1,
        end_ts=2**64 - 1,
    )


def header(dataset: str, start_ns: int) -> bytes:
    """The DBN header of a live session: any schemas, no end, no symbols."""
    metadata = dbn.Metadata(dataset, start_ns, None, dbn.SType("instrument_id"), None, ts_out=False, version=3)
    return bytes(metadata)


def _record(layout: np.dtype[Any], rtype: int, **values: Any) -> bytes:
    record = np.zeros(1, layout)
    record["length"], record["rtype"] = layout.itemsize // 4, rtype
    for name, value in values.items():
        record[name] = value
    return record.tobytes()
