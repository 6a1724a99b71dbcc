"""Captured frames: text files in which somebody wrote down what came over a socket.

    hftbacktest   `<receive time in ns> <JSON>` a line
    cryptofeed    `<url> <-> <time>` connected, `<url> <- <time>: <JSON>` sent, `<time>: <JSON>` received (seconds)

Plain or gzip. The venue is found by content: the host a capture connected to, else the shape of its first frames. A line
that can't be read becomes a REJECTED event with its number, and reading goes on. So does a line whose receive time lies
more than a day from the last one taken, unless the line in front of it says the same day: after a true pause one line is
lost, and a damaged digit moves no session to another year.

Compressed files are unpacked once before they are read, to prove their checksum. Where it does not hold, reading ends at
the first line that can't be read: what stands behind it may be anything.
"""

import re
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Final, Protocol

import msgspec

from pipeline.block import Blocks
from pipeline.codes import FeedAction
from pipeline.errors import FeedError, UnitError
from pipeline.feeds.streams import is_sound, opened
from pipeline.normalize.binance import BinanceFrames, held
from pipeline.normalize.coinbase import CoinbaseFrames
from pipeline.normalize.hyperliquid import HyperliquidFrames
from pipeline.normalize.rows import Rows
from pipeline.units import ABSENT, DAY_NS, TsNs, checked_ts, iso_from_ns, ns_from_seconds_text

HEAD_LINES: Final = 1_000
"""How many lines are looked at to tell what a capture holds."""

CHUNK_LINES: Final = 8_192

_NOT_PROVED: Final = "the compressed data fail their checksum, so nothing behind this line is taken"

ACCEPTED: Final = (
    "captures of Binance, of Coinbase's Exchange feed and of Hyperliquid, as hftbacktest or cryptofeed write them"
)

_HFTBACKTEST: Final = re.compile(rb"(\d{16,19}) (\{.*)")
_RECEIVED: Final = re.compile(rb"(\d{9,11}(?:\.\d+)?): (.*)")
_CONNECTED: Final = re.compile(rb"(wss?://\S+) <-> (\d{9,11}(?:\.\d+)?)")
_SENT: Final = re.compile(rb"wss?://\S+ <- ")
_ANSWERED: Final = re.compile(rb"https?://\S+ -> ")

_VENUE_BY_HOST: Final = {
    "stream.binance.com": "binance",
    "fstream.binance.com": "binance",
    "dstream.binance.com": "binance",
    "ws-feed.pro.coinbase.com": "coinbase",
    "ws-feed.exchange.coinbase.com": "coinbase",
}
_VENUE_BY_KEY: Final = ((b'{"stream":', "binance"), (b'{"lastUpdateId":', "binance"), (b'{"channel":', "hyperliquid"))


class Frames(Protocol):
    """A venue's normaliser of frames."""

    ignored: dict[str, int]

    def read(self, payload: bytes, rows: Rows) -> None:
        """Add the frame's events. Raises UnitError or msgspec.MsgspecError, and then adds nothing."""
        ...


def looks_like(head: bytes) -> bool:
    """Whether the first bytes of a file are lines of a capture, of whatever venue."""
    line = head.lstrip().partition(b"\n")[0].strip()
    return any(form.match(line) for form in (_HFTBACKTEST, _RECEIVED, _CONNECTED, _ANSWERED))


class CaptureFile:
    """A capture as a source of events.

    Raises FeedError at once when the venue is none that is read, and while reading when the compressed data are
    damaged, at the first line that shows it; what came before has been yielded then.
    """

    def __init__(self, path: Path, *, chunk_lines: int = CHUNK_LINES) -> None:
        self.name = path.name
        self._path = path
        self._chunk_lines = chunk_lines
        with opened(path) as stream:
            head = list(islice(stream.lines(), HEAD_LINES))
            problem = stream.problem
        venue = _venue(head)
        if venue is None:
            reason = problem or f"no frames of a known venue{_hosts(head)}; accepted are {ACCEPTED}"
            raise FeedError(path, "line 1", reason)
        self._frames = _MAKERS[venue](head)

    def events(self) -> Iterator[Blocks]:
        """Batches of the events of some thousand lines. Raises FeedError with the number of the line, from 1."""
        reader = _Reader(self._frames())
        is_proved, reason = is_sound(self._path), ""
        with opened(self._path) as stream:
            lines = stream.lines()
            while not reason and (chunk := list(islice(lines, self._chunk_lines))):
                reason = reader.take(chunk, is_proved=is_proved)
                if batch := reader.rows.batch():
                    yield batch
            if batch := reader.ended():
                yield batch
            if reason:
                raise FeedError(self._path, f"line {reader.line_number}", f"{reason}; {_NOT_PROVED}")
            if stream.problem:
                raise FeedError(self._path, f"line {reader.line_number + 1}", stream.problem)


