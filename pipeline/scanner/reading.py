"""Reading: a definition from its TOML. Whatever is wrong is one line with file, key and what is accepted."""

import re
import sys
import tomllib
from collections.abc import Mapping, Sequence
from typing import Any, Final, NoReturn

from pipeline.codes import AssetClass
from pipeline.errors import ConfigError
from pipeline.names import did_you_mean
from pipeline.scanner.clocks import CALENDARS
from pipeline.scanner.definition import (
    OPERATORS,
    TEXT_OPERATORS,
    Definition,
    Filter,
    ListDefinition,
    NearMiss,
    RankKey,
    Schedule,
)
from pipeline.scanner.field import Fields, Measures
from pipeline.scanner.keys import ARRAYS, KEYS, REQUIRED, TABLES, WEEKDAYS, Key
from pipeline.scanner.list_lines import lines_from

_LARGEST: Final = sys.float_info.max
"""An integer may be written that no float holds."""

_CLOCK: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")
ROWS_MAX: Final = 60
"""Filters, or keys of the rank: their verdicts are remembered as bits."""

_ALWAYS: Final = "24/7"
_DEFAULTS_ALWAYS: Final[Mapping[str, Any]] = {"from": "00:00", "until": "00:00", "days": list(WEEKDAYS)}
"""Of a schedule by UTC."""


def tables_of(text: str, file: str) -> dict[str, Any]:
    """The tables of a definition's text. Raises ConfigError naming the file and the line."""
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # TOML's own errors, and integers and nesting without end
        raise ConfigError(f"{file}: {error}") from None


def definition_from(text: str, file: str, fields: Fields, *, own_text: str = "") -> Definition:
    """The scanner that a TOML text defines, `fields` being all there are. Raises ConfigError."""
    return _Reader(file, fields).definition(tables_of(text, file), text, own_text)


def list_from(text: str, file: str, list_text: str = "") -> ListDefinition:
    """The list of symbols that a TOML text defines, `list_text` being that of its `symbols_file`. Raises ConfigError."""
    tables = tables_of(text, file)
    extra = sorted(tables.keys() - {"name", "symbols", "symbols_file", "calendar", "when_dropped"})
    if extra:
        raise ConfigError(
            f"{file}: {extra[0]}: a list of symbols has name, symbols or symbols_file, calendar and when_dropped only"
        )
    top = _Reader(file, {}).table("", tables)
    calendar = CALENDARS[top["calendar"]]
    lines = lines_from(list_text, f"{file}: {top['symbols_file']}", calendar)
    symbols = tuple(dict.fromkeys([*top["symbols"], *lines.always]))
    if not symbols and not lines.by_day and not lines.stays:
        raise ConfigError(f"{file}: symbols: the list is empty")
    return ListDefinition(
        top["name"], symbols, lines.by_day, calendar, text, list_text, top["when_dropped"], lines.stays
    )


def is_list(text: str, file: str) -> bool:
    """Whether a definition is one of a list of symbols."""
    return not {"symbols", "symbols_file"}.isdisjoint(tables_of(text, file))


