"""Faults: what can go wrong between a vendor and us, on request, at a given place of the day.

    close-1000 .. close-1011   the server ends the connection: with its word (1000, 1001, 1008, 1011) or without (1006)
    fin, rst                   TCP ends, politely or not, without a word of the protocol above it
    mute                       the socket stays open and nothing comes, while pings are answered; `for` how long
    outage                     all connections are lost and new ones refused (HTTP 503); `for` how long
    refuse-auth                who logs in from now on is refused; `for` how long
    slow-acks                  the server answers what is said to it `for` so long too late
    duplicate                  the last `count` events come again
    late                       the next `count` events come `for` so long after their time, behind others
    huge                       the last event that shares a frame with others, again and again in one of 20 MB
    bomb                       a compressed frame that nobody agreed on: 1 MB that would be 1 GiB
    garbage                    `count` frames that say nothing: damaged, cut short, noise, one after the other

A fault happens once. Each is a value; what it does to a connection stands in `client`, what it does to a server in
`exchange`. `for` is by the clock on the wall, as a client's patience is.
"""

import random
import re
import zlib
from dataclasses import dataclass
from datetime import tzinfo
from enum import StrEnum
from typing import Final

from pipeline.config import duration_ns, moment_ns
from pipeline.errors import ConfigError
from pipeline.units import NANO

HUGE_BYTES: Final = 20_000_000
"""More than our feeds take of a vendor at once (16 MiB), but for Coinbase's, whose books are larger (64 MiB)."""


_BOMB_PARTS: Final = 64
"""Of 16 MiB each."""


class FaultKind(StrEnum):
    """What goes wrong."""

    CLOSE_1000 = "close-1000"
    CLOSE_1001 = "close-1001"
    CLOSE_1006 = "close-1006"
    CLOSE_1008 = "close-1008"
    CLOSE_1011 = "close-1011"
    FIN = "fin"
    RST = "rst"
    MUTE = "mute"
    OUTAGE = "outage"
    REFUSE_AUTH = "refuse-auth"
    SLOW_ACKS = "slow-acks"
    DUPLICATE = "duplicate"
    LATE = "late"
    HUGE = "huge"
    BOMB = "bomb"
    GARBAGE = "garbage"


SERVER_FAULTS: Final = frozenset((FaultKind.OUTAGE, FaultKind.REFUSE_AUTH, FaultKind.SLOW_ACKS))
"""They concern whoever connects, not one connection."""

_CLOSE_CODES: Final = {
    FaultKind.CLOSE_1000: 1000,
    FaultKind.CLOSE_1001: 1001,
    FaultKind.CLOSE_1008: 1008,
    FaultKind.CLOSE_1011: 1011,
}
_LASTS_S: Final = {FaultKind.MUTE: 1e9, FaultKind.OUTAGE: 5.0, FaultKind.REFUSE_AUTH: 1e9, FaultKind.SLOW_ACKS: 2.0}
"""Where `for` is not said; 1e9 is for ever."""

