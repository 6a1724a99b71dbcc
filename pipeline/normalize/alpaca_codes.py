"""Alpaca's letters: exchanges, conditions of quotes and sales, trading statuses and their reasons, as our codes.

The tables are those of docs.alpaca.markets (Real-time Stock Data) and of alpaca-py 0.44; what the tapes mean by their
letters is in their own manuals (CTS, UTDF). No live feed was seen: which codes really come, and with which reasons, is not
verified, nor whether a short-sale restriction (tape A and B, status E) says if it begins or ends, so that is left open.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Final

import numpy as np

from pipeline.block import Numbers
from pipeline.codes import StatusReason, TradingStatus
from pipeline.errors import UnitError
from pipeline.hours import Calendar, DayPart, part_at
from pipeline.normalize.conditions import CONDITIONS, FORM_T, bits_of, condition_marks, in_regular_hours
from pipeline.normalize.ignored import Ignored
from pipeline.units import DAY_NS, HOUR_NS

EXCHANGES: Final[Mapping[str, str]] = {
    "A": "NYSE American",
    "B": "Nasdaq BX",
    "C": "NYSE National",
    "D": "FINRA ADF and TRFs",
    "E": "market independent",
    "H": "MIAX Pearl",
    "I": "International Securities Exchange",
    "J": "Cboe EDGA",
    "K": "Cboe EDGX",
    "L": "Long-Term Stock Exchange",
    "M": "NYSE Chicago",
    "N": "New York Stock Exchange",
    "P": "NYSE Arca",
    "Q": "Nasdaq",
    "S": "Nasdaq Small Cap",
    "T": "Nasdaq Int",
    "U": "Members Exchange",
    "V": "IEX",
    "W": "Cboe",
    "X": "Nasdaq PSX",
    "Y": "Cboe BYX",
    "Z": "Cboe BZX",
}
"""Who they are. A `venue` column holds the letter's ASCII code (V is 86), so that a new one needs no table; 0: none given."""

REGULAR_QUOTE: Final = ("R",)
"""A regular quote, whose `condition` is 0."""

UNKNOWN_SALE: Final = 62
"""The bit of `print.conditions` for a letter that is in no table: such a print moves volume only."""

_CTA_TAPES: Final = ("A", "B")

_STATUS_BY_CODE: Final = {
    "cta": {
        "2": TradingStatus.HALTED,
        "3": TradingStatus.TRADING,
        "5": TradingStatus.LIMITS,
        "6": TradingStatus.LIMITS,
        "7": TradingStatus.LIMITS,
        "8": TradingStatus.LIMITS,
        "9": TradingStatus.LIMITS,
        "A": TradingStatus.LIMITS,
        "C": TradingStatus.LIMITS,
        "D": TradingStatus.LIMITS,
        "E": TradingStatus.LIMITS,
        "F": TradingStatus.LIMITS,
    },
    "utp": {
        "H": TradingStatus.HALTED,
        "Q": TradingStatus.QUOTING,
        "T": TradingStatus.TRADING,
        "P": TradingStatus.PAUSED,
    },
}
"""5 and 6 are price indications, 7 to D imbalances, E a short-sale restriction, F price bands: none changes the state."""

_IS_QUOTING: Final = {TradingStatus.TRADING: 1, TradingStatus.QUOTING: 1, TradingStatus.HALTED: 0}

_PAUSES: Final = frozenset(("M", "LUDP", "LUDS", "T5"))
"""Reasons that make a halt a limit-up limit-down pause."""

