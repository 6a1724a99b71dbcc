"""Parity: what a session decided and traded against a replay of it, or against another recording of the same day."""

import ast
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, Final

import msgspec
import numpy as np
from blake3 import blake3

from pipeline.block import Block
from pipeline.codes import FeedAction, Kind, Mark
from pipeline.errors import ConfigError
from pipeline.log.manifest import Manifest
from pipeline.log.reader import LogReader
from pipeline.log.store import CODE, Store
from pipeline.provenance import Mode
from pipeline.reports.explain_matches import Place, Wish
from pipeline.reports.explain_parity import BEGAN, CAUSES, Difference, Gap, Side, differences
from pipeline.reports.explain_revisions import Revisions, revisions
from pipeline.reports.explain_rows import Row
from pipeline.reports.explain_streams import COLUMNS, KINDS, Apart, apart, stream_of
from pipeline.reports.explain_wishes import KINDS as DECISIONS
from pipeline.reports.explain_wishes import wished, wishes_of
from pipeline.run.explaining import teller_of
from pipeline.units import ABSENT, INT64_MAX, iso_from_ns

_NOT_SETTINGS: Final = ("execution", "checkpoint_every", "outputs_max")
"""Who executes stands beside the settings, and some change no decision."""


class Parity(msgspec.Struct, frozen=True, kw_only=True):
    """Two logs beside each other."""

    a: str
    b: str
    session_a: str
    session_b: str
    wishes_a: int
    wishes_b: int
    differences: list[Difference]
    causes: dict[str, int]
    """How many differences have each cause."""
    revisions: Revisions
    """Of a: what was revised after it was acted on."""


def parity(store: Store, name: str, against: str | None = None) -> Parity:
    """Compare two logs, `against` being a run, a session or by default the newest run over the session.

    Raises NotFoundError, CorruptError, and ConfigError where nobody decided, or there is nothing to compare with.
    """
    one = _deciding(store, store.find_one(name))
    other = _beside(store, one) if against is None else _deciding(store, store.find_one(against))
    if one.id == other.id:
        raise ConfigError(f"{one.id} is compared with itself: name another run or session with --against")
    log_a, log_b = _Log(store, one), _Log(store, other)
    a, b = log_a.side(), log_b.side()
    a, b = (
        msgspec.structs.replace(side, code=code) for side, code in zip((a, b), _meant(store, one, other), strict=True)
    )
    found = differences(a, b, _comparing(log_a, log_b))
    return Parity(
        a=a.id,
        b=b.id,
        session_a=a.session,
        session_b=b.session,
        wishes_a=len(a.wishes),
        wishes_b=len(b.wishes),
        differences=found,
        causes={cause: count for cause in CAUSES if (count := sum(each.cause == cause for each in found))},
        revisions=log_a.revisions(a.wishes),
    )


def _deciding(store: Store, manifest: Manifest) -> Manifest:
    """The log itself, or the newest run over a session in which nobody decided."""
    if manifest.strategies:
        return manifest
    runs = _runs(store, manifest)
    if not runs:
        raise ConfigError(f"nobody decided anything in {manifest.id}; `tape replay` makes a run of it")
    return runs[-1]


def _beside(store: Store, manifest: Manifest) -> Manifest:
    session = store.session_of(manifest)
    names = {each.name for each in manifest.strategies}
    others = [
        run for run in _runs(store, session) if run.id != manifest.id and names & {s.name for s in run.strategies}
    ]
    if others:
        return others[-1]
    if manifest.what == "run" and session.strategies:
        return session
    raise ConfigError(f"{session.id} has no other run to compare {manifest.id} with: replay it, or say --against NAME")


def _runs(store: Store, session: Manifest) -> list[Manifest]:
    """The finished runs over a session in which strategies decided, the newest last."""
    found = [run for run in store.runs() if session.id in run.parents and run.state != "open" and run.strategies]
    return sorted(found, key=lambda run: (run.created_ns, run.id))


def _comparing(a: "_Log", b: "_Log") -> Callable[[str], Apart]:
    known: dict[str, Apart] = {}

    def apart_of(symbol: str) -> Apart:
        if symbol not in known:
            known[symbol] = apart(*(stream_of(list(log.ticks(symbol)), log.ids.get(symbol, 0)) for log in (a, b)))
        return known[symbol]

    return apart_of


def _meant(store: Store, *manifests: Manifest) -> list[dict[str, str]]:
    """Of each log the hashes of its sources; of a source that differs between them the hash of what it means."""
    named = {name for manifest in manifests for name in manifest.code}
    worded = {name for name in named if len({manifest.code.get(name) for manifest in manifests}) > 1}
    return [
        {
            name: meaning_of((store.folder(manifest.id) / CODE / name).read_text()) if name in worded else hash_
            for name, hash_ in manifest.code.items()
        }
        for manifest in manifests
    ]


