"""The gate: which statements are answered, decided over what DuckDB's own parser makes of them.

`StatementType.SELECT` says nothing: `with x as (copy trades to 'file') from x` is one, and is carried out. So DuckDB gives
its tree as JSON, and every node of it must be of a kind, every relation, function and type of a name that is listed here
or in the frozen files; whatever is not listed is refused, whatever raises is refused. The text that passed is then parsed
by the same parser again, and means the same.
"""

import json
import re
from collections.abc import Mapping
from typing import Any, Final

import duckdb

from pipeline.names import did_you_mean
from pipeline.sandbox import frozen

_EXPRESSIONS: Final = frozenset(
    [
        "BETWEEN",
        "CASE",
        "CAST",
        "COLLATE",
        "COLUMN_REF",
        "COMPARISON",
        "CONJUNCTION",
        "CONSTANT",
        "FUNCTION",
        "LAMBDA",
        "OPERATOR",
        "POSITIONAL_REFERENCE",
        "STAR",
        "SUBQUERY",
        "TYPE",
        "WINDOW",
    ]
)
_QUERIES: Final = frozenset(["SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE"])
_RELATIONS: Final = frozenset(["BASE_TABLE", "EMPTY", "EXPRESSION_LIST", "JOIN", "SUBQUERY", "TABLE_FUNCTION"])
_MODIFIERS: Final = frozenset(
    [
        "DISTINCT_MODIFIER",
        "LIMIT_MODIFIER",
        "LIMIT_PERCENT_MODIFIER",
        "ORDER_MODIFIER",
        "ASCENDING",
        "DESCENDING",
        "ORDER_DEFAULT",
    ]
)
_NODES: Final = _QUERIES | _RELATIONS | _MODIFIERS
_UNNAMED: Final = (
    "node named_param_map",
    "map",
    "key value",
    "aliases materialized key_targets payload_aggregates query_node",
    "expression name",
    "kind text",
    "path",
    "then_expr when_expr",
    "catalog schema table column",
    "is_percentage method repeatable sample_rate sample_size seed",
    "is_null type value",
    "id type_info",
)
_SHAPES: Final = tuple(frozenset(keys.split()) for keys in _UNNAMED)
"""Keys of nodes that don't say what they are."""

_WORDS: Final = {
    "PARAMETER": "a parameter ($1, ?): write the value",
    "DEFAULT": "default",
    "SHOW_REF": "describe, show and summarize: the data dictionary has the columns",
    "PIVOT": "pivot and unpivot: group, or filter (where ...)",
}
_STEP: Final = re.compile(r"[a-z_][a-z0-9_]*")
_CATALOG: Final = re.compile(r"(duckdb|pg|sqlite|pragma|information)_.*")
_NAMED_STATEMENT: Final = "only select statements are accepted (select, from, with, values), none that sets, makes, loads, attaches, copies or calls"


class RefusedError(Exception):
    """A statement that is not accepted; `str()` is one line that says what is."""


class Gate:
    """Decides over statements, with a DuckDB of its own that has nothing in it."""

    def __init__(self, parser: duckdb.DuckDBPyConnection, *, chars_max: int) -> None:
        self._parser = parser
        self._chars_max = chars_max

    def check(self, sql: str) -> tuple[str, ...]:
        """The views that a statement reads, by name. Raises RefusedError, and nothing else."""
        if len(sql) > self._chars_max:
            raise RefusedError(f"the statement has {len(sql):,} characters; {self._chars_max:,} are accepted")
        try:
            return self._checked(sql)
        except RefusedError:
            raise
        except Exception as error:  # noqa: BLE001 - of what raises nobody knows what it is
            raise RefusedError(
                f"the statement can't be read ({type(error).__name__}); a plain select is accepted"
            ) from None

    def _checked(self, sql: str) -> tuple[str, ...]:
        ((text,),) = self._parser.execute("select json_serialize_sql($1)", [sql]).fetchall()
        tree = json.loads(text)
        if tree["error"]:
            reason = one_line(str(tree["error_message"]))
            raise RefusedError(_NAMED_STATEMENT if tree["error_type"] == "not implemented" else reason)
        statements = tree["statements"]
        if len(statements) != 1:
            raise RefusedError(f"one statement is answered at a time; here are {len(statements)}")
        walk = _Walk()
        walk.visit(statements[0], frozenset())
        return tuple(sorted(walk.views))


