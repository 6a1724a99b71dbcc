"""Asking: what a person asks to be recorded, from words to values. Wrong words are one sentence that says which are right."""

import re
from collections.abc import Sequence
from typing import Final

from pipeline.config import moment_ns
from pipeline.core.settings import BROKERED, EngineSettings
from pipeline.errors import ConfigError
from pipeline.feeds.polling import bytes_a_day
from pipeline.feeds.vendor import ALL, Vendor, watching
from pipeline.instruments import meant_symbol
from pipeline.log.store import checked_id
from pipeline.ports import Channel
from pipeline.run.accounts import PAPER
from pipeline.run.attaching import attached
from pipeline.run.beginning import Recording
from pipeline.run.brokers import AtBroker, broker_named
from pipeline.run.clock import ScaledClock, ServedClock, SystemClock, Ticking
from pipeline.run.feeds import KEYS, feed_meant, feed_named, rest_of
from pipeline.run.fold import Speed
from pipeline.run.following import ScannerPlan
from pipeline.run.keys import is_there
from pipeline.run.scanning_now import Now
from pipeline.run.strategies import plan_of
from pipeline.run.trading_days import shared_zone
from pipeline.units import DAY_NS

SERVED: Final = "served"
"""As a clock: that of the day which is served."""

_NUMBER: Final = re.compile(r"\d{1,9}(\.\d{1,9})?", re.ASCII)

_HEEDING: Final = ("heeds_guard=1",)

NO_ACCOUNT: Final = "none"
"""Of a session that begins with the settings' cash and leaves nothing."""

_WATCHED_BY: Final = frozenset((Channel.BARS_1M,))
"""What a whole market is scanned by, unless told otherwise."""


def recording_of(
    *,
    feeds: Sequence[str],
    symbols: Sequence[str],
    strategies: Sequence[str],
    scanners: Sequence[str],
    params: Sequence[str],
    settings: Sequence[str],
    channels: str | None,
    watch: Sequence[str],
    watch_channels: str | None,
    until: str | None,
    clock: str | None,
    keeps_raw: bool,
    is_fresh: bool,
    snapshots: str | None = None,
    account: str | None = None,
    broker: str | None = None,
    is_real_money: bool = False,
    speed: Speed = Speed.AUTO,
) -> Recording:
    """What to record; `snapshots` is how often vendors are polled, like `5s`, `account` None that of all who trade by the real clock, `broker` where they trade, None on paper here. Raises ConfigError, NotFoundError, StrategyError naming the word and what is accepted."""
    chosen = None if channels is None else _channels("--channels", channels)
    if watch_channels is not None and not watch:
        raise ConfigError("--watch-channels is of the symbols that are watched, and there are none; add --watch")
    watched_by = _WATCHED_BY if watch_channels is None else _channels("--watch-channels", watch_channels)
    vendors = tuple(watching(_vendor(text, chosen), watched_by) for text in feeds)
    names = [vendor.name for vendor in vendors]
    if len(set(names)) < len(names):
        raise ConfigError(f"--feed {' '.join(names)}: each vendor allows one connection, name it once")
    if not symbols and not watch:
        raise ConfigError("--symbols or --watch: name what is to be recorded, e.g. --symbols AAPL,NVDA")
    every_s = seconds_of(snapshots, "--snapshots") if snapshots is not None else None
    if every_s and not any(vendor.snapshots for vendor in vendors):
        raise ConfigError(f"--snapshots: {', '.join(names)} can't be asked for a snapshot; massive and alpaca can")
    files, scanned_by, behind = attached(scanners, strategies)
    if settings and not files:
        raise ConfigError(f"--set {settings[0]}: it is of what strategies do, and none is named; add --strategy")
    if account and not files:
        raise ConfigError(f"--account {account}: nothing is traded, for no strategy is named; add --strategy")
    ticking = SystemClock() if clock is None else _clock(clock, feeds)
    if set_by_broker := [each for each in settings if each.partition("=")[0].strip() == "execution"]:
        raise ConfigError(f"--set {set_by_broker[0]}: where orders are executed is said by --broker")
    at = _broker(broker, is_real_money=is_real_money, has_clock=clock is not None, trades=bool(files))
    return Recording(
        vendors=vendors,
        symbols=symbols_of(symbols, names, "--symbols"),
        plan=plan_of(files, params, [*_waiting(ticking), *_HEEDING, *_executed(at), *settings], scanned_by, behind),
        strategy_files=files,
        clock=ticking,
        until_ns=None if until is None else _until(until, ticking.now_ns(), vendors),
        watched=symbols_of(watch, names, "--watch"),
        watch_channels=watched_by,
        keeps_raw=keeps_raw,
        is_fresh=is_fresh,
        account=_account(account, at, is_practice=clock is not None) if files else "",
        broker=at,
        snapshot_every_s=every_s,
        speed=speed,
    )