_COUNTS: Final = {FaultKind.DUPLICATE: 20, FaultKind.LATE: 20, FaultKind.GARBAGE: 3}
_LATE_S: Final = 0.5
_LASTING: Final = (*_LASTS_S, FaultKind.LATE)


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong, once.

    At session time `at_ns`, or in front of the row with `seq` `row`, on whoever is connected then; or behind the
    `events`-th event of the first connection that comes so far; or, with none of them, at the start.
    """

    kind: FaultKind
    at_ns: int | None = None
    row: int | None = None
    events: int | None = None
    lasts_s: float = 0.0
    count: int = 0
    protocol: str = ""
    """Whose connections it concerns; empty: all."""

    @property
    def close_code(self) -> int | None:
        """The code that the server says, when it says one."""
        return _CLOSE_CODES.get(self.kind)

    def concerns(self, protocol: str) -> bool:
        """Whether connections of this protocol have it."""
        return self.protocol in ("", protocol)


_FAULT: Final = re.compile(r"(?P<kind>[a-z0-9-]+)(?:@(?P<when>[^,]+))?(?P<rest>(?:,[a-z]+=[^,]+)*)")


def fault_of(text: str, *, day_ns: int, zone: tzinfo) -> Fault:
    """The fault that a person writes: `rst@09:31:00`, `garbage@n=500,count=9`, `mute@row=2000,for=30s`. Raises ConfigError.

    `day_ns` is a moment of the day that times are of, by the clocks of `zone`.
    """
    match = _FAULT.fullmatch(text.strip())
    kinds = [str(kind) for kind in FaultKind]
    if match is None or match["kind"] not in kinds:
        raise ConfigError(
            f"fault {text!r}: write KIND, KIND@09:31:00, KIND@row=N or KIND@n=N, then perhaps ,for=30s ,count=N "
            f",protocol=NAME; kinds are {', '.join(kinds)}"
        )
    kind = FaultKind(match["kind"])
    said = dict(pair.split("=", 1) for pair in match["rest"].split(",") if pair)
    if unknown := sorted(said.keys() - {"for", "count", "protocol"}):
        raise ConfigError(f"fault {text!r}: {unknown[0]!r} is unknown; accepted are for, count and protocol")
    at_ns, row, events = _when(match["when"] or "", text, day_ns, zone)
    if kind in SERVER_FAULTS and events is not None:
        raise ConfigError(f"fault {text!r}: {kind} concerns the server: write a time or row=N")
    for word, kinds_with in (("for", _LASTING), ("count", tuple(_COUNTS))):
        if word in said and kind not in kinds_with:
            raise ConfigError(f"fault {text!r}: {word}= is of {', '.join(map(str, kinds_with))}, not of {kind}")
    lasts_s = duration_ns(said["for"]) / NANO if "for" in said else _LASTS_S.get(kind, _LATE_S)
    count = _whole(said["count"], text) if "count" in said else _COUNTS.get(kind, 0)
    return Fault(kind, at_ns, row, events, lasts_s, count, said.get("protocol", ""))


def _when(when: str, text: str, day_ns: int, zone: tzinfo) -> tuple[int | None, int | None, int | None]:
    if when.startswith("row="):
        return None, _whole(when[4:], text), None
    if when.startswith("n="):
        return None, None, _whole(when[2:], text)
    return (moment_ns(when, day_ns=day_ns, zone=zone) if when else None), None, None


def _whole(text: str, fault: str) -> int:
    if not re.fullmatch(r"[1-9]\d{0,11}", text):
        raise ConfigError(f"fault {fault!r}: {text!r} is no whole number from 1")
    return int(text)


def garbage(frame: bytes, number: int, chance: random.Random) -> bytes:
    """The `number`-th frame that says nothing, made of one that did: damaged, cut short, or noise, in turn.

    Damage sets the top bit of some bytes: what was text is none any more. What is not text may keep a meaning with other
    bytes in it, but not with another first one. So a damaged frame is never read as events that were not there.
    """
    match number % 3:
        case 0 if frame:
            places = chance.sample(range(len(frame)), min(len(frame), 8))
            damaged = bytearray(frame)
            for place in places if frame.isascii() else {0, *places}:
                damaged[place] ^= 0x80
            return bytes(damaged)
        case 1 if len(frame) > 2:
            return frame[: chance.randrange(1, len(frame) - 1)]
        case _:
            return chance.randbytes(chance.randrange(16, 400))


def bomb() -> bytes:
    """A WebSocket frame as permessage-deflate sends them (RFC 7692, 7.2.1): its first reserved bit set, 1 GiB of zeros in 1 MB."""
    packing = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    part = packing.compress(bytes(16 << 20)) + packing.flush(zlib.Z_FULL_FLUSH)  # behind it nothing refers back
    payload = part * _BOMB_PARTS
    return b"\xc2\x7f" + len(payload).to_bytes(8, "big") + payload
