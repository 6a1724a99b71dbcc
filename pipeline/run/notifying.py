"""Notifying: tells a person who is not looking that something needs them. It never holds up the recording, and never fails it.

The queue "to tell" holds 100 texts; full means that telling is slower than what happens, and the rest is counted and said
in one text when there is room again.
"""

import contextlib
import os
import queue
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import IntEnum
from types import MappingProxyType, TracebackType
from typing import Any, Final, Self

import httpx

from pipeline.block import Block, Blocks
from pipeline.codes import (
    FeedAction,
    Kind,
    OrderState,
    Origin,
    RequestAction,
    SessionAction,
    TradingStatus,
)
from pipeline.errors import ConfigError
from pipeline.execution.paper import DIFFERENCES
from pipeline.ports import Channel, Notify
from pipeline.run.clock import stepped

Row = dict[str, Any]
Symbols = Mapping[int, str]

WEBHOOK_VARIABLE: Final = "TAPE_WEBHOOK"
"""An address that is told: it is a secret, so it stands in the environment."""

WAITING_MAX: Final = 100
_TIMEOUT_S: Final = 10.0
_FEED: Final = frozenset(
    (
        FeedAction.LOST,
        FeedAction.MUTE,
        FeedAction.GAP_OPENED,
        FeedAction.CLOCKS_APART,
        FeedAction.LAGGING,
        FeedAction.ENDED,
    )
)
_CHANNELS: Final = frozenset(Channel)
_UNEXPECTED: Final = frozenset((OrderState.REJECTED, OrderState.UNKNOWN, OrderState.EXPIRED))
_STATUS: Final = frozenset((TradingStatus.HALTED, TradingStatus.PAUSED, TradingStatus.SUSPENDED))


class Desktop:
    """A notice of the desktop: notify-send on Linux, osascript on macOS."""

    def __init__(self) -> None:
        """Raises ConfigError where there is neither."""
        self._command = _desktop_command()

    def send(self, text: str) -> None:
        """Show it."""
        command = [part.replace("{}", text) for part in self._command]
        subprocess.run(command, check=False, capture_output=True, timeout=_TIMEOUT_S)  # noqa: S603 - no shell reads it


class Webhook:
    """A POST of `{"text": ...}`, which is what chat services take."""

    def __init__(self, url: str) -> None:
        self._url = url

    def send(self, text: str) -> None:
        """Post it."""
        httpx.post(self._url, json={"text": text}, timeout=_TIMEOUT_S).raise_for_status()


def notifiers(words: Sequence[str]) -> list[Notify]:
    """The ways that these words name: desktop, webhook. Raises ConfigError."""
    found: list[Notify] = []
    for word in words:
        if word == "desktop":
            found.append(Desktop())
        elif word == "webhook":
            url = os.environ.get(WEBHOOK_VARIABLE)
            if not url:
                raise ConfigError(f"--notify webhook: set its address in the environment, {WEBHOOK_VARIABLE}")
            found.append(Webhook(url))
        else:
            raise ConfigError(f"--notify {word}: accepted are desktop and webhook")
    return found


