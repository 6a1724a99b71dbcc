"""The views as files: their names, what each stands on, and which of them a query names.

A folder is a schema, but for the marts, which stand where a bare name looks first: so `show tables` lists answers, and
what is beneath them is reached by its full name, `staging.stg_quotes`.
"""

import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

FOLDER: Final = Path(__file__).resolve().parent
LAYERS: Final = {"staging": "staging", "intermediate": "intermediate", "marts": "main", "checks": "checks"}
"""The folders, in the order in which they build on each other, and the schema of each."""

MACROS: Final = (FOLDER / "macros.sql").read_text()

_CATALOG: Final = re.compile(
    r"\b(show|pragma\w*|information_schema|pg_catalog|sqlite_master|duckdb_\w+)\b", re.IGNORECASE
)
_READ: Final = re.compile(r"\b((?:log|staging|intermediate|checks)\.\w+)|\b(?:from|join)\s+(\w+)\b(?!\.)")
_STEP: Final = re.compile(r"^(?:with )?(\w+) as (?:materialized )?\($", re.MULTILINE)
_REMARK: Final = re.compile(r"--.*")
_KEPT: Final = re.compile(r"^-- kept: per (log|session)$", re.MULTILINE)


class View(NamedTuple):
    """One file."""

    name: str
    """Schema and file name; a mart's file name alone."""
    select: str

    @property
    def grain(self) -> str:
        """What a row is."""
        return self.select.partition("\n")[0].removeprefix("-- grain: ")

    @property
    def kept(self) -> str:
        """`log` or `session` when its rows are worked out for each of them alone and kept; else empty."""
        found = _KEPT.search(self.select)
        return found[1] if found else ""


@cache
def views() -> tuple[View, ...]:
    """Every view, by layer and name; `closure` puts them in the order in which they build on each other."""
    return tuple(
        View(path.stem if schema == "main" else f"{schema}.{path.stem}", path.read_text())
        for layer, schema in LAYERS.items()
        for path in sorted((FOLDER / layer).glob("*.sql"))
    )


def marts() -> list[View]:
    """The views that answer."""
    return [view for view in views() if "." not in view.name]


def checks() -> list[View]:
    """The views that find what must not be: each gives offenders, and is empty when all is well."""
    return [view for view in views() if view.name.startswith("checks.")]


def named_in(query: str) -> list[View]:
    """The views whose names stand in a query; all of them when none does, or when it asks which views there are.

    A check's name is a word of everyday, cash, so that it counts with its schema in front of it only.
    """
    words = set(re.findall(r"\w+", query.lower())) | set(re.findall(r"checks\.\w+", query.lower()))
    found = [
        view
        for view in views()
        if words & {view.name, view.name.removeprefix("staging.").removeprefix("intermediate.")}
    ]
    return found if found and not _CATALOG.search(query) else list(views())


def closure(of: Iterable[View], *, through_kept: bool = False) -> tuple[list[View], set[str]]:
    """These views with all that they stand on, each after these, and the relations of the log beneath.

    A kept one stands on nothing, for its rows are worked out elsewhere, unless one goes through it.
    """
    by_name = {view.name: view for view in views()}
    seen, relations = set[str](), set[str]()
    ordered: list[View] = []

    def reach(text: str) -> None:
        steps = set(_STEP.findall(text))  # a step may have the name of a view, and means itself
        for beneath, mart in _READ.findall(_REMARK.sub("", text)):
            name = beneath or (mart if mart not in steps else "")
            if name.startswith("log."):
                relations.add(name)
            elif name in by_name and name not in seen:
                seen.add(name)
                if through_kept or not by_name[name].kept:
                    reach(by_name[name].select)
                ordered.append(by_name[name])

    reach("\n".join([MACROS, *(f"from {view.name}" for view in of)]))
    return ordered, relations