class _Reader:
    """The lines of one file, one after the other."""

    def __init__(self, frames: Frames) -> None:
        self.rows = Rows()
        self.line_number = 0
        self._frames = frames
        self._line_ns = ABSENT
        """Receive time of the line in front, taken or not."""

    def take(self, lines: list[bytes], *, is_proved: bool) -> str:
        """Add the events of lines. A bad one is rejected; in a file that is not proved it is the last, and this is why."""
        for line in lines:
            reason = self._line(line)
            if reason and not is_proved:
                return reason
            if reason:
                self.rows.add_feed(FeedAction.REJECTED, reason, position=self.line_number)
        return ""

    def _line(self, line: bytes) -> str:
        """Add the events of a line; why it can't be read, when it can't be."""
        self.line_number += 1
        line = line.strip()
        if not line:
            return ""
        try:
            self._read(line)
        # whatever a decoder makes of a stranger's bytes ends here: refused, with its place
        except (UnitError, msgspec.MsgspecError, ValueError, RecursionError) as error:
            return str(error)
        return ""

    def _read(self, line: bytes) -> None:
        if frame := _HFTBACKTEST.fullmatch(line):
            self._received(checked_ts(int(frame[1])), frame[2])
        elif frame := _RECEIVED.fullmatch(line):
            self._received(ns_from_seconds_text(frame[1].decode()), frame[2])
        elif connect := _CONNECTED.fullmatch(line):
            self.rows.ts_recv_ns = self._checked(ns_from_seconds_text(connect[2].decode()))
            self.rows.add_feed(FeedAction.CONNECTED, connect[1].decode("ascii", "replace"))
            if isinstance(self._frames, CoinbaseFrames):
                self._frames.connected()
        elif not _SENT.match(line):
            raise UnitError(f"no frame: {line[:40]!r}")

    def _received(self, recv_ns: TsNs, payload: bytes) -> None:
        self.rows.ts_recv_ns = self._checked(recv_ns)
        self._frames.read(payload, self.rows)

    def _checked(self, recv_ns: TsNs) -> TsNs:
        """The same time. Raises UnitError when neither the last time taken nor the line in front is within a day of it."""
        near, self._line_ns = (self.rows.ts_recv_ns, self._line_ns), recv_ns
        if near[0] != ABSENT and all(abs(recv_ns - ns) > DAY_NS for ns in near):
            raise UnitError(f"received {iso_from_ns(recv_ns)}, more than a day from the line before")
        return recv_ns

    def ended(self) -> Blocks:
        """What was left out, up to here."""
        for what, count in sorted(self._frames.ignored.items()):
            self.rows.add_feed(FeedAction.IGNORED, what, count=count)
        return self.rows.batch()


def _venue(head: list[bytes]) -> str | None:
    for line in head:
        if connect := _CONNECTED.match(line):
            return _VENUE_BY_HOST.get(_host(connect[1]))
        if frame := _HFTBACKTEST.match(line):
            venue = next((venue for key, venue in _VENUE_BY_KEY if frame[2].startswith(key)), None)
            if venue is not None:
                return venue
    return None


def _host(url: bytes) -> str:
    return url.decode("ascii", "replace").partition("://")[2].partition("/")[0].partition(":")[0].lower()


def _hosts(head: list[bytes]) -> str:
    """The host a capture spoke to, for the refusal."""
    for line in head:
        if connect := _CONNECTED.match(line):
            return f" but of {_host(connect[1])}"
        if _ANSWERED.match(line):
            return f" but REST answers of {_host(line.split(b' ')[0])}"
    return ""


def _binance(head: list[bytes]) -> Callable[[], Frames]:
    has = held(line for line in head if not _CONNECTED.match(line))
    return lambda: BinanceFrames(has)


_MAKERS: Final[dict[str, Callable[[list[bytes]], Callable[[], Frames]]]] = {
    "binance": _binance,
    "coinbase": lambda _: CoinbaseFrames,
    "hyperliquid": lambda _: HyperliquidFrames,
}
