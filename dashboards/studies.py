"""Studies: what trades add up to, as `tape report` and `tape montecarlo` say it, in the same words and numbers."""

from collections.abc import Iterator, Mapping
from functools import lru_cache

import pyarrow as pa

from dashboards.data import Door
from dashboards.figures import session_id
from pipeline.log.manifest import Manifest
from pipeline.reports import knob_words, reading
from pipeline.reports.knobs import Knobs
from pipeline.reports.montecarlo import Asked
from pipeline.reports.outcomes import Outcome, outcome_of
from pipeline.reports.report_comparison import comparison_section
from pipeline.reports.report_document import Line, Section
from pipeline.reports.report_market import execution_section
from pipeline.reports.report_material import Material
from pipeline.reports.report_montecarlo import montecarlo_section
from pipeline.reports.report_statistics import statistics_sections
from pipeline.run.reporting import material_of

PATHS: tuple[int, ...] = (1_000, 5_000, 20_000, 100_000)

_DIFFS = "select * from diffs where a = $a and b = $b order by coalesce(seq_a, seq_b), symbol"
_PROFITS = "select * from diff_profits where a = $a and b = $b order by abs(effect) desc"


def material(door: Door, log: Manifest) -> Material:
    """All that was worked out of the trades of a log, kept for one that does not change any more.

    Raises ConfigError where nobody decided anything.
    """
    return _kept(door, log.id, log.chain_head) if log.is_closed else material_of(door.store, [log.id], paths=0, seed=1)


@lru_cache(maxsize=8)
def _kept(door: Door, id_: str, _chain_head: str) -> Material:
    return material_of(door.store, [id_], paths=0, seed=1)


def performance(found: Material) -> Iterator[Section]:
    """Summary, equity, drawdown, calendar, distributions, breakdowns."""
    return statistics_sections(found)


def execution(found: Material) -> Section:
    """What executions cost beside the market, and how long orders took."""
    return execution_section(found)


def compared(found: Material, other: Material) -> Section:
    """Figures in columns, parameters that differ, profits in one chart."""
    return comparison_section([found, other])


def diffs(door: Door, log: Manifest, other: Manifest) -> pa.Table:
    """Wishes that two logs of one session do not share."""
    return door.rows(_DIFFS, [log.id, other.id], {"a": log.id, "b": other.id})


def effects(door: Door, log: Manifest, other: Manifest) -> pa.Table:
    """By symbol what it did to profit."""
    return door.rows(_PROFITS, [log.id, other.id], {"a": log.id, "b": other.id})


def comparable(door: Door, log: Manifest) -> list[Manifest]:
    """Other logs in which somebody decided, those of the same session first."""
    there = [each for each in door.logs() if each.id != log.id and each.strategies]
    return sorted(there, key=lambda each: session_id(each) != session_id(log))


def simulated(door: Door, log: Manifest, found: Material, words: Mapping[str, str], paths: int, seed: int) -> Section:
    """The trades walked again under these knobs, given in the words of `tape montecarlo`. Raises ConfigError."""
    asked, outcome = _simulated(
        door, log.id, tuple(sorted(words.items())), paths, seed, log.chain_head if log.is_closed else None
    )
    made = montecarlo_section(found._replace(asked=asked, outcome=outcome))
    told = [f"{name}: {knob_words.told(getattr(asked.knobs, name))}" for name in words if name != "order"]
    line = Line(
        f"{outcome.paths:,} paths of {outcome.trades:,} trades, seed {seed}: {'; '.join(told) or 'nothing else changed'}."
    )
    return made._replace(parts=[line, *made.parts[1:]])


@lru_cache(maxsize=32)
def _simulated(
    door: Door, id_: str, words: tuple[tuple[str, str], ...], paths: int, seed: int, _chain_head: str | None
) -> tuple[Asked, Outcome]:
    home = str(door.store.home)
    trips = reading.trips_in(home, [id_])
    told = dict(words)
    recorded = trips.known_slippage_bps
    knobs = Knobs(
        order=knob_words.order_from(told["order"]),
        slippage=knob_words.slippage_from(told["slippage"], recorded) if "slippage" in told else None,
        misses=knob_words.misses_from(told["misses"]) if "misses" in told else None,
        halts=knob_words.halts_from(told["halts"], reading.reopening_gaps_bps(home, [id_]))
        if "halts" in told
        else None,
        drops=knob_words.drops_from(told["drops"]) if "drops" in told else None,
        partials=knob_words.partials_from(told["partials"]) if "partials" in told else None,
    )
    asked = Asked(knobs=knobs, paths=paths, seed=seed)
    return asked, outcome_of(trips, asked)
