"""Risk: the final door. An order exists only behind an approved `Verdict`, and only `admit` makes one.

Each rule is a function that gives what it saw and what it allows; the first that refuses speaks. What makes a position
smaller is never held back by limits on size, staleness or loss: being unable to get out is the larger risk.
"""

import math
from typing import Final, NamedTuple

from pipeline.codes import OrderType, RiskRule, Side
from pipeline.core.context import IN_UNIVERSE
from pipeline.core.crowd import Crowd
from pipeline.core.dialect import INF, NAN, price_of, size_of
from pipeline.core.instrument import InstrumentRow, far_side_nano, unit_value
from pipeline.core.portfolio import AccountRow, PositionRow
from pipeline.core.settings import SHORT_ALWAYS, SHORT_NEVER, SettingsRow
from pipeline.core.sizing import Draft
from pipeline.core.worth import Worth
from pipeline.hours import Calendar, minute_at
from pipeline.units import ABSENT, INT64_MAX, NANO

_JUST_BELOW: Final = 1.0 - 2.0**-52
"""Times a float it is the next smaller one, or the one after that."""


class Verdict(NamedTuple):
    """What the gate says; of a refusal which rule spoke, what it saw and what it allows."""

    is_approved: bool
    rule: int
    value: float
    limit: float


class Check(NamedTuple):
    """What a rule saw and what it allows: it refuses unless `value <= limit`."""

    rule: int
    value: float
    limit: float


class Case(NamedTuple):
    """All a rule may look at. `is_live` is false for decisions made on warm-up or backfilled inputs.

    `worth` is that of the whole account; it says nothing where an order only reduces. `standing` is the strategy's in the
    instrument. It `is_unsure` while nobody knows what became of an order there.
    """

    draft: Draft
    instrument: InstrumentRow
    position: PositionRow
    account: AccountRow
    settings: SettingsRow
    worth: Worth
    now_ns: int
    is_live: bool
    standing: int
    reduces: bool
    is_unsure: bool


def admit(case: Case) -> Verdict:
    """Ask every rule in order, last those of what one entry takes from another: a loser would have been admitted else."""
    if not_finite(case):
        return Verdict(False, RiskRule.NOT_FINITE, float(case.draft.quantity_steps), 1.0)
    if not case.reduces:
        for check in (
            from_the_past(case),
            kill_switch(case),
            leaving(case),
            session_window(case),
            cool_down(case),
            halted(case),
            unknown_order(case),
            missing_position(case),
            no_reference_price(case),
            stale_quote(case),
            crossed_quote(case),
            price_collar(case),
            short_sale(case),
            order_quantity(case),
            order_notional(case),
            position_notional(case),
            open_orders(case),
            daily_loss(case),
            drawdown(case),
            loss_streak(case),
            total_notional(case),
            buying_power(case),
            order_rate(case),
        ):
            if not check.value <= check.limit:
                return Verdict(False, check.rule, check.value, check.limit)
    return Verdict(True, RiskRule.PASSED, NAN, NAN)


def admit_among(case: Case, crowd: Crowd) -> Verdict:
    """Ask the rules of what there is near an entry that all others let pass: apart, for it costs a look around."""
    for check in (
        duplicate(case, crowd),
        instrument_strategies(case, crowd),
        instrument_notional(case, crowd),
        sector_instruments(case, crowd),
        sector_notional(case, crowd),
        theme_instruments(case, crowd),
        theme_notional(case, crowd),
    ):
        if not check.value <= check.limit:
            return Verdict(False, check.rule, check.value, check.limit)
    return Verdict(True, RiskRule.PASSED, NAN, NAN)


def not_finite(case: Case) -> bool:
    """A size that is not positive, or a price that its order type needs and lacks."""
    draft = case.draft
    lacks_limit = draft.order_type in (OrderType.LIMIT, OrderType.STOP_LIMIT) and draft.limit_nano <= 0
    lacks_trigger = draft.order_type in (OrderType.STOP, OrderType.STOP_LIMIT) and draft.trigger_nano <= 0
    lacks_trail = draft.order_type == OrderType.TRAILING_STOP and draft.trail_nano <= 0
    return draft.quantity_steps <= 0 or lacks_limit or lacks_trigger or lacks_trail


def from_the_past(case: Case) -> Check:
    """1 when the input behind the decision is warm-up or backfill."""
    return Check(RiskRule.BACKFILLED, (0.0 if case.is_live else 1.0), 0.0)


def leaving(case: Case) -> Check:
    """1 when the instrument is no longer in the strategy's universe."""
    return Check(RiskRule.ALLOW_LIST, (0.0 if case.standing == IN_UNIVERSE else 1.0), 0.0)


def kill_switch(case: Case) -> Check:
    """1 when the account is halted, or may only reduce what it holds."""
    is_held_back = case.account.is_halted or case.account.is_reducing or case.account.is_ending
    return Check(RiskRule.KILL_SWITCH, (1.0 if is_held_back else 0.0), 0.0)