_REASON_BY_CODE: Final = {
    "cta": {
        "D": StatusReason.NEWS_RELEASED,
        "I": StatusReason.ORDER_IMBALANCE,
        "M": StatusReason.LIMIT_STATE,
        "P": StatusReason.NEWS_PENDING,
        "X": StatusReason.TECHNICAL,
        "Y": StatusReason.REGULATORY,
        "1": StatusReason.MARKET_WIDE,
        "2": StatusReason.MARKET_WIDE,
        "3": StatusReason.MARKET_WIDE,
    },
    "utp": {
        "T1": StatusReason.NEWS_PENDING,
        "T2": StatusReason.NEWS_RELEASED,
        "T3": StatusReason.NEWS_RELEASED,
        "T5": StatusReason.VOLATILITY,
        "T6": StatusReason.REGULATORY,
        "T7": StatusReason.VOLATILITY,
        "T8": StatusReason.OTHER,
        "T12": StatusReason.REGULATORY,
        "H4": StatusReason.REGULATORY,
        "H9": StatusReason.REGULATORY,
        "H10": StatusReason.REGULATORY,
        "H11": StatusReason.REGULATORY,
        "O1": StatusReason.TECHNICAL,
        "IPO1": StatusReason.SCHEDULED,
        "IPOQ": StatusReason.SCHEDULED,
        "IPOE": StatusReason.SCHEDULED,
        "M1": StatusReason.CORPORATE_ACTION,
        "M2": StatusReason.TECHNICAL,
        "LUDP": StatusReason.LIMIT_STATE,
        "LUDS": StatusReason.LIMIT_STATE,
        "MWC0": StatusReason.MARKET_WIDE,
        "MWC1": StatusReason.MARKET_WIDE,
        "MWC2": StatusReason.MARKET_WIDE,
        "MWC3": StatusReason.MARKET_WIDE,
        "MWCQ": StatusReason.MARKET_WIDE,
        "R": StatusReason.SCHEDULED,
        "R1": StatusReason.SCHEDULED,
        "R4": StatusReason.REGULATORY,
        "R9": StatusReason.REGULATORY,
        "C3": StatusReason.NEWS_RELEASED,
        "C4": StatusReason.REGULATORY,
        "C9": StatusReason.REGULATORY,
        "C11": StatusReason.REGULATORY,
    },
}
"""Any other reason that is given is OTHER, none is NONE."""

_LETTERS_MAX: Final = 4
_SETS_MAX: Final = 4_096
"""Sets of sale conditions remembered; more are nobody's but an attacker's."""

_NOT_GIVEN: Final = -(2**31)


def tape_of(tape: str) -> str:
    """Whose letters a tape has: `cta` for A and B, `utp` for all others."""
    return "cta" if tape in _CTA_TAPES else "utp"


def status_of(code: str, reason: str, tape: str) -> TradingStatus:
    """The state from here on; UNKNOWN for a code that is in no table."""
    status = _STATUS_BY_CODE[tape_of(tape)].get(code, TradingStatus.UNKNOWN)
    return TradingStatus.PAUSED if status is TradingStatus.HALTED and reason in _PAUSES else status


def is_quoting_at(status: TradingStatus) -> int:
    """Whether quotes are accepted; -1 where the status does not say."""
    return _IS_QUOTING.get(status, -1)


def reason_of(code: str, tape: str) -> StatusReason:
    """Why the status changed."""
    if not code.strip():
        return StatusReason.NONE
    return _REASON_BY_CODE[tape_of(tape)].get(code, StatusReason.OTHER)


def packed(code: str) -> int:
    """Up to four letters as one number, the first one highest: their ASCII codes; the column's absent value for any other.

    >>> packed("T1").to_bytes(2)
    b'T1'
    """
    text = code.strip()
    if not text or len(text) > _LETTERS_MAX or not text.isascii():
        return _NOT_GIVEN
    return int.from_bytes(text.encode())


def quote_condition(conditions: Sequence[str] | None) -> int:
    """A quote's conditions: that of both sides, or 128 times the offer's and the bid's; 0 when regular, -1 when it can't be.

    One letter speaks of both sides, two of the bid and the offer.
    """
    given = tuple(letter for letter in conditions or () if letter.strip())
    if not given or given == REGULAR_QUOTE:
        return 0
    if len(given) > 2 or not all(len(letter) == 1 and letter.isascii() for letter in given):
        return -1
    return ord(given[0]) + (128 * ord(given[1]) if len(given) == 2 else 0)


def quote_letters(condition: int) -> list[str]:
    """The letters of a quote's `condition`."""
    if condition <= 0:
        return list(REGULAR_QUOTE)
    offer, bid = divmod(condition, 128)
    return [chr(bid), chr(offer)] if offer else [chr(bid)]


