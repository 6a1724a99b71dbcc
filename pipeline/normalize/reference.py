"""Reference: what is known of an instrument that is no market event, and which of several statements counts.

A fact is a statement of one provider: a field, its value, the moment it describes (`as_of`), the moment it became known
(`known_at`). Nothing is overwritten: what counts at a moment T is chosen anew, by this rule.

    1. A statement counts when it was known by T and describes no later moment. A previous close counts only when it is
       that of the trading day before T; all else counts until something newer is said.
    2. A provider that the reader prefers goes before all others, in the order of the preference.
    3. Then the statement about the latest moment counts; of several about one moment that which became known last (a
       correction); then the one written last.
    4. Prices and counts of shares are told as they are after the splits between their moment and T.

A scanner goes by the same rule, and takes in splits itself (`scanner.facts`): a session begins with what was said, not with
what comes of it.
"""

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from enum import IntEnum
from fractions import Fraction
from typing import Final, NamedTuple

from pipeline.codes import AssetClass
from pipeline.hours import new_york_offset_ns
from pipeline.instruments import Instrument
from pipeline.units import DAY_NS, HOUR_NS, INT64_MAX, NANO

SHARES_VENUE: Final = "US"
"""Whose names American shares go by, whatever feed their market data come from."""

PREVIOUS_CLOSE: Final = "previous_close"
SPLIT_RATIO: Final = "split_ratio"
IPO: Final = "ipo"

FLAG: Final = "0 or 1"


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
    "average_daily_volume": FieldSpec("shares a day", "average daily volume", per_split=PerSplit.SHARES),
    "atr14": FieldSpec("USD", "average true range of 14 days", per_split=PerSplit.PRICE),
    SPLIT_RATIO: FieldSpec(
        "new shares for an old one", "a split on the day it describes: 20, or 0.02 for 1:50", is_lasting=False
    ),
    "short_interest": FieldSpec("shares", "shares sold short", per_split=PerSplit.SHARES),
    "days_to_cover": FieldSpec("days", "short interest over average volume"),
    "short_volume": FieldSpec("shares", "volume sold short on its latest day", per_split=PerSplit.SHARES),
    "shortable": FieldSpec(FLAG, "the broker lets it be sold short"),
    "easy_to_borrow": FieldSpec(FLAG, "shares to sell short are at hand"),
    "locate_fee": FieldSpec("USD a share", "what a locate costs"),
    "prior_runner": FieldSpec(FLAG, "it ran before"),
    "is_active": FieldSpec(FLAG, "it is listed and trades"),
    "sector": FieldSpec("text", "sector", is_text=True),
    "industry": FieldSpec("text", "industry", is_text=True),
    "theme": FieldSpec("text", "what it runs with, in a word: bitcoin, quantum, shipping", is_text=True),
    "exchange": FieldSpec("text", "MIC of the exchange that lists it", is_text=True),
    "security_type": FieldSpec(
        "text", "common, adr, etf, fund, preferred, warrant, unit, right or other", is_text=True
    ),
    "name": FieldSpec("text", "name of the company or fund", is_text=True),
    "country": FieldSpec("text", "country of the company", is_text=True),
    "tier": FieldSpec("text", "tier of the limit up-limit down plan", is_text=True),
    "catalyst": FieldSpec("text", "what moves it, in a word: offering, earnings, fda", is_text=True),
    IPO: FieldSpec("text", "the first day it traded, which is the day it describes too", is_text=True),
}
"""The fields there are, by the name that a `reference` row has; and `mean_volume_by:0800` for any time of the day."""

_USUAL: Final = re.compile(r"mean_volume_by:([01]\d|2[0-3])[0-5]\d", re.ASCII)
_USUAL_SPEC: Final = FieldSpec("shares", "mean volume of other days by this time", per_split=PerSplit.SHARES)


def spec_of(field: str) -> FieldSpec | None:
    """What a field means; None for a name that is none."""
    return _USUAL_SPEC if _USUAL.fullmatch(field) else FIELDS.get(field)


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
    other_values: tuple[float, ...]
    """Theirs as of that moment."""
    note: str
    """What splits changed; '' when none did."""

    @property
    def differs(self) -> tuple[bool, ...]:
        """Of each other provider, whether it says something else: counted in the shares of that moment, as the value is."""
        return tuple(
            other.text != self.fact.text if other.text or self.fact.text else not math.isclose(value, self.value)
            for other, value in zip(self.others, self.other_values, strict=True)
        )

    @property
    def is_disputed(self) -> bool:
        """Whether another provider says something else."""
        return any(self.differs)


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
    splits = list(_splits(facts, at_ns, prefer))
    choices: dict[str, Choice] = {}
    for field, by_provider in latest_by_provider(facts, at_ns).items():
        said = list(by_provider.values())
        if field == PREVIOUS_CLOSE and closed_ns is not None:
            said = [fact for fact in said if fact.as_of_ns >= closed_ns]
        if field == SPLIT_RATIO:  # of an earlier day it is another split
            said = [fact for fact in said if fact.as_of_ns == splits[-1].as_of_ns] if splits else []
        if said:
            choices[field] = _choice(ranked(said, prefer), splits, prefer)
    return choices