def session_window(case: Case) -> Check:
    """1 when the exchange's clock shows a minute outside of those in which something may be entered."""
    minute = minute_at(case.instrument.calendar, case.now_ns)
    is_inside = case.settings.entry_from_minute <= minute < case.settings.entry_until_minute
    return Check(RiskRule.SESSION_WINDOW, (0.0 if is_inside else 1.0), 0.0)


def cool_down(case: Case) -> Check:
    """Nanoseconds until the pause after a losing round trip of this strategy in this instrument is over."""
    lost = case.position.ts_lost_ns
    left = max(0, lost + case.settings.cool_down_ns - case.now_ns) if lost > 0 else 0
    return Check(RiskRule.COOL_DOWN, float(left), 0.0)


def halted(case: Case) -> Check:
    """1 when the instrument does not trade."""
    return Check(RiskRule.HALTED_INSTRUMENT, (1.0 if case.instrument.is_halted else 0.0), 0.0)


def unknown_order(case: Case) -> Check:
    """1 while nobody knows what became of an order in this instrument: it may have filled."""
    return Check(RiskRule.UNKNOWN_ORDER, (1.0 if case.is_unsure else 0.0), 0.0)


def missing_position(case: Case) -> Check:
    """What is held of this instrument by the log, and not at the broker; in steps."""
    return Check(RiskRule.MISSING_POSITION, float(case.instrument.missing_steps), 0.0)


def no_reference_price(case: Case) -> Check:
    """1 when there is no far side, and without quotes no bar, to value the order by."""
    return Check(
        RiskRule.NO_REFERENCE_PRICE, (1.0 if far_side_nano(case.instrument, case.draft.side) == ABSENT else 0.0), 0.0
    )


def stale_quote(case: Case) -> Check:
    """Age of the last quote in nanoseconds; an instrument without quotes lives on bars, which are never fresh."""
    age = case.now_ns - case.instrument.ts_quote_ns if case.instrument.has_quotes else 0
    return Check(RiskRule.STALE_QUOTE, float(age), float(case.settings.quote_age_ns_max))


def crossed_quote(case: Case) -> Check:
    """Bid less ask; a locked market passes, a missing side has nothing to cross."""
    crossing = case.instrument.bid - case.instrument.ask
    return Check(RiskRule.CROSSED_QUOTE, (0.0 if math.isnan(crossing) else crossing), 0.0)


def price_collar(case: Case) -> Check:
    """How far the limit lies beyond what it is meant for, the trigger of a stop, else the far side; percent of that price."""
    draft = case.draft
    meant = draft.trigger_nano if draft.trigger_nano != ABSENT else far_side_nano(case.instrument, draft.side)
    beyond = max(0, (draft.limit_nano - meant) * draft.side) if draft.limit_nano != ABSENT else 0
    percent = 0.0
    if beyond > 0:
        percent = float(beyond) / float(meant) * 100.0 if meant > 0 else INF
    return Check(RiskRule.PRICE_COLLAR, percent, case.settings.price_collar_percent)


def short_sale(case: Case) -> Check:
    """1 for shares sold short that nobody is known to lend, or, while short sales are restricted, at the bid or below it.

    SEC Regulation SHO, rule 203(b) (locate) and rule 201 (price test). What never closes, and futures, need no loan.
    """
    position, draft, instrument = case.position, case.draft, case.instrument
    is_short = draft.side == Side.SELL and position.quantity_steps - position.selling_steps < draft.quantity_steps
    refused = 0.0
    if is_short and instrument.calendar == Calendar.SHARES:
        allowed = case.settings.short_sales
        is_lent = allowed == SHORT_ALWAYS or (allowed != SHORT_NEVER and instrument.is_borrowable)
        is_above = draft.limit_nano != ABSENT and draft.limit_nano > instrument.bid_nano
        refused = 0.0 if is_lent and (is_above or not instrument.is_short_restricted) else 1.0
    return Check(RiskRule.SHORT_SALE, refused, 0.0)


def order_quantity(case: Case) -> Check:
    """Size of the order."""
    return Check(
        RiskRule.ORDER_QUANTITY,
        size_of(case.draft.quantity_steps, case.instrument.size_step_nano),
        case.settings.order_quantity_max,
    )


def order_notional(case: Case) -> Check:
    """Amount of the order at its reference price."""
    return Check(RiskRule.ORDER_NOTIONAL, _amount(case, case.draft.quantity_steps), case.settings.order_notional_max)


def position_notional(case: Case) -> Check:
    """Amount of the position after the order and the entries of its side that still work, at its reference price."""
    working = case.position.buying_steps if case.draft.side == Side.BUY else case.position.selling_steps
    after = case.position.quantity_steps + case.draft.side * (case.draft.quantity_steps + working)
    return Check(
        RiskRule.POSITION_NOTIONAL,
        _amount(case, abs(after)) if abs(after) <= INT64_MAX else INF,
        case.settings.position_notional_max,
    )


