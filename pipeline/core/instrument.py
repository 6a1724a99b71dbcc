"""An instrument as the engine knows it now: its definition, its last quote, what is left of it, whether it trades."""

from typing import Final

from blake3 import blake3

from pipeline.codes import Mark, Origin, Side, TradingStatus
from pipeline.core.dialect import NAN, NANO_FLOAT, price_of
from pipeline.core.market import Bar, Definition, Instrument, Quote, ReferenceFact, Status
from pipeline.core.state import state
from pipeline.hours import calendar_of
from pipeline.units import ABSENT, INT64_MAX, NANO

_HALTING: Final = (
    TradingStatus.HALTED,
    TradingStatus.PAUSED,
    TradingStatus.QUOTING,
    TradingStatus.CLOSED,
    TradingStatus.SUSPENDED,
)
_RELEASING: Final = (TradingStatus.TRADING, TradingStatus.PRE_OPEN, TradingStatus.POST_CLOSE)

_DUPLICATE: Final = Mark.DUPLICATE.value
_OUT_OF_ORDER: Final = Mark.OUT_OF_ORDER.value


@state
class InstrumentRow:
    """One row an instrument.

    `*_left_steps` is displayed size that none of our fills has used up yet, `*_taken_steps` what they did; with the setting
    `impact` they may take more than was displayed. `ts_quote_ns` is when we got the quote in force, `ts_quote_event_ns` the venue's time of it.
    `bar_unit` and `bar_length` (0: none yet) are of the bars that orders fill against while there are no quotes: those of
    the first bar. `calendar` says whose hours it keeps (hours.Calendar). Sold short it may be when somebody is known to
    lend it, and while `is_short_restricted` only above the bid. Until `ts_bands_end_ns` it trades between the bands it has
    (core.bands). `sector` and `theme` are the numbers of what was last said of it (0: nothing; core.crowd).
    `differs_steps` is its broker's position less ours, as last told, `beside_steps` what of that is somebody's own, and
    `missing_steps` what of ours is not there (core.missing).
    """

    instrument_id: int
    tick_nano: int = ABSENT
    tick_below_one_nano: int = ABSENT
    size_step_nano: int = NANO
    multiplier_nano: int = NANO
    bid_nano: int = ABSENT
    ask_nano: int = ABSENT
    bid: float = NAN
    ask: float = NAN
    bid_left_steps: int
    ask_left_steps: int
    bid_taken_steps: int
    ask_taken_steps: int
    ts_quote_ns: int
    ts_quote_event_ns: int
    has_quotes: bool
    last_bar_nano: int = ABSENT
    bar_unit: int
    bar_length: int
    calendar: int
    is_halted: bool
    has_bands: bool
    band_low_nano: int = ABSENT
    band_high_nano: int = ABSENT
    ts_bands_end_ns: int
    is_short_restricted: bool
    is_borrowable: bool
    is_borrow_told: bool
    sector: int
    theme: int
    open_orders: int
    differs_steps: int
    beside_steps: int
    missing_steps: int


def fold_definition(row: InstrumentRow, definition: Definition) -> None:
    """What the latest definition says; a step or a multiplier of nothing counts as one."""
    row.instrument_id = definition.instrument_id
    row.tick_nano = definition.tick_nano
    row.tick_below_one_nano = definition.tick_below_one_nano
    row.size_step_nano = definition.size_step_nano if definition.size_step_nano > 0 else NANO
    row.multiplier_nano = definition.multiplier_nano if definition.multiplier_nano > 0 else NANO
    row.calendar = calendar_of(definition.calendar, definition.asset_class)


def introduced(definition: Definition) -> Instrument:
    """The instrument as `on_start` sees it."""
    return Instrument(
        definition.ts_event_ns,
        definition.ts_recv_ns,
        definition.instrument_id,
        definition.origin,
        price_of(definition.tick_nano),
        price_of(definition.size_step_nano),
        price_of(definition.multiplier_nano),
    )


def known(row: InstrumentRow, now_ns: int) -> Instrument:
    """An instrument as `on_start` sees it that was defined before, and is introduced now."""
    return Instrument(
        now_ns,
        now_ns,
        row.instrument_id,
        Origin.DERIVED,
        price_of(row.tick_nano),
        price_of(row.size_step_nano),
        price_of(row.multiplier_nano),
    )


