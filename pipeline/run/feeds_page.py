"""The page of the feeds, written from their code: keys, channels, what each message becomes, what is not verified."""

import inspect
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Final

from pipeline.codes import Kind
from pipeline.feeds.vendor import Vendor
from pipeline.normalize import (
    alpaca,
    alpaca_out,
    coinbase_advanced,
    coinbase_advanced_out,
    databento_live,
    databento_out,
    massive,
    massive_out,
)
from pipeline.ports import Channel
from pipeline.run.feeds import CHANNELS, FEEDS, KEYS

_ANYWHERE: Final = "ws://127.0.0.1:1/"

_MODULES: Final[Mapping[str, tuple[ModuleType, ModuleType]]] = {
    "massive": (massive, massive_out),
    "alpaca": (alpaca, alpaca_out),
    "coinbase": (coinbase_advanced, coinbase_advanced_out),
    "databento": (databento_live, databento_out),
}
"""Where a vendor's messages become events, and where events become its messages."""


def feeds_page() -> str:
    """Every feed."""
    lines = [
        "# Feeds",
        "",
        "How live recording works is told in [recording.md](recording.md). **No live venue was reached while this was built**:",
        "feeds are shown against the exchange simulator ([serving.md](serving.md)), which the vendors' own clients connect to",
        "as well, and against captured bytes. What of a vendor is not verified stands at the end of its part.",
        "",
        "| feed | secrets, in the environment or the keyring | channels, those without `--channels` first | hours | never quiet for long |",
        "|---|---|---|---|---|",
        *map(_row, FEEDS),
        "",
        "`alpaca` is Alpaca's feed `sip`. A session calls it `alpaca.sip`: so it is listed, and so are symbols of it alone. Both words name",
        "it, as `--feed` and in front of a symbol (`alpaca:SPY`); where only `alpaca.iex` is recorded, `alpaca:SPY` is of that one.",
        "",
        "`--feed NAME=URL` connects to a simulator, and needs no secrets. Plain `ws://` is for this machine only.",
        "",
    ]
    for name, (reads, writes) in _MODULES.items():
        lines += [f"## {name}", "", "```", inspect.getdoc(reads) or "", "```", "", *_carried(writes.CARRIED)]
    return "\n".join(lines).rstrip() + "\n"


def _row(name: str) -> str:
    vendor = FEEDS[name](_ANYWHERE, None)
    secrets = ", ".join(f"`{key}`" for key in KEYS[name])
    sentinel = f"{vendor.sentinel.channel} {vendor.sentinel.symbol}" if vendor.sentinel else ""
    return f"| `{name}` | {secrets} | {', '.join(_channels(name, vendor))} | {vendor.calendar} | {sentinel} |"


def _channels(name: str, vendor: Vendor) -> Iterator[str]:
    chosen = {topic.channel for topic in vendor.topics(frozenset(("X",)))} - {Channel.HEARTBEATS}
    yield from (f"**{channel}**" for channel in sorted(chosen))
    yield from sorted(CHANNELS[name] - chosen)


def _carried(carried: Mapping[Kind, tuple[str, ...]]) -> Iterator[str]:
    yield "Fields that come back as they were when a day is served over this protocol and recorded again:"
    yield ""
    yield "| kind | fields |"
    yield "|---|---|"
    for kind, names in carried.items():
        yield f"| {kind.name.lower()} | {', '.join(f'`{each}`' for each in names)} |"
    yield ""