def meaning_of(source: str) -> str:
    """A hash of a Python source without its comments and docstrings, which decide nothing."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)) and ast.get_docstring(
            node
        ):
            node.body = node.body[1:]
    return blake3(ast.dump(tree).encode()).hexdigest()


class _Log:
    """A run or a session, read."""

    def __init__(self, store: Store, manifest: Manifest) -> None:
        self._manifest = manifest
        self._session = store.session_of(manifest)
        self._decided = LogReader(store.folder(manifest.id))
        self._inputs = LogReader(store.folder(self._session.id))
        self._teller = teller_of(manifest, self._inputs)
        self.ids = {symbol.name: number for number, symbol in self._teller.symbols.items()}

    def side(self) -> Side:
        """What is compared of it."""
        plan: Any = self._manifest.settings.get("plan", {})
        decisions = list(self._rows(self._decided, DECISIONS, "all"))
        settings = {name: value for name, value in plan.get("settings", {}).items() if name not in _NOT_SETTINGS}
        end = self._manifest.settings.get("to_seq", self._inputs.last_seq)
        assert isinstance(end, int)
        return Side(
            id=self._manifest.id,
            session=self._session.id,
            wishes=wishes_of(decisions, self._causes(decisions), self._teller),
            gaps=list(self._gaps()),
            code=self._manifest.code,
            files={each["name"]: each["file"] for each in plan.get("strategies", ())},
            params={each["name"]: _own(each) for each in plan.get("strategies", ())},
            settings=settings | {"scanners": plan.get("scanners", ()), BEGAN: plan.get("begins_anew", False)},
            at_broker=self._manifest.mode is Mode.LIVE,
            to_seq=end,
        )

    def ticks(self, symbol: str) -> Iterator[Block]:
        """All ticks of a symbol, and of others that stand between."""
        number = self.ids.get(symbol, 0)
        for blocks in self._inputs.batches(kinds=KINDS, columns=COLUMNS):
            yield from (block.take(block.number("instrument_id") == number) for block in blocks)

    def revisions(self, wishes: list[Wish]) -> Revisions:
        """What was revised after it was acted on."""
        bars = sorted(
            [
                *self._rows(self._inputs, [Kind.BAR], "inputs"),
                *self._rows(self._decided, [Kind.BAR], "derived"),
            ],
            key=lambda row: row.place,
        )
        return revisions(bars, self._corrected(), wishes, self._teller)

    def _corrected(self) -> list[Row]:
        """Prints that cancel or correct others, and those others."""
        corrects = int(Mark.CANCEL | Mark.CORRECTION)
        meant: set[int] = set()
        for blocks in self._inputs.batches(kinds=[Kind.PRINT], columns=["marks", "corrects_trade_id"]):
            for block in blocks:
                meant |= set(block.number("corrects_trade_id")[(block.number("marks") & corrects) != 0].tolist())
        if not meant:
            return []
        numbers = np.array(sorted(meant), np.int64)
        return [
            Row(block.kind, values)
            for blocks in self._inputs.batches(kinds=[Kind.PRINT])
            for block in blocks
            for values in block.take(
                np.isin(block.number("trade_id"), numbers) | (block.number("marks") & corrects != 0)
            ).rows()
        ]

    def _causes(self, decisions: list[Row]) -> Mapping[Place, Row]:
        wanted = {row.cause for row in wished(decisions) if row.cause is not None}
        seqs = np.array(sorted({seq for seq, _ in wanted}), np.int64)
        found: dict[Place, Row] = {}
        sources = (
            (self._inputs, "inputs", frozenset(Kind)),
            (self._decided, "derived", (Kind.BAR, Kind.FILL, Kind.ORDER)),
        )
        for reader, what, kinds in sources:
            for blocks in reader.batches(kinds=kinds, what=what):  # type: ignore[arg-type]  # a Literal
                for block in blocks:
                    rows = (Row(block.kind, values) for values in block.take(np.isin(block.number("seq"), seqs)).rows())
                    found |= {row.place: row for row in rows if row.place in wanted}
        return found

    def _gaps(self) -> Iterator[Gap]:
        """Before it was recorded and behind, and what its feeds told of holes."""
        first_ns, last_ns = self._session.first_ts_ns, self._session.last_ts_ns
        yield Gap(0, first_ns, "", f"its first input is of {iso_from_ns(first_ns)}")
        yield Gap(last_ns + 1, INT64_MAX, "", f"its last input is of {iso_from_ns(last_ns)}")
        opened: dict[tuple[int, str, int], Row] = {}
        for row in self._rows(self._inputs, [Kind.FEED], "inputs"):
            values = row.values
            key = (values["source"], values["channel"], values["from_ns"])
            if values["action"] == FeedAction.GAP_OPENED and values["from_ns"] != ABSENT:
                opened[key] = row
            elif values["action"] == FeedAction.GAP_CLOSED and values["to_ns"] != ABSENT:
                opened.pop(key, None)
                yield from _holes(row, values["to_ns"])
        for row in opened.values():
            yield from _holes(row, INT64_MAX)

    def _rows(self, reader: LogReader, kinds: Collection[Kind], what: str) -> Iterator[Row]:
        """In the order of places."""
        for blocks in reader.batches(kinds=kinds, what=what):  # type: ignore[arg-type]  # a Literal
            rows = [Row(block.kind, values) for block in blocks for values in block.rows()]
            yield from sorted(rows, key=lambda row: row.place)


def _own(strategy: Mapping[str, Any]) -> dict[str, object]:
    return {**strategy["params"], "bars": list(strategy.get("bars", ())), "scanner": strategy.get("scanner", 0)}


def _holes(row: Row, to_ns: int) -> Iterator[Gap]:
    """With a channel the hole is of the symbols that the text names, in front of a colon where one says why."""
    values = row.values
    names = values["text"].partition(":")[0].split() if values["channel"] else [""]
    until = "its end" if to_ns == INT64_MAX else iso_from_ns(to_ns)
    says = f"a gap from {iso_from_ns(values['from_ns'])} to {until}, told at seq {row.place[0]:,}"
    yield from (Gap(values["from_ns"], to_ns, name, says) for name in names)
