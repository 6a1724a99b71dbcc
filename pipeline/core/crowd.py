"""Crowd: what is held and asked for already near an entry: in its instrument, in its sector, among what runs with it.

Assumption: instruments of which a reference fact tells the same `theme` run together and are one bet, whichever way each of
them is traded; those of one `sector` are near enough to be counted together; nothing else runs together. Danger: a theme is
as good as whoever told it. Symbols that run in sympathy and of which nobody said so are counted as bets of their own; two
that were told the same theme and go apart, or of which one is held short against the other, as one that is twice as large.

Of each field the statement told last counts, whoever told it, spaces and capitals aside. Instruments of no known sector
make a sector of their own, for all of them may be of one. One without a theme runs with none: most have none.

Correlations of recent returns are not measured: a runner has no returns of yesterday that tell of today, and the minutes in
which it begins to run with another one are those in which both were entered.
"""

from typing import NamedTuple

from pipeline.codes import Side
from pipeline.core.orders import is_of, reduces_only
from pipeline.core.portfolio import PositionRow, holds
from pipeline.core.settings import SettingsRow
from pipeline.core.world import World, order_at, position_of
from pipeline.core.worth import exposure_of


class Crowd(NamedTuple):
    """What there is near an entry; counts hold what it would add, exposures (in the account's currency) don't.

    `entries` are those of its strategy in its instrument on its side, `strategies` those that hold its instrument or enter it;
    `*_instruments` are held or entered by any. Where it has no theme those are 0.
    """

    entries: int
    strategies: int
    exposure: float
    sector_instruments: int
    sector_exposure: float
    theme_instruments: int
    theme_exposure: float
    has_theme: bool


def is_crowd_limited(settings: SettingsRow) -> bool:
    """Whether anything is limited for which somebody has to look around."""
    has_counts = settings.open_entries_max > 0 or settings.instrument_strategies_max > 0
    has_counts = has_counts or settings.sector_instruments_max > 0 or settings.theme_instruments_max > 0
    has_amounts = settings.instrument_notional_max > 0.0 or settings.sector_notional_max > 0.0
    is_limited: bool = has_counts or has_amounts or settings.theme_notional_max > 0.0
    return is_limited


def crowd_of(world: World, strategy_id: int, instrument_id: int, side: int) -> Crowd:
    """What there is near an entry of a strategy in an instrument."""
    own = world.instruments[instrument_id]
    has_theme = own.theme != 0
    strategies, sector_instruments, theme_instruments = 0, 0, 0
    exposure, sector_exposure, theme_exposure = 0.0, 0.0, 0.0
    is_new_strategy, is_new_instrument = True, True
    for place in range(1, world.counts.places + 1):
        position = world.positions[world.held[place].slot]
        instrument = world.instruments[position.instrument_id]
        amount = exposure_of(instrument, position)
        count = 1 if _is_first(world, position) else 0
        if position.instrument_id == instrument_id:
            is_new_instrument = False
            is_new_strategy = is_new_strategy and position.strategy_id != strategy_id
            strategies += 1
            exposure += amount
        if instrument.sector == own.sector:
            sector_instruments += count
            sector_exposure += amount
        if has_theme and instrument.theme == own.theme:
            theme_instruments += count
            theme_exposure += amount
    added = 1 if is_new_instrument else 0
    return Crowd(
        _entries(world, strategy_id, instrument_id, side) + 1,
        strategies + (1 if is_new_strategy else 0),
        exposure,
        sector_instruments + added,
        sector_exposure,
        theme_instruments + (added if has_theme else 0),
        theme_exposure,
        has_theme,
    )


def _is_first(world: World, position: PositionRow) -> bool:
    """Whether no strategy in front of this one holds the instrument or enters it: each instrument counts once."""
    for strategy_id in range(1, position.strategy_id):
        if holds(position_of(world, strategy_id, position.instrument_id)):
            return False
    return True


def _entries(world: World, strategy_id: int, instrument_id: int, side: int) -> int:
    """The entries of a strategy in an instrument on a side that may still fill; one that is being cancelled may."""
    working, entries = position_of(world, strategy_id, instrument_id), 0
    if (working.buying_steps if side == Side.BUY else working.selling_steps) == 0:
        return 0
    for place in range(1, world.counts.open_orders + 1):
        order = order_at(world, place)
        if is_of(order, strategy_id, instrument_id) and order.side == side and not reduces_only(order):
            entries += 1
    return entries
