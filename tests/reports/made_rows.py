"""Rows made by hand for what explains them: columns that are not given are at their default."""

from pipeline.codes import Kind, Origin
from pipeline.events import LAYOUTS
from pipeline.log.manifest import StrategyEntry, Words
from pipeline.reports.explain_rows import Row
from pipeline.reports.explain_words import Symbol, Teller
from pipeline.units import NANO

WORDS = Words(
    phases={"watching": 0, "long": 1},
    gates={"breakout": 1, "spread": 2},
    reasons={"broke": 1},
    outputs={"high": 1, "low": 2},
    messages={"range": 1},
    templates={"range": "range {a:.2f}"},
)
TELLER = Teller(
    [StrategyEntry("probe", {}, "0", WORDS), StrategyEntry("other", {}, "0")],
    {1: Symbol("ABCD", NANO), 2: Symbol("EFGH", NANO)},
)


def made(kind, seq, ord_=0, cause=(0, 0), **values):
    """One row; derived where it has an ord."""
    header = {
        "seq": seq, "ord": ord_, "cause_seq": cause[0], "cause_ord": cause[1], "instrument_id": 1, "ts_event_ns": seq * NANO,
        "ts_recv_ns": seq * NANO, "origin": int(Origin.DERIVED if ord_ else Origin.INPUT),
    }  # fmt: skip
    own = {"strategy_id": 1} if LAYOUTS[kind].payload[0].name == "strategy_id" else {}
    defaults = {field.name: field.default for field in LAYOUTS[kind].fields}
    assert values.keys() <= defaults.keys()
    return Row(Kind(kind), defaults | header | own | values)


class MadeRows:
    """The rows given, in any order."""

    def __init__(self, *rows):
        self._rows = sorted(rows, key=lambda row: row.place)

    def at(self, seq):
        return [row for row in self._rows if row.values["seq"] == seq]

    def before(self, kinds, place, instrument_id=None):
        return (
            row
            for row in reversed(self._rows)
            if row.kind in kinds and row.place < place and instrument_id in (None, row.values["instrument_id"])
        )