def _account(name: str | None, at: AtBroker | None, *, is_practice: bool) -> str:
    """What is traded on; '' for nothing that outlives the session. A day that is served is practice, unless somebody says otherwise."""
    if name is None:
        usual = at.account if at else PAPER
        return "" if is_practice else usual
    if name == NO_ACCOUNT and at is not None and not at.is_practice:
        raise ConfigError(
            f"--account {name}: orders at a broker outlive the session, and so must what is known of them"
        )
    return "" if name == NO_ACCOUNT else checked_id(name)


def _broker(text: str | None, *, is_real_money: bool, has_clock: bool, trades: bool) -> AtBroker | None:
    """Where orders go; None: nowhere. Raises ConfigError."""
    if text is None:
        if is_real_money:
            raise ConfigError("--real-money is of a broker, and none is named; add --broker")
        return None
    at = broker_named(text, is_real_money=is_real_money)
    if not trades:
        raise ConfigError(f"--broker {text}: nothing is traded, for no strategy is named; add --strategy")
    if has_clock and not at.is_practice:
        raise ConfigError(f"--broker {text}: it goes by the real time; leave out --clock")
    return at


def _executed(at: AtBroker | None) -> list[str]:
    """Who executes orders, and at which hours: shares at a real broker at those that it has; what is served is open whenever it quotes."""
    hours = [] if at is None or at.is_practice else ["exchange_hours=1"]
    return [] if at is None else [f"execution={BROKERED}", *hours]


def _waiting(clock: Ticking) -> list[str]:
    """How long strategies wait for history, by a session's clock that may run faster than the vendor answers."""
    wait_ns = min(int(EngineSettings().warm_up_wait_ns * clock.rate), DAY_NS)
    return [f"warm_up_wait_ns={wait_ns}"] if clock.rate != 1 else []


def now_of(
    plan: ScannerPlan,
    *,
    feed: str | None,
    symbols: Sequence[str],
    every: str | None,
    until: str | None,
    clock: str | None,
) -> Now:
    """What to scan of now. Raises ConfigError, UnitError naming the word and what is accepted."""
    vendor = _vendor(feed or _feed_with_key(), None)
    names = symbols_of(symbols, [vendor.name], "--symbols") or (ALL,)
    ticking = SystemClock() if clock is None else _clock(clock, [feed or ""])
    if isinstance(ticking, ServedClock) and not ticking.has_begun:
        raise ConfigError(
            "--clock served: the day begins when somebody subscribes, and nobody did yet; record it, then scan"
        )
    if until and not every:
        raise ConfigError("--until is when --every ends: say how often, e.g. --every 5s")
    return Now(
        plan=plan,
        vendor=vendor,
        symbols=frozenset(name.rpartition(":")[2] for name in names),
        clock=ticking,
        every_s=seconds_of(every, "--every") if every else None,
        until_ns=_until(until, ticking.now_ns(), [vendor]) if until else None,
    )


def _feed_with_key() -> str:
    """Whoever can be asked for a market, and whose keys are at hand."""
    for name in _ASKED_FOR_MARKETS:
        if all(map(is_there, KEYS[name])):
            return name
    keys = ", or ".join(" and ".join(KEYS[name]) for name in _ASKED_FOR_MARKETS)
    raise ConfigError(f"--feed: whose market? Name massive or alpaca, or keep {keys} at hand; a SESSION needs none")


def seconds_of(text: str, said_by: str) -> float:
    """Seconds of `5s` or `2m`, from one to an hour. Raises ConfigError after the words `said_by`."""
    number, unit = text[:-1], text[-1:]
    try:
        seconds = float(number) * {"s": 1, "m": 60}[unit]
    except (ValueError, KeyError):
        seconds = 0.0
    if not 1 <= seconds <= HOUR_S:
        raise ConfigError(f"{said_by} {text}: write how often, from 1s to 60m, e.g. 5s")
    return seconds


