"""`tape serve`: a day over the vendors' own protocols, for any client on this machine."""

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TextIO

import click

if TYPE_CHECKING:
    from pipeline.simulator.doors import Address
    from pipeline.simulator.exchange import Exchange
    from pipeline.simulator.faults import Fault
    from pipeline.simulator.served import Tape
    from pipeline.simulator.trading.market import TradingMarket

_NAMED_MAX: Final = 12

_KINDS: Final = """A fault is KIND, KIND@TIME (by the exchange's clocks), KIND@row=N (in front of that `seq`) or KIND@n=N (behind so
many events of a connection), then perhaps ,for=DURATION ,count=N ,protocol=NAME. Kinds:

\b
close-1000 close-1001 close-1006 close-1008 close-1011 fin rst     the connection ends
mute outage refuse-auth slow-acks                                  for a while (for=)
duplicate late garbage huge bomb                                   so many (count=)

With --trading orders are taken for any key, at `LISTENING alpaca-trading` (REST),
`alpaca-orders` (trade_updates), `coinbase-trading` (REST) and `coinbase-orders` (user
channel). A mishap has a probability, drawn from the seed:

\b
refused lost-request late-request lost-reply late-reply twice 429 500 504      of a request
cancel-race partial-fills                                                      of an order
message-lost message-late message-twice drop                                   of a message
"""


@click.command("serve", epilog=_KINDS)
@click.argument("session", required=False)
@click.option("--generate", "day", metavar="DAY", help="instead of a session: premarket, open or crypto")
@click.option("--seed", default=7, show_default=True, help="of a generated day, and of garbage")
@click.option("--symbols", type=int, help="how many names to generate")
@click.option("--minutes", type=int, help="how long a generated day lasts")
@click.option("--date", metavar="YYYY-MM-DD", help="which day a generated one pretends to be")
@click.option("--protocol", "protocols", multiple=True, help="massive, alpaca, coinbase, databento  [default: all]")
@click.option("--port", default=9000, show_default=True, help="of the first protocol, the next ones follow; 0: any")
@click.option("--speed", default="1", show_default=True, help="1 to 1000 times as fast as it was, or max")
@click.option("--fault", "faults", multiple=True, metavar="FAULT", help="what goes wrong; see below")
@click.option(
    "--trading", is_flag=True, help="brokers too: Alpaca's and Coinbase's trading APIs, filled by the day's quotes"
)
@click.option("--mishap", "mishaps", multiple=True, metavar="NAME=PROBABILITY", help="what goes wrong with orders")
@click.option("--wait", default=1, show_default=True, help="begin when so many clients are subscribed")
@click.option("--per-frame", default=50, show_default=True, help="events in one frame at most")
@click.option("--buffer", "buffer_mib", default=8, show_default=True, help="MiB that may wait for a slow client")
@click.option("--stay", is_flag=True, help="go on answering when the day is over")
@click.option("--at-most", metavar="DURATION", help="end after so long, whatever happens")
@click.option("--sent", type=click.Path(path_type=Path), help="write what was sent to whom, a JSON line each")
@click.pass_obj
def command(
    home: str,
    session: str | None,
    day: str | None,
    seed: int,
    symbols: int | None,
    minutes: int | None,
    date: str | None,
    protocols: tuple[str, ...],
    port: int,
    speed: str,
    faults: tuple[str, ...],
    trading: bool,
    mishaps: tuple[str, ...],
    wait: int,
    per_frame: int,
    buffer_mib: int,
    stay: bool,
    at_most: str | None,
    sent: Path | None,
) -> None:
    """Serve SESSION, or a generated day, over the vendors' protocols, on this machine only.

    Prints `LISTENING protocol address`, a line for each, its symbols, and the command that records them. The day begins
    when the first client is subscribed, and the command ends with it. History by REST is on the same port, up to where
    the day stands.

    \b
    tape serve generated-7 --protocol alpaca --speed 10
    tape serve --generate premarket --seed 7 --port 9000
    tape serve --generate open --symbols 200 --speed max --protocol massive
    tape serve --generate premarket --speed 60 --fault rst@09:31:00 --fault garbage@n=500
    """
    import anyio

    from pipeline.config import duration_ns
    from pipeline.simulator.client import Manners
    from pipeline.simulator.exchange import Exchange, Rules
    from pipeline.simulator.history import ServedHistory
    from pipeline.simulator.ledger import FileLedger, NoLedger
    from pipeline.simulator.pacing import speed_of
    from pipeline.simulator.venues import doors_of
    from pipeline.units import NANO

    pace = speed_of(speed)
    at_most_s = duration_ns(at_most) / NANO if at_most else float("inf")
    tape, planned = _tape(home, session, day, seed=seed, symbols=symbols, minutes=minutes, date=date, speed=pace)
    history = ServedHistory(tape)
    rules = Rules(
        pace,
        clients_first=_at_least(0, wait, "--wait"),
        manners=Manners(_at_least(1, per_frame, "--per-frame"), _at_least(1, buffer_mib, "--buffer") * 2**20),
        seed=seed,
    )
    market = _market(tape, seed, mishaps, is_wanted=trading)
    doors = doors_of(protocols, history, port)
    file: nullcontext[None] | TextIO = sent.open("w") if sent else nullcontext()
    with file as opened:
        exchange = Exchange(
            tape,
            doors,
            rules,
            [*planned, *_faults(faults, tape)],
            FileLedger(opened) if opened else NoLedger(),
            history,
            market.served if market else lambda _: None,
        )
        desks = market.opened(lambda: exchange.session_ns, port and port + len(doors)) if market else nullcontext([])
        anyio.run(_serve, exchange, desks, tape, speed, stay, at_most_s)


