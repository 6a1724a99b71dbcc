"""Reference: what is known of an instrument that is no market event, and which of several statements counts.

A fact is a statement of one provider: a field, its value, the moment it describes (`as_of`), the moment it became known
(`known_at`). Nothing is overwritten: what counts at a moment T is chosen anew, by this rule.

    1. A statement counts when it was known by T and describes no later moment. A previous close counts only when it is
       that of the trading day before T; all else counts until something newer is said.
    2. Of what one provider says, the statement about the latest moment counts; of several about one moment that which
       became known last (a correction).
    3. Between providers their order decides: those that the reader prefers, as they come; then those that are no vendor
       (a person's own files), the one about the latest moment first; then the vendors, as in `VENDORS`.
    4. Prices and counts of shares are told as they are after the splits between their moment and T.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from enum import IntEnum
from fractions import Fraction
from typing import Final, NamedTuple

from pipeline.codes import AssetClass
from pipeline.hours import new_york_offset_ns
from pipeline.instruments import Instrument
from pipeline.units import DAY_NS, HOUR_NS, NANO

SHARES_VENUE: Final = "US"
"""Whose names American shares go by, whatever feed their market data come from."""

VENDORS: Final = ("databento", "massive", "alpaca")
"""Those asked by REST, the most careful about dates first."""

PREVIOUS_CLOSE: Final = "previous_close"
SPLIT_RATIO: Final = "split_ratio"


class PerSplit(IntEnum):
    """What a split does to a value: a price is divided by its ratio, a count of shares is multiplied."""

    SHARES = 1
    UNTOUCHED = 0
    PRICE = -1


class FieldSpec(NamedTuple):
    """What a field means. `is_lasting`: what was said stays true until something else is."""

    unit: str
    doc: str
    is_text: bool = False
    per_split: PerSplit = PerSplit.UNTOUCHED
    is_lasting: bool = True


FIELDS: Final[Mapping[str, FieldSpec]] = {
    "float_shares": FieldSpec("shares", "shares that trade freely", per_split=PerSplit.SHARES),
    "shares_outstanding": FieldSpec("shares", "shares that there are", per_split=PerSplit.SHARES),
    "market_cap": FieldSpec("USD", "value of all shares"),
    PREVIOUS_CLOSE: FieldSpec(
        "USD", "official close of the trading day before, as it was", per_split=PerSplit.PRICE, is_lasting=False
    ),
    "average_volume": FieldSpec("shares a day", "average daily volume", per_split=PerSplit.SHARES),
    "atr": FieldSpec("USD", "average true range of days", per_split=PerSplit.PRICE),
    SPLIT_RATIO: FieldSpec(
        "new shares for an old one", "a split on the day it describes: 20, or 0.02 for 1:50", is_lasting=False
    ),
    "short_interest": FieldSpec("shares", "shares sold short", per_split=PerSplit.SHARES),
    "days_to_cover": FieldSpec("days", "short interest over average volume"),
    "is_shortable": FieldSpec("0 or 1", "the broker lets it be sold short"),
    "is_easy_to_borrow": FieldSpec("0 or 1", "shares to sell short are at hand"),
    "is_active": FieldSpec("0 or 1", "it is listed and trades"),
    "sector": FieldSpec("text", "sector", is_text=True),
    "industry": FieldSpec("text", "industry", is_text=True),
    "exchange": FieldSpec("text", "MIC of the exchange that lists it", is_text=True),
    "security_kind": FieldSpec(
        "text", "common, adr, etf, fund, preferred, warrant, unit, right or other", is_text=True
    ),
    "name": FieldSpec("text", "name of the company or fund", is_text=True),
    "country": FieldSpec("text", "country of the company", is_text=True),
    "listed_on": FieldSpec("text", "day it was listed, 2026-11-20", is_text=True),
}
"""The fields there are, by the name that a `reference` row has."""


class Fact(NamedTuple):
    """One statement. `value` is NaN where the field is a text, `text` '' where it is a number; times are UTC nanoseconds."""

    symbol: str
    venue: str
    field: str
    value: float
    text: str
    known_at_ns: int
    as_of_ns: int
    provider: str

    @property
    def stated(self) -> float | str:
        """What is said: the text, or the number where there is none."""
        return self.text or self.value


class Choice(NamedTuple):
    """The statement that counts at a moment, and what else there is."""

    fact: Fact
    value: float
    """As of that moment: after the splits since."""
    why: str
    others: tuple[Fact, ...]
    """The latest of each other provider."""
    note: str
    """What splits changed; '' when none did."""

    @property
    def is_disputed(self) -> bool:
        """Whether another provider says something else."""
        return any(other.stated != self.fact.stated for other in self.others)


def chosen(
    facts: Sequence[Fact], at_ns: int, *, prefer: Sequence[str] = (), closed_ns: int | None = None
) -> dict[str, Choice]:
    """What counts at a moment of one instrument's facts, by field, by the rule above.

    facts       of one instrument, in the order they were written
    closed_ns   close of the trading day before; an older previous close does not count. None: any does

    >>> facts = [Fact("A", "US", "float_shares", 5e6, "", 10, 5, "massive"), Fact("A", "US", "float_shares", 4e6, "", 20, 5, "massive")]
    >>> chosen(facts, 15)["float_shares"].value
    5000000.0
    """
    latest = latest_by_provider(facts, at_ns)
    splits = list(_splits(facts, at_ns, prefer))
    choices: dict[str, Choice] = {}
    for field, by_provider in latest.items():
        ranked = sorted(by_provider.values(), key=lambda fact: rank_of(fact, prefer))
        if field == PREVIOUS_CLOSE and closed_ns is not None:
            ranked = [fact for fact in ranked if fact.as_of_ns >= closed_ns]
        if ranked:
            choices[field] = _choice(ranked, splits)
    return choices


def latest_by_provider(facts: Iterable[Fact], at_ns: int) -> dict[str, dict[str, Fact]]:
    """What each provider says last of what was known by a moment, by field and provider."""
    latest: dict[str, dict[str, Fact]] = {}
    for fact in facts:
        if fact.known_at_ns <= at_ns and fact.as_of_ns <= at_ns:
            by_provider = latest.setdefault(fact.field, {})
            before = by_provider.get(fact.provider)
            if before is None or (fact.as_of_ns, fact.known_at_ns) >= (before.as_of_ns, before.known_at_ns):
                by_provider[fact.provider] = fact
    return latest


def newest(facts: Iterable[Fact], at_ns: int) -> list[Fact]:
    """Of many instruments' facts those that can count at a moment: `chosen` comes to the same over these as over all."""
    kept: dict[tuple[str, str, str, str, int], Fact] = {}
    for fact in facts:
        if fact.known_at_ns <= at_ns and fact.as_of_ns <= at_ns:
            of_ns = fact.as_of_ns if fact.field == SPLIT_RATIO else 0
            name = (fact.symbol, fact.venue, fact.field, fact.provider, of_ns)
            before = kept.get(name)
            if before is None or (fact.as_of_ns, fact.known_at_ns) >= (before.as_of_ns, before.known_at_ns):
                kept[name] = fact
    return list(kept.values())