def duplicate(case: Case, crowd: Crowd) -> Check:
    """Open entries of the strategy in the instrument on the side, this one included."""
    return Check(RiskRule.DUPLICATE, float(crowd.entries), _any_of_none(float(case.settings.open_entries_max)))


def instrument_strategies(case: Case, crowd: Crowd) -> Check:
    """Strategies that hold the instrument or enter it, this one included."""
    most = _any_of_none(float(case.settings.instrument_strategies_max))
    return Check(RiskRule.INSTRUMENT_STRATEGIES, float(crowd.strategies), most)


def instrument_notional(case: Case, crowd: Crowd) -> Check:
    """Amount of all positions and working entries in the instrument, this order included."""
    amount = crowd.exposure + _amount(case, case.draft.quantity_steps)
    return Check(RiskRule.INSTRUMENT_NOTIONAL, amount, _any_of_none(case.settings.instrument_notional_max))


def sector_instruments(case: Case, crowd: Crowd) -> Check:
    """Instruments of the sector that are held or entered, this one included."""
    most = _any_of_none(float(case.settings.sector_instruments_max))
    return Check(RiskRule.SECTOR_INSTRUMENTS, float(crowd.sector_instruments), most)


def sector_notional(case: Case, crowd: Crowd) -> Check:
    """Amount of all positions and working entries in the sector, this order included."""
    amount = crowd.sector_exposure + _amount(case, case.draft.quantity_steps)
    return Check(RiskRule.SECTOR_NOTIONAL, amount, _any_of_none(case.settings.sector_notional_max))


def theme_instruments(case: Case, crowd: Crowd) -> Check:
    """Instruments of the theme that are held or entered, this one included; 0 without a theme."""
    most = _any_of_none(float(case.settings.theme_instruments_max))
    return Check(RiskRule.THEME_INSTRUMENTS, float(crowd.theme_instruments), most)


def theme_notional(case: Case, crowd: Crowd) -> Check:
    """Amount of all positions and working entries in the theme, this order included; 0 without a theme."""
    amount = crowd.theme_exposure + _amount(case, case.draft.quantity_steps) if crowd.has_theme else 0.0
    return Check(RiskRule.THEME_NOTIONAL, amount, _any_of_none(case.settings.theme_notional_max))


def total_notional(case: Case) -> Check:
    """Amount of all positions and working entries, this order included."""
    amount = case.worth.exposure + _amount(case, case.draft.quantity_steps)
    return Check(RiskRule.TOTAL_NOTIONAL, amount, _any_of_none(case.settings.total_notional_max))


def buying_power(case: Case) -> Check:
    """Amount of all positions and working entries, this order included; allowed is a multiple of what the account is worth."""
    exposure = case.worth.exposure + _amount(case, case.draft.quantity_steps)
    return Check(RiskRule.BUYING_POWER, exposure, max(0.0, case.worth.value) * case.settings.buying_power)


def open_orders(case: Case) -> Check:
    """Open orders of the strategy in the instrument, this one included."""
    return Check(RiskRule.OPEN_ORDERS, float(case.position.open_orders + 1), float(case.settings.open_orders_max))


def daily_loss(case: Case) -> Check:
    """Loss realised today; reaching the limit is enough, so what is allowed ends just below."""
    return Check(RiskRule.DAILY_LOSS, -case.account.day_result, case.settings.daily_loss_max * _JUST_BELOW)


def drawdown(case: Case) -> Check:
    """What was given back of the day's best result."""
    given_back = case.account.day_best - case.account.day_result
    return Check(RiskRule.DRAWDOWN, given_back, _any_of_none(case.settings.drawdown_max))


def loss_streak(case: Case) -> Check:
    """Losing round trips in a row, and the one that this entry might become."""
    most = _any_of_none(float(case.settings.loss_streak_max))
    return Check(RiskRule.LOSS_STREAK, float(case.account.losses_in_row + 1), most)


def order_rate(case: Case) -> Check:
    """Entries that count as sent within this second, this one included: each counts less and less, until its time is over.

    A bucket that leaks (the generic cell rate algorithm, ITU-T I.371): so many at once, and as many again in a second.
    """
    each = NANO // case.settings.order_rate_max
    waiting = max(0, case.account.ts_rate_ns - case.now_ns) + each
    return Check(RiskRule.ORDER_RATE, float(waiting) / float(each), float(case.settings.order_rate_max))


def count_entry(account: AccountRow, settings: SettingsRow, now_ns: int) -> None:
    """An entry was approved: it counts in the rate."""
    account.ts_rate_ns = max(account.ts_rate_ns, now_ns) + NANO // settings.order_rate_max


def _any_of_none(most: float) -> float:
    """What a limit allows of which 0 means that there is none."""
    return most if most > 0.0 else INF


def _amount(case: Case, steps: int) -> float:
    reference = case.draft.limit_nano
    if reference == ABSENT:
        reference = far_side_nano(case.instrument, case.draft.side)
    price = price_of(reference)
    return price * (float(steps) * unit_value(case.instrument)) if reference != ABSENT else NAN