def opening_facts(
    facts: Sequence[Fact], at_ns: int, *, prefer: Sequence[str] = (), closed_ns: int | None = None
) -> list[Fact]:
    """What a session that begins at a moment is told of one instrument: by field, what each provider says last.

    What counts stands behind what others say. Values are as of their own moment, for whoever reads them takes in the splits
    since, all of which are told, and those that are known and not yet in force.
    """
    splits = list(_splits(facts, at_ns, prefer))
    told: list[Fact] = []
    for field, choice in sorted(chosen(facts, at_ns, prefer=prefer, closed_ns=closed_ns).items()):
        told += [] if field == SPLIT_RATIO else [*reversed(choice.others), choice.fact]
    coming = [split for split in _splits(facts, at_ns, prefer, until_ns=INT64_MAX) if split.as_of_ns > at_ns]
    return [*told, *splits, *coming]


def latest_by_provider(facts: Iterable[Fact], at_ns: int) -> dict[str, dict[str, Fact]]:
    """What each provider says last of what was known by a moment, by field and provider."""
    latest: dict[str, dict[str, Fact]] = {}
    for fact in facts:
        if fact.known_at_ns <= at_ns and fact.as_of_ns <= at_ns:
            by_provider = latest.setdefault(fact.field, {})
            before = by_provider.get(fact.provider)
            if before is None or (fact.as_of_ns, fact.known_at_ns) >= (before.as_of_ns, before.known_at_ns):
                by_provider.pop(fact.provider, None)  # so that they stand in the order they were written
                by_provider[fact.provider] = fact
    return latest


def newest(facts: Iterable[Fact], at_ns: int) -> list[Fact]:
    """Of many instruments' facts those that matter at a moment: `chosen` and `opening_facts` come to the same over these."""
    kept: dict[tuple[str, str, str, str, int], Fact] = {}
    for fact in facts:
        is_split = fact.field == SPLIT_RATIO
        if fact.known_at_ns <= at_ns and (is_split or fact.as_of_ns <= at_ns):
            of_ns = fact.as_of_ns if is_split else 0
            name = (fact.symbol, fact.venue, fact.field, fact.provider, of_ns)
            before = kept.get(name)
            if before is None or (fact.as_of_ns, fact.known_at_ns) >= (before.as_of_ns, before.known_at_ns):
                kept.pop(name, None)
                kept[name] = fact
    return list(kept.values())


def ranked(facts: Iterable[Fact], prefer: Sequence[str]) -> list[Fact]:
    """Statements of several providers, the one that counts first; given in the order they were written."""

    def place(written: tuple[int, Fact]) -> tuple[int, int, int, int]:
        number, fact = written
        preference = prefer.index(fact.provider) if fact.provider in prefer else len(prefer)
        return (preference, -fact.as_of_ns, -fact.known_at_ns, -number)

    return [fact for _, fact in sorted(enumerate(facts), key=place)]


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


def _splits(facts: Iterable[Fact], at_ns: int, prefer: Sequence[str], *, until_ns: int | None = None) -> Iterator[Fact]:
    """The splits known at a moment and in force then, or until another one, oldest first; one day's is one split, whoever tells of it."""
    end_ns = at_ns if until_ns is None else until_ns
    by_day: dict[int, dict[str, Fact]] = {}
    for fact in facts:
        if fact.field == SPLIT_RATIO and fact.known_at_ns <= at_ns and fact.as_of_ns <= end_ns and fact.value > 0:
            told = by_day.setdefault(fact.as_of_ns, {})
            before = told.get(fact.provider)
            if before is None or fact.known_at_ns >= before.known_at_ns:
                told.pop(fact.provider, None)
                told[fact.provider] = fact
    for _, told in sorted(by_day.items()):
        yield ranked(told.values(), prefer)[0]


def _choice(said: Sequence[Fact], splits: Sequence[Fact], prefer: Sequence[str]) -> Choice:
    fact, others = said[0], tuple(said[1:])
    value, note = _after(fact, splits)
    values = tuple(_after(other, splits)[0] for other in others)
    return Choice(fact, value, _why(fact, others, prefer), others, values, note)


def _why(fact: Fact, others: Sequence[Fact], prefer: Sequence[str]) -> str:
    if not others:
        return f"only {fact.provider} says so"
    if fact.provider in prefer:
        return f"{fact.provider} is preferred"
    if any(other.as_of_ns == fact.as_of_ns for other in others):
        return f"{fact.provider} said it last of those who speak of {_day_text(fact.as_of_ns)}"
    return f"{fact.provider} speaks of the latest day"


def _after(fact: Fact, splits: Sequence[Fact]) -> tuple[float, str]:
    """The value behind the splits that came after its moment, and what to say of it."""
    since = [split for split in splits if split.as_of_ns > fact.as_of_ns]
    per_split = _per_split(fact)
    if per_split is PerSplit.UNTOUCHED or not since:
        return fact.value, ""
    value = fact.value
    for split in since:
        value = value * split.value if per_split is PerSplit.SHARES else value / split.value
    told = ", ".join(f"{ratio_text(split.value)} on {_day_text(split.as_of_ns)}" for split in since)
    return value, f"{number_text(fact.value)} before the split {told}"


def _per_split(fact: Fact) -> PerSplit:
    spec = spec_of(fact.field)
    return PerSplit.UNTOUCHED if spec is None else spec.per_split


def _day_text(ts_ns: int) -> str:
    """The day in New York."""
    return f"{datetime.fromtimestamp((ts_ns + new_york_offset_ns(ts_ns)) // NANO, UTC):%Y-%m-%d}"