def rank_of(fact: Fact, prefer: Sequence[str]) -> tuple[int, int, str]:
    """Where a provider's statement stands among those of others; smaller comes first."""
    if fact.provider in prefer:
        return (0, prefer.index(fact.provider), "")
    if fact.provider in VENDORS:
        return (2, VENDORS.index(fact.provider), "")
    return (1, -fact.as_of_ns, fact.provider)


def belongs(fact_venue: str, instrument: Instrument) -> bool:
    """Whether facts under this venue may be about the instrument, given that the symbols are the same."""
    if fact_venue == instrument.venue:
        return True
    is_share = instrument.asset_class in (AssetClass.EQUITY, AssetClass.ETF)
    is_unknown = instrument.asset_class is AssetClass.OTHER and instrument.calendar in ("", "XNYS")
    return fact_venue == SHARES_VENUE and (is_share or is_unknown)


def new_york_ns(day: date, second: int = 0) -> int:
    """When New York's clocks show so many seconds of a day; UTC nanoseconds. From 1:00 to 3:00 clocks may change: not exact then."""
    wall_ns = (day.toordinal() - _EPOCH_ORDINAL) * DAY_NS + second * NANO
    return wall_ns - new_york_offset_ns(wall_ns + 5 * HOUR_NS)


def number_text(value: float) -> str:
    """A number without noise: 4,200,000 or 3.125."""
    if math.isnan(value):
        return ""
    return f"{int(value):,}" if value == int(value) and abs(value) < 1e15 else f"{value:,.6g}"


def ratio_text(ratio: float) -> str:
    """New shares for old ones: 20:1, 1:50, 4:3.

    >>> ratio_text(0.02)
    '1:50'
    """
    fraction = Fraction(ratio).limit_denominator(1_000)
    return f"{fraction.numerator}:{fraction.denominator}"


_EPOCH_ORDINAL: Final = date(1970, 1, 1).toordinal()


def _splits(facts: Iterable[Fact], at_ns: int, prefer: Sequence[str]) -> Iterator[Fact]:
    """The splits in effect at a moment, oldest first; one day's is one split, whoever tells of it."""
    by_day: dict[int, dict[str, Fact]] = {}
    for fact in facts:
        if fact.field == SPLIT_RATIO and fact.known_at_ns <= at_ns and fact.as_of_ns <= at_ns:
            told = by_day.setdefault(fact.as_of_ns, {})
            before = told.get(fact.provider)
            if before is None or fact.known_at_ns >= before.known_at_ns:
                told[fact.provider] = fact
    for _, told in sorted(by_day.items()):
        yield min(told.values(), key=lambda fact: rank_of(fact, prefer))


def _choice(ranked: Sequence[Fact], splits: Sequence[Fact]) -> Choice:
    fact, others = ranked[0], tuple(ranked[1:])
    behind = " before ".join([fact.provider, ", ".join(other.provider for other in others)])
    why = f"the order of providers: {behind}" if others else f"only {fact.provider} says so"
    value, note = _after(fact, splits)
    return Choice(fact, value, why, others, note)


def _after(fact: Fact, splits: Sequence[Fact]) -> tuple[float, str]:
    """The value behind the splits that came after its moment, and what to say of it."""
    per_split = FIELDS[fact.field].per_split if fact.field in FIELDS else PerSplit.UNTOUCHED
    since = [split for split in splits if split.as_of_ns > fact.as_of_ns and split.value > 0]
    if per_split is PerSplit.UNTOUCHED or not since:
        return fact.value, ""
    value = fact.value
    for split in since:
        value = value * split.value if per_split is PerSplit.SHARES else value / split.value
    told = ", ".join(f"{ratio_text(split.value)} on {_day_text(split.as_of_ns)}" for split in since)
    return value, f"{number_text(fact.value)} before the split {told}"


def _day_text(ts_ns: int) -> str:
    """The day in New York."""
    return f"{datetime.fromtimestamp((ts_ns + new_york_offset_ns(ts_ns)) // NANO, UTC):%Y-%m-%d}"
