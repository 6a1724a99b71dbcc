"""Keys: what may stand in a definition, with default, bounds and a sentence of help each; the docs are written from them."""

from typing import Any, Final, NamedTuple

from pipeline.codes import AssetClass
from pipeline.scanner.clocks import CALENDARS

REQUIRED: Final = object()
WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
CLASSES: Final = tuple(each.name.lower() for each in AssetClass)
DAY_S: Final = 86_400
_CALENDARS: Final = tuple(CALENDARS)


class Key(NamedTuple):
    """One of them. `kind` is integer, number, text, texts, clock, choice, choices or tables."""

    name: str
    kind: str
    default: Any
    help: str
    low: float = 0
    high: float = 0
    choices: tuple[str, ...] = ()

    @property
    def accepted(self) -> str:
        """What may stand there, in words."""
        if self.kind in ("integer", "number"):
            return f"{'an integer' if self.kind == 'integer' else 'a number'} from {self.low:g} to {self.high:g}"
        if self.choices:
            return ("one of " if self.kind == "choice" else "a list of ") + ", ".join(self.choices)
        return {
            "text": "a text",
            "texts": "a list of texts",
            "clock": 'a time like "09:30"',
            "flag": "true or false",
            "tables": "tables",
        }[self.kind]


_TOP: Final = (
    Key("name", "text", REQUIRED, "what to call it"),
    Key("asset_classes", "choices", ["equity"], "classes of instruments it looks at", choices=CLASSES),
    Key("show", "texts", ["last", "volume"], "fields that are kept beside those of filters and rank"),
    Key("limit", "integer", 20, "how many it picks", 1, 1_000),
    Key("retention_s", "integer", 0, "an instrument stays in the list for at least so long", 0, DAY_S),
    Key("cool_down_s", "integer", 0, "one that was dropped comes in again after so long", 0, DAY_S),
    Key(
        "subscriptions_max", "integer", 100, "how many are in the list at most, those that only stay included", 1, 5_000
    ),
    Key("full_table_every_s", "integer", 900, "how often every instrument is written; 0: never", 0, DAY_S),
    Key(
        "when_dropped",
        "choice",
        "",
        "its strategies flatten what it drops, or keep it until they are flat; the setting `universe` unless told",
        choices=("flatten", "keep"),
    ),
    Key("own_fields", "text", "", "a Python file beside this one with fields of your own"),
    Key(
        "symbols",
        "texts",
        [],
        "a fixed list in place of a search: only `name`, `calendar` and `when_dropped` go with it",
    ),
    Key(
        "symbols_file",
        "text",
        "",
        "the same from a file beside this one: a symbol a line, or a date, a comma, a symbol",
    ),
    Key("calendar", "choice", "XNYS", "whose days the dates of a list mean", choices=_CALENDARS),
)
_SCHEDULE: Final = (
    Key("every_s", "integer", 5, "seconds between two evaluations", 1, 3_600),
    Key("from", "clock", "04:00", "the window begins; 00:00 when the calendar is 24/7"),
    Key("until", "clock", "09:30", "the window ends; 00:00 when the calendar is 24/7, which is the whole day"),
    Key("days", "choices", ["mon", "tue", "wed", "thu", "fri"], "weekdays; all of them when the calendar is 24/7", choices=WEEKDAYS),
    Key("calendar", "choice", "XNYS", "whose clocks: XNYS New York, CMES Chicago, 24/7 UTC", choices=_CALENDARS),
    Key("at_end", "choice", "keep", "what becomes of the list when the window ends", choices=("keep", "drop")),
)  # fmt: skip
_FILTER: Final = (
    Key("field", "text", REQUIRED, "which field"),
    Key("op", "text", REQUIRED, "> >= < <= == !=, for texts: in, not in"),
    Key("threshold", "number", REQUIRED, "what it is compared with; for texts a list of them"),
    Key("keep", "number", None, "in its place for those in the list; it may only be easier to meet"),
    Key("absent", "choice", "fail", "what a field without a value does", choices=("fail", "pass")),
)
_RANK: Final = (
    Key("field", "text", REQUIRED, "which field"),
    Key("order", "choice", "descending", "which end comes first", choices=("descending", "ascending")),
)
_NEAR_MISS: Final = (
    Key("filters_max", "integer", 1, "how many filters may fail; 0: there are no near misses", 0, 50),
    Key("within_pct", "number", 25.0, "by how much of its threshold each of them, in percent", 0, 10_000),
    Key("limit", "integer", 10, "how many are kept, the nearest first", 0, 1_000),
)
_MEASURES: Final = (
    Key("trades_min", "integer", 2, "a change over a window needs so many trades in it", 0, 10_000),
    Key("rvol_days", "integer", 10, "days whose volume by time of day is averaged", 1, 60),
    Key("rvol_floor", "number", 1_000.0, "the average counts as no smaller than this: shares, contracts or coins", 0, 1e12),
    Key("rvol_cap", "number", 100.0, "relative volume counts as no larger than this", 1, 1e9),
    Key("rvol_volume_min", "number", 0.0, "it has no value below this volume", 0, 1e12),
    Key("adv_days", "integer", 30, "days of the average daily volume where no provider tells it", 1, 250),
    Key("providers", "texts", [], "who is believed first where providers disagree; see the rule in docs/scanners.md"),
)  # fmt: skip

TABLES: Final = {"schedule": _SCHEDULE, "near_miss": _NEAR_MISS, "measures": _MEASURES}
ARRAYS: Final = {"filters": _FILTER, "rank": _RANK}
KEYS: Final[dict[str, tuple[Key, ...]]] = {"": _TOP, **TABLES, **ARRAYS}
"""By table, those of the top level under ''."""