class _Walk:
    """Through one statement's tree. Raises RefusedError at what is not accepted."""

    def __init__(self) -> None:
        self.views: set[str] = set()

    def visit(self, node: Any, steps: frozenset[str]) -> None:
        """`steps`: names that the statement's own `with` gives to what is meant here."""
        if isinstance(node, list):
            for each in node:
                self.visit(each, steps)
        elif isinstance(node, dict):
            self._judge(node, steps)
            if "cte_map" in node:
                steps = self._steps(node["cte_map"], steps)
            if node.get("type") == "RECURSIVE_CTE_NODE":
                steps |= {_step(node["cte_name"])}
            for key, each in node.items():
                if key == "function" and node.get("type") == "TABLE_FUNCTION":
                    self._within_function(each, steps)
                elif key != "cte_map":
                    self.visit(each, steps)

    def _steps(self, named: Mapping[str, Any], steps: frozenset[str]) -> frozenset[str]:
        """With those of one `with`. Each sees those before it: what has its own name in it is something else."""
        self._judge(named, steps)
        for entry in named["map"]:
            self._judge(entry, steps)
            name = _step(entry["key"])
            self.visit(entry["value"], steps)
            steps |= {name}
        return steps

    def _judge(self, node: Mapping[str, Any], steps: frozenset[str]) -> None:
        """One node, without what is in it."""
        kind = node.get("class")
        if kind is not None:
            _refuse_unless(kind in _EXPRESSIONS, _WORDS.get(kind, f"{kind} where a value stands"))
            if kind in ("FUNCTION", "WINDOW"):
                _function(node, "expressions")
            elif kind == "TYPE":
                _type(node)
            return
        kind = node.get("type")
        if not isinstance(kind, str):
            _refuse_unless(any(node.keys() <= shape for shape in _SHAPES), f"{', '.join(node)[:80]} in a statement")
            return
        _refuse_unless(kind in _NODES, _WORDS.get(kind, f"{kind.removesuffix('_NODE').lower()} in a statement"))
        if kind == "BASE_TABLE":
            self._relation(node, steps)

    def _relation(self, node: Mapping[str, Any], steps: frozenset[str]) -> None:
        path = _path(node, "catalog_name", "schema_name", "table_name")
        _refuse_unless(node.get("at_clause") is None, "at (version ...)")
        if len(path) == 1 and path[0] in steps:
            return
        name = ".".join(path).removeprefix("main.")
        known = frozen.relations()
        if name not in known or len(path) > 2:
            hint = did_you_mean(name[:60], sorted(known))
            raise RefusedError(
                f"no relation {name[:60]!r} here{hint}; accepted are the answers of the data dictionary, staging.*, intermediate.*, "
                "checks.* and the steps of the statement's own with"
            )
        self.views.add(name)

    def _within_function(self, function: Mapping[str, Any], steps: frozenset[str]) -> None:
        """A function in the place of a relation: by its name another one than where a value stands."""
        _refuse_unless(function["class"] == "FUNCTION", "this in the place of a relation")
        _function(function, "tables")
        for each in function.values():
            self.visit(each, steps)


def _function(node: Mapping[str, Any], where: str) -> None:
    path = _path(node, "catalog", "schema", "function_name")
    name = path[-1]
    _refuse_unless(len(path) == 1, f"{'.'.join(path)[:60]}(...): write {name[:40]}({path[0][:20]}, ...); this")
    if name in frozen.names(f"{where}_accepted") or (where == "expressions" and name in frozen.macros()):
        return
    place = "in the place of a relation " if where == "tables" else ""
    raise RefusedError(
        f"the function {name[:60]!r} is not accepted {place}here: functions that compute are, none that read files or settings"
    )


def _type(node: Mapping[str, Any]) -> None:
    path = _path(node, "catalog", "schema", "type_name")
    _refuse_unless(len(path) == 1 and path[0] in frozen.names("types_accepted"), f"the type {'.'.join(path)[:60]!r}")


def _path(node: Mapping[str, Any], *keys: str) -> list[str]:
    """The parts of a name, in lower case as DuckDB compares them; both ways in which the tree has it must agree."""
    path = [str(node[key]).lower() for key in keys if node.get(key)]
    if "qualified_name" in node:
        told = [str(part).lower() for part in node["qualified_name"]["path"]]
        _refuse_unless(told == path, f"the name {'.'.join(told)[:60]!r}")
    _refuse_unless(bool(path), "something without a name")
    return path


def _step(name: str) -> str:
    """A name that `with` gives. One of DuckDB's own catalog would mean that one elsewhere in the statement."""
    lower = name.lower()
    is_plain = _STEP.fullmatch(lower) is not None and _CATALOG.fullmatch(lower) is None
    _refuse_unless(is_plain, f"{name[:60]!r} as the name of a step: letters, digits and _ are; this")
    return lower


def _refuse_unless(is_accepted: bool, what: str) -> None:  # noqa: FBT001 - reads as a sentence
    if not is_accepted:
        raise RefusedError(f"{one_line(what)} is not accepted here: a plain select over the answers is")


def one_line(text: str) -> str:
    """The first line of a message that has something in it, not too long."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return " ".join(lines[:1])[:400]