def _tape(
    home: str,
    session: str | None,
    day: str | None,
    *,
    seed: int,
    symbols: int | None,
    minutes: int | None,
    date: str | None,
    speed: float,
) -> "tuple[Tape, list[Fault]]":
    """What is served, and what goes wrong by itself: a generated day's feed drops, where a pace makes that a stretch of time."""
    import math
    from dataclasses import replace

    from pipeline.errors import ConfigError
    from pipeline.log.reader import LogReader
    from pipeline.log.store import Store
    from pipeline.simulator.days import DAYS, GeneratedMarket, on_date
    from pipeline.simulator.faults import Fault, FaultKind
    from pipeline.simulator.served import GeneratedTape, RecordedTape
    from pipeline.units import MINUTE_NS

    if (session is None) == (day is None):
        raise ConfigError("serve: name a session, or a day with --generate; one of them")
    if session is not None:
        given = {"--symbols": symbols, "--minutes": minutes, "--date": date}
        if option := next((name for name, value in given.items() if value is not None), ""):
            raise ConfigError(f"{option} is of a generated day: a session is served as it was; leave it out")
        store = Store(Path(home))
        return RecordedTape(LogReader(store.folder(store.find_one(session).id))), []
    if day not in DAYS:
        raise ConfigError(f"--generate {day}: accepted are {', '.join(DAYS)}")
    market = replace(DAYS[day], seed=seed)
    if symbols is not None:
        market = replace(market, instruments=symbols)
    if minutes is not None:
        market = replace(market, lasts_ns=minutes * MINUTE_NS)
    if date is not None:
        market = on_date(market, date)
    tape = GeneratedTape(GeneratedMarket(market, is_whole=True))
    drop = Fault(FaultKind.OUTAGE, at_ns=market.drop_ns[0], lasts_s=market.drop_s / speed)
    return tape, [] if math.isinf(speed) else [drop]


def _market(tape: "Tape", seed: int, mishaps: tuple[str, ...], *, is_wanted: bool) -> "TradingMarket | None":
    """The brokers, where they are wanted."""
    from pipeline.errors import ConfigError
    from pipeline.simulator.trading.market import TradingMarket
    from pipeline.simulator.trading.mischief import Mischief, odds_of

    if mishaps and not is_wanted:
        raise ConfigError("--mishap is of orders: add --trading")
    odds = odds_of(mishaps)
    return TradingMarket(tape, lambda: Mischief(seed, odds)) if is_wanted else None


def _faults(texts: tuple[str, ...], tape: "Tape") -> "list[Fault]":
    from zoneinfo import ZoneInfo

    from pipeline.simulator.faults import fault_of

    return [fault_of(text, day_ns=tape.starts_ns, zone=ZoneInfo(tape.zone)) for text in texts]


def _at_least(least: int, number: int, option: str) -> int:
    from pipeline.errors import ConfigError

    if number < least:
        raise ConfigError(f"{option} {number}: accepted is {least} and more")
    return number


def _recorded_by(tape: "Tape", addresses: "Sequence[Address]", counters: "Sequence[Address]", speed: str) -> str:
    """What there is to subscribe to, and the command that records some of it: nobody could guess either.

    No clock keeps up with a day that does not wait, so at `max` none is named.
    """
    from pipeline.units import SECOND_NS, iso_from_ns

    symbols = list(tape.symbols.values())
    more = f" and {len(symbols) - _NAMED_MAX:,} more" if len(symbols) > _NAMED_MAX else ""
    coins_first = sorted(addresses, key=lambda address: address.protocol != "coinbase")
    protocol, url = (coins_first if tape.zone == "UTC" else addresses)[0]
    starts = iso_from_ns(tape.starts_ns // SECOND_NS * SECOND_NS).replace(".000000000", "")
    own = f"{starts}@{speed.removesuffix('x')}"  # Databento's port tells no time
    clock = "" if speed == "max" else f" --clock {own if protocol == 'databento' else 'served'}"
    urls = {address.protocol: address.url for address in counters}
    broker = "coinbase" if tape.zone == "UTC" else "alpaca"
    trades = ""
    if f"{broker}-trading" in urls:
        trades = f" --strategy ema_cross --broker {broker}={urls[f'{broker}-trading']},{urls[f'{broker}-orders']}"
    return (
        f"symbols {', '.join(symbols[:_NAMED_MAX])}{more}\n"
        f"in another terminal: tape record --feed {protocol}={url} --symbols {','.join(symbols[:3])}{clock}{trades}"
    )


async def _serve(
    exchange: "Exchange",
    desks: Any,
    tape: "Tape",
    speed: str,
    stay: bool,
    at_most_s: float,
) -> None:
    """Until the day is over, the time is up, or somebody ends it."""
    import anyio

    from pipeline.units import iso_from_ns

    with anyio.CancelScope(deadline=anyio.current_time() + at_most_s) as scope, _ended_by_signals(scope.cancel):
        async with exchange.opened() as addresses, desks as counters:
            for address in [*addresses, *counters]:
                click.echo(f"LISTENING {address.protocol} {address.url}")
            click.echo(f"{tape.name} from {iso_from_ns(tape.starts_ns)}, speed {speed}")
            click.echo(_recorded_by(tape, addresses, counters, speed))
            await exchange.serve()
            click.echo("the day is over")
            if stay:
                await anyio.sleep_forever()
    if not exchange.is_over:
        click.echo(f"ended at {iso_from_ns(exchange.session_ns)}, before the day did")


@contextmanager
def _ended_by_signals(end: Callable[[], None]) -> Iterator[None]:
    """Ctrl-C and SIGTERM end it as the end of the day does."""
    import asyncio

    loop = asyncio.get_running_loop()
    before = {
        number: signal.signal(number, lambda *_: loop.call_soon_threadsafe(end))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