class _Reader:
    """Reads the tables of one file."""

    def __init__(self, file: str, fields: Fields) -> None:
        self._file = file
        self._fields = fields

    def definition(self, tables: Mapping[str, Any], text: str, own_text: str) -> Definition:
        self._refuse_unknown("", tables, [*(key.name for key in KEYS[""]), *TABLES, *ARRAYS])
        top = self.table("", {name: value for name, value in tables.items() if name not in {*TABLES, *ARRAYS}})
        classes = tuple(AssetClass[name.upper()] for name in top["asset_classes"])
        for place, name in enumerate(top["show"], 1):
            self._check_field(f"show[{place}]", name, classes)
        return Definition(
            name=top["name"],
            asset_classes=classes,
            show=tuple(dict.fromkeys(top["show"])),
            filters=tuple(self._filter(place, row, classes) for place, row in self._rows("filters", tables)),
            rank=tuple(self._rank(place, row, classes) for place, row in self._rows("rank", tables)),
            limit=top["limit"],
            retention_s=top["retention_s"],
            cool_down_s=top["cool_down_s"],
            subscriptions_max=top["subscriptions_max"],
            full_table_every_s=top["full_table_every_s"],
            schedule=self._schedule(tables.get("schedule", {})),
            near_miss=NearMiss(**self.table("near_miss", tables.get("near_miss", {}))),
            measures=self._measures(tables.get("measures", {})),
            text=text,
            when_dropped=top["when_dropped"],
            own_text=own_text,
        )

    def table(self, name: str, given: Any, **defaults: Any) -> dict[str, Any]:
        """Every key of a table with its value or its default."""
        where = f"{name}." if name and "[" not in name else f"{name}: " if name else ""
        if not isinstance(given, dict):
            self._refuse(name, "accepted is a table")
        keys = KEYS[name.partition("[")[0]]
        self._refuse_unknown(where, given, [key.name for key in keys])
        return {key.name: self._value(where, key, given, defaults.get(key.name, key.default)) for key in keys}

    def _schedule(self, given: Any) -> Schedule:
        is_always = isinstance(given, dict) and given.get("calendar") == _ALWAYS
        read = self.table("schedule", given, **(_DEFAULTS_ALWAYS if is_always else {}))
        return Schedule(
            every_s=read["every_s"],
            from_minute=_minute(read["from"]),
            until_minute=_minute(read["until"]),
            days=tuple(sorted({WEEKDAYS.index(day) for day in read["days"]})),
            calendar=CALENDARS[read["calendar"]],
            drops_at_end=read["at_end"] == "drop",
        )

    def _measures(self, given: Any) -> Measures:
        read = self.table("measures", given)
        return Measures(**{**read, "providers": tuple(read["providers"])})

    def _rows(self, name: str, tables: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
        given = tables.get(name, [])
        if not isinstance(given, list):
            self._refuse(name, f"accepted are tables: [[{name}]]")
        if len(given) > ROWS_MAX:
            self._refuse(name, f"there are {len(given)} of them; accepted are up to {ROWS_MAX}")
        return [(f"{name}[{place}]", row) for place, row in enumerate(given, 1)]

    def _filter(self, place: str, row: Any, classes: Sequence[AssetClass]) -> Filter:
        is_text = isinstance(row, dict) and row.get("op") in TEXT_OPERATORS
        texts = tuple(self._texts(f"{place}: threshold", row.get("threshold"))) if is_text else ()
        read = self.table(place, {**row, "threshold": 0.0} if is_text else row)
        field, operator = read["field"], read["op"]
        self._check_field(f"{place}: field", field, classes)
        if operator not in OPERATORS:
            self._refuse(f"{place}: op", f"{operator!r}: accepted are {' '.join(OPERATORS[:6])}, in, not in")
        if self._fields[field].is_text != is_text:
            accepted = "in and not in" if self._fields[field].is_text else " ".join(OPERATORS[:6])
            self._refuse(f"{place}: op", f"{operator!r}: for {field} accepted are {accepted}")
        keep = read["threshold"] if read["keep"] is None else read["keep"]
        if is_text and read["keep"] is not None:
            self._refuse(f"{place}: keep", "a field of text has none")
        if _is_stricter(operator, keep, read["threshold"]):
            self._refuse(f"{place}: keep", f"{keep:g} is harder to meet than the threshold, {read['threshold']:g}")
        return Filter(field, operator, read["threshold"], keep, texts, read["absent"] == "pass")

    def _rank(self, place: str, row: Any, classes: Sequence[AssetClass]) -> RankKey:
        read = self.table(place, row)
        self._check_field(f"{place}: field", read["field"], classes)
        if self._fields[read["field"]].is_text:
            self._refuse(f"{place}: field", f"{read['field']} is text: there is no order in it")
        return RankKey(read["field"], read["order"] == "ascending")

    def _check_field(self, place: str, name: str, classes: Sequence[AssetClass]) -> None:
        if name not in self._fields:
            self._refuse(place, f"{name!r} is no field{_nearest(name, self._fields)}")
        of = self._fields[name].classes
        if of and of.isdisjoint(classes):
            has, asked = (
                ", ".join(sorted(each.name.lower() for each in of)),
                ", ".join(each.name.lower() for each in classes),
            )
            self._refuse(place, f"{asked} has no {name}; instruments that do are {has}")

    def _value(self, where: str, key: Key, given: Mapping[str, Any], default: Any) -> Any:
        place = f"{where}{key.name}"
        if key.name not in given:
            if default is REQUIRED:
                self._refuse(place, f"is missing; accepted is {key.accepted}")
            return default
        value = given[key.name]
        if key.kind in ("integer", "number"):
            return self._number(place, key, value)
        if key.kind in ("texts", "choices"):
            return self._chosen(place, key, self._texts(place, value))
        if not isinstance(value, str) or (key.kind == "clock" and not _CLOCK.fullmatch(value)) or not value.strip():
            self._refuse(place, f"{value!r}: accepted is {key.accepted}")
        return self._chosen(place, key, [value])[0]

    def _number(self, place: str, key: Key, value: Any) -> float:
        is_flag = isinstance(value, bool) and not key.high  # of a filter: halted == false
        is_number = isinstance(value, int if key.kind == "integer" else (int, float)) and not isinstance(value, bool)
        if not (is_flag or is_number) or not abs(value) <= _LARGEST:
            self._refuse(place, f"{value!r}: accepted is {key.accepted if key.high else 'a number, true or false'}")
        if key.high and not key.low <= value <= key.high:
            self._refuse(place, f"{value!r}: accepted is {key.accepted}")
        return value if key.kind == "integer" else float(value)

    def _texts(self, place: str, value: Any) -> list[str]:
        if not isinstance(value, list) or not value or not all(isinstance(each, str) and each for each in value):
            self._refuse(place, f"{value!r}: accepted is a list of texts, at least one")
        return value

    def _chosen(self, place: str, key: Key, values: list[str]) -> list[str]:
        for value in values:
            if key.choices and value not in key.choices:
                self._refuse(place, f"{value!r}: accepted are {', '.join(key.choices)}{_nearest(value, key.choices)}")
        return values

    def _refuse_unknown(self, where: str, given: Mapping[str, Any], known: Sequence[str]) -> None:
        for name in given:
            if name not in known:
                self._refuse(f"{where}{name}", f"there is no such key{_nearest(name, known)}")

    def _refuse(self, place: str, what: str) -> NoReturn:
        raise ConfigError(f"{self._file}: {place}: {what}")


def _nearest(name: str, known: Any) -> str:
    return did_you_mean(name, known, cutoff=0.5) or f"; there is {', '.join(known)}"


def _minute(clock: str) -> int:
    hours, minutes = clock.split(":")
    return int(hours) * 60 + int(minutes)


def _is_stricter(operator: str, keep: float, threshold: float) -> bool:
    if operator in (">", ">="):
        return keep > threshold
    if operator in ("<", "<="):
        return keep < threshold
    return keep != threshold