class SaleConditions:
    """What was learned of sets of sale conditions: each is looked up once. A letter that is in no table is told as ignored."""

    def __init__(self, ignored: Ignored) -> None:
        self._ignored = ignored
        self._places: dict[tuple[tuple[str, ...] | None, str], int] = {}
        self._bits = np.zeros(0, np.int64)
        self._marks = np.zeros(0, np.int32)
        self._marks_regular = np.zeros(0, np.int32)

    def columns(
        self, conditions: Iterable[tuple[str, ...] | None], tapes: Iterable[str], event_ns: Numbers
    ) -> tuple[Numbers, Numbers]:
        """(n,) int64 and (n,) int32: the bits of `print.conditions`, and what each print must not move."""
        keys = list(zip(conditions, tapes, strict=True))
        try:
            places = np.fromiter(map(self._places.get, keys), np.int64, len(keys))
        except TypeError:
            self._learn(keys)
            places = np.fromiter(map(self._places.__getitem__, keys), np.int64, len(keys))
        bits, marks = self._bits[places], self._marks[places]
        if (bits >> FORM_T & 1).any():
            marks = np.where(_in_regular_hours(event_ns), self._marks_regular[places], marks)
        return bits, marks

    def _learn(self, keys: Iterable[tuple[tuple[str, ...] | None, str]]) -> None:
        if len(self._places) > _SETS_MAX:
            self._places.clear()
            self._bits, self._marks, self._marks_regular = self._bits[:0], self._marks[:0], self._marks_regular[:0]
        for key in dict.fromkeys(keys):
            if key not in self._places:
                self._places[key] = len(self._places)
                self._add(self._bits_of(*key))

    def _bits_of(self, conditions: tuple[str, ...] | None, tape: str) -> int:
        bits = 0
        for letter in conditions or ():
            try:
                bits |= bits_of(letter, tape_of(tape))
            except UnitError:
                bits |= 1 << UNKNOWN_SALE
                self._ignored.note(f"sale condition {letter[:8]!r} of tape {tape[:8]!r}")
        return bits

    def _add(self, bits: int) -> None:
        """One more set, with the marks it has at night and in regular hours."""
        moments = np.array([0, 16 * HOUR_NS])  # 1 January 1970 in New York: the evening before, and eleven o'clock
        at_night, in_regular = condition_marks(np.array([bits, bits]), moments).tolist()
        self._bits = np.append(self._bits, np.int64(bits))
        self._marks = np.append(self._marks, np.int32(at_night))
        self._marks_regular = np.append(self._marks_regular, np.int32(in_regular))


def _in_regular_hours(ts_ns: Numbers) -> Numbers:
    """As `in_regular_hours`, without a search when all lie in one UTC day."""
    first, last = int(ts_ns.min()) // DAY_NS, int(ts_ns.max()) // DAY_NS
    if first != last:
        return in_regular_hours(ts_ns)
    from_ns, until_ns = _regular_hours(first)
    inside: Numbers = (from_ns <= ts_ns) & (ts_ns < until_ns)
    return inside


@lru_cache(64)
def _regular_hours(day: int) -> tuple[int, int]:
    session = part_at(Calendar.SHARES, day * DAY_NS + 16 * HOUR_NS)
    assert session.part == DayPart.REGULAR
    return session.from_ns, session.until_ns


_LETTER_BY_NUMBER: Final = {
    "utp": {each.number: each.utp for each in CONDITIONS if each.utp},
    "cta": {each.number: each.cta for each in CONDITIONS if each.cta},
}


@lru_cache(4_096)
def sale_letters(bits: int) -> tuple[tuple[str, ...], str]:
    """Letters for the bits of a print, and the tape whose letters they are: C, or A where that one has more of them.

    A bit that neither has a letter for is left out.
    """
    numbers = [number for number in range(UNKNOWN_SALE) if bits >> number & 1]
    utp, cta = (tuple(letters[each] for each in numbers if each in letters) for letters in _LETTER_BY_NUMBER.values())
    return (cta, "A") if len(cta) > len(utp) else (utp, "C")