def told_of_snapshots(recording: Recording, known: int) -> str:
    """What polling will cost, in a sentence; '' where nothing is polled. `known` is how many shares the store knows of, 0 for none."""
    if not recording.snapshot_every_s:
        return ""
    names = {symbol.rpartition(":")[2] for symbol in (*recording.symbols, *recording.watched)}
    shares = (known or _MARKET_SHARES) if ALL in names else len(names)
    usual, most = bytes_a_day(shares, recording.snapshot_every_s, keeps_raw=recording.keeps_raw)
    return (
        f"snapshots of {shares:,} shares every {recording.snapshot_every_s:g} s: some {usual / 1e6:,.0f} MB from 4:00 to 20:00 "
        f"once sealed, {most / 1e6:,.0f} MB at most"
    )


_ASKED_FOR_MARKETS: Final = ("massive", "alpaca")

_MARKET_SHARES: Final = 12_000
"""How many there are, where the store knows of none."""

HOUR_S: Final = 3_600


def _vendor(text: str, channels: frozenset[Channel] | None) -> Vendor:
    name, _, url = text.partition("=")
    return feed_named(name, url or None, channels)


def _channels(option: str, text: str) -> frozenset[Channel]:
    words = [word.strip() for word in text.split(",")]
    for word in words:
        if word not in set(Channel):
            raise ConfigError(f"{option} {word!r}: accepted are {', '.join(Channel)}")
    return frozenset(map(Channel, words))


def symbols_of(texts: Sequence[str], feeds: Sequence[str], said_by: str) -> tuple[str, ...]:
    """Every symbol once, in order, those of one feed with its name in front. Raises ConfigError, UnitError, after the words `said_by`."""
    found: dict[str, None] = {}
    for text in texts:
        word, colon, listed = text.rpartition(":")
        word = word.strip().lower()
        feed = feed_meant(word, feeds) if colon else ""
        if feed is None:
            raise ConfigError(f"{said_by} {text}: no feed {word!r} is recorded; there is {', '.join(feeds)}")
        for symbol in map(meant_symbol, listed.split(",")):
            if " " in symbol:  # on the tape spaces part those that a row is about
                raise ConfigError(
                    f"{said_by} {text}: a symbol with a space can't be recorded live; write several as A,B"
                )
            found[f"{feed}{colon}{symbol}"] = None
    return tuple(found)


def _clock(text: str, feeds: Sequence[str]) -> Ticking:
    """The clock of a served day, or one that starts now at a moment that is given."""
    word, _, url = text.partition("=")
    if word == SERVED:
        return ServedClock(url or _served_at(feeds))
    moment, at, rate = text.rpartition("@")
    if not at or not _NUMBER.fullmatch(rate):
        raise ConfigError(
            f"--clock {text}: write served, served=http://HOST:PORT, or START@RATE, e.g. 2026-11-04T08:00:00Z@60"
        )
    return ScaledClock(moment_ns(moment, day_ns=0), float(rate))


def _served_at(feeds: Sequence[str]) -> str:
    """The server of the first feed that can be asked what time it is there."""
    urls = [url for _, _, url in (text.partition("=") for text in feeds) if url.startswith(("ws://", "wss://"))]
    if not urls:
        raise ConfigError(
            "--clock served: no --feed has an address that tells its time (Databento's does not); "
            "name another port of the day: --clock served=http://127.0.0.1:9000"
        )
    return rest_of(urls[0])


def _until(text: str, now_ns: int, vendors: Sequence[Vendor]) -> int:
    """The next time the clocks of the feeds' market show this; UTC's when they are of several."""
    zone = shared_zone(vendor.calendar for vendor in vendors)
    until_ns = moment_ns(text, day_ns=now_ns, zone=zone)
    if until_ns > now_ns:
        return until_ns
    if text.strip()[:4].isdigit() and text.strip()[4:5] == "-":
        raise ConfigError(f"--until {text}: that moment has passed")
    return moment_ns(text, day_ns=now_ns + DAY_NS, zone=zone)