class Notifier:
    """Tells what happens by every way there is, from a thread of its own, within its `with` block."""

    def __init__(self, ways: Sequence[Notify], session: str, *, patience_s: float = 2 * _TIMEOUT_S) -> None:
        """`patience_s`: how long what waits may still be told at the end; what is slower is left untold."""
        self.failures = 0
        """How often a way could not tell."""
        self._ways = ways
        self._session = session
        self._waiting: queue.Queue[str | None] = queue.Queue(WAITING_MAX)
        self._left_out = 0
        self._symbols: dict[int, str] = {}
        self._is_over = threading.Event()
        self._patience_s = patience_s
        self._thread = threading.Thread(target=self._run, name="notify", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Tell what waits, for a bounded time."""
        if error is not None:
            self.tell(f"stopped: {error or type(error).__name__}")
        self._is_over.set()
        with contextlib.suppress(queue.Full):
            self._waiting.put_nowait(None)
        self._thread.join(timeout=self._patience_s)

    def add(self, inputs: Blocks, derived: Blocks) -> None:
        """A commit and what was decided about it: what of it a person should hear."""
        if not self._ways:
            return
        for block in [*inputs, *derived]:
            if block.kind is Kind.INSTRUMENT:
                self._symbols.update(zip(block.number("instrument_id").tolist(), block.text("symbol"), strict=True))
            for text in worth_telling(block, self._symbols):
                self.tell(text)

    def tell(self, text: str) -> None:
        """Say it; never waits."""
        try:
            self._waiting.put_nowait(text)
        except queue.Full:
            self._left_out += 1

    def _run(self) -> None:
        while not (self._is_over.is_set() and self._waiting.empty()):
            text = self._waiting.get()
            if text is not None:
                left_out, self._left_out = self._left_out, 0
                self._send(f"{text} (and {left_out} more)" if left_out else text)

    def _send(self, text: str) -> None:
        for way in self._ways:
            try:
                way.send(f"tape {self._session}: {text}")
            except Exception:  # noqa: BLE001 - whatever a desktop or a stranger's server does, the recording goes on
                self.failures += 1


def worth_telling(block: Block, symbols: Mapping[int, str] = MappingProxyType({})) -> Iterator[str]:
    """Gaps, halts, stops and what a broker did unasked among the rows; `symbols` are the instruments' by their ids."""
    words = _WORDS.get(block.kind)
    if words is not None:
        yield from filter(None, (words(row, symbols) for row in block.rows()))


def _of_feed(row: Row, _: Symbols) -> str:
    # What the vendor refuses or doesn't answer for; of single messages that are refused there may be thousands.
    is_topic = row["action"] == FeedAction.REJECTED and row["channel"] in _CHANNELS and row["count"] > 0
    if is_topic:
        return f"rejected {row['channel']} {row['text']}"
    return f"{_word(FeedAction(row['action']))} {row['text']}".rstrip() if row["action"] in _FEED else ""


def _of_request(row: Row, _: Symbols) -> str:
    word = {
        RequestAction.HALT: "halted",
        RequestAction.REDUCE: "entering nothing",
        RequestAction.RESET: "trading again",
    }
    return f"{word[row['action']]}: {row['text']}" if row["action"] in word else ""


def _of_session(row: Row, _: Symbols) -> str:
    if row["action"] == SessionAction.CLOCK_STEPPED:
        return stepped(row["key"], row["text"])
    return f"strategy {row['key']} stopped: {row['text']}" if row["action"] == SessionAction.STOPPED else ""


def _of_status(row: Row, symbols: Symbols) -> str:
    is_told = row["status"] in _STATUS
    name = symbols.get(row["instrument_id"], f"instrument {row['instrument_id']}")
    return f"{name} {_word(TradingStatus(row['status']))}" if is_told else ""


def _of_order(row: Row, symbols: Symbols) -> str:
    """Of orders at a broker; paper ones are nobody's money."""
    if row["origin"] != Origin.INPUT or row["state"] not in _UNEXPECTED:
        return ""
    name = symbols.get(row["instrument_id"], f"instrument {row['instrument_id']}")
    return f"{name} order {row['order_id']} {_word(OrderState(row['state']))} {row['text']}".rstrip()


def _of_account(row: Row, _: Symbols) -> str:
    return f"the broker differs: {row['text']}" if row["action"] in DIFFERENCES else ""


def _word(code: IntEnum) -> str:
    return code.name.lower().replace("_", " ")


_WORDS: Final[Mapping[Kind, Callable[[Row, Symbols], str]]] = {
    Kind.ACCOUNT: _of_account,
    Kind.FEED: _of_feed,
    Kind.ORDER: _of_order,
    Kind.REQUEST: _of_request,
    Kind.SESSION: _of_session,
    Kind.STATUS: _of_status,
}


def _desktop_command() -> list[str]:
    if sys.platform == "darwin":
        return [
            "osascript",
            "-e",
            "on run argv",
            "-e",
            'display notification (item 1 of argv) with title "tape"',
            "-e",
            "end run",
            "{}",
        ]
    found = shutil.which("notify-send")
    if found is None:
        raise ConfigError("--notify desktop: there is no notify-send on this machine; accepted besides is webhook")
    return [found, "--app-name=tape", "tape", "{}"]