def fold_quote(row: InstrumentRow, quote: Quote) -> bool:
    """Whether this quote is in force from here on; its displayed size is whole then.

    A duplicate shows nothing new, and one that came out of order doesn't replace a later one.
    """
    if quote.marks & _DUPLICATE:
        return False
    if quote.marks & _OUT_OF_ORDER and quote.ts_event_ns < row.ts_quote_event_ns:
        return False
    row.bid_nano = quote.bid_nano
    row.ask_nano = quote.ask_nano
    row.bid = quote.bid
    row.ask = quote.ask
    row.bid_left_steps = quote.bid_size_steps
    row.ask_left_steps = quote.ask_size_steps
    row.bid_taken_steps = 0
    row.ask_taken_steps = 0
    row.ts_quote_ns = quote.ts_recv_ns
    row.ts_quote_event_ns = quote.ts_event_ns
    row.has_quotes = True
    return True


def fold_status(row: InstrumentRow, status: Status) -> None:
    """Halted or released, and whether short sales are restricted; limits and unknown states change nothing.

    What was displayed before a halt is gone behind it: the next quote is the first that anything trades with.
    """
    if status.is_short_restricted >= 0:
        row.is_short_restricted = status.is_short_restricted > 0
    if status.status in _HALTING:
        row.is_halted = True
    elif status.status in _RELEASING and row.is_halted:
        row.is_halted = False
        row.bid_left_steps = 0
        row.ask_left_steps = 0
        row.bid_taken_steps = 0
        row.ask_taken_steps = 0


def fold_reference(row: InstrumentRow, fact: ReferenceFact) -> None:
    """What is known of it that bears on orders.

    Its shares are lent by `easy_to_borrow`, once that was said; else by `shortable`, which takes a locate.
    """
    if fact.field == "sector":
        row.sector = number_of(fact.text)
        return
    if fact.field == "theme":
        row.theme = number_of(fact.text)
        return
    is_easy = fact.field == "easy_to_borrow"
    if is_easy or not row.is_borrow_told:
        row.is_borrowable = fact.value > 0.0
    row.is_borrow_told = row.is_borrow_told or is_easy


def number_of(text: str) -> int:
    """A number for a text, the same in every session: 63 bits of its hash, spaces and capitals aside; 0 for none."""
    words = " ".join(text.split()).casefold()
    return int.from_bytes(blake3(words.encode()).digest(8), "little") & INT64_MAX if words else 0


def fold_bar(row: InstrumentRow, bar: Bar) -> None:
    """The close of a bar, not of a revision, is the reference price of an instrument without quotes."""
    if row.bar_length == 0:
        row.bar_unit = bar.bar_unit
        row.bar_length = bar.bar_length
    row.last_bar_nano = bar.close_nano


def far_side_nano(row: InstrumentRow, side: int) -> int:
    """What a taker pays (BUY) or gets (SELL) now; without quotes the last bar's close; ABSENT when there is none."""
    if not row.has_quotes:
        return row.last_bar_nano
    return row.ask_nano if side == Side.BUY else row.bid_nano


def is_crossed(row: InstrumentRow) -> bool:
    """Whether the bid in force is above the ask."""
    return row.bid_nano > row.ask_nano != ABSENT


def tick_at_nano(row: InstrumentRow, price_nano: int) -> int:
    """The price step at this price; 1 when the venue gave none."""
    tick = row.tick_nano
    if row.tick_below_one_nano > 0 and price_nano < NANO:
        tick = row.tick_below_one_nano
    return tick if tick > 0 else 1


def unit_value(row: InstrumentRow) -> float:
    """Value of a price move of 1 for one step of size; quote currency."""
    return float(row.size_step_nano) / NANO_FLOAT * (float(row.multiplier_nano) / NANO_FLOAT)


def spread_bps(row: InstrumentRow) -> float:
    """Ask less bid over their middle, in hundredths of a percent; NaN without both sides."""
    middle = (row.bid + row.ask) * 0.5
    return (row.ask - row.bid) / middle * 10_000.0 if middle > 0.0 else NAN


def tick_of(row: InstrumentRow) -> float:
    """The smallest price step at the current price; NaN when the venue gave none."""
    reference = far_side_nano(row, Side.BUY)
    return price_of(tick_at_nano(row, reference)) if row.tick_nano > 0 else NAN
