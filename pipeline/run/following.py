"""Following: strategies that hear what scanners pick. All are folds over the same inputs; the scanners' come first at each of them."""

import struct
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np
from blake3 import blake3

from pipeline.block import Blocks, between, concat, row_count
from pipeline.core.chunk import first_seq
from pipeline.core.engine import Engine
from pipeline.core.hashing import DecisionsHash
from pipeline.errors import ConfigError
from pipeline.run.loading import module_of
from pipeline.scanner.clocks import EVERY_WEEKDAY, SpecialDays
from pipeline.scanner.field import Field, FieldWords, words_of
from pipeline.scanner.fields import FIELDS, with_own
from pipeline.scanner.fold import FieldScanner
from pipeline.scanner.lists import ListScanner
from pipeline.scanner.reading import definition_from, is_list, list_from

if TYPE_CHECKING:
    from pipeline.kernel.engine import CompiledEngine

_LENGTH: Final = struct.Struct("<Q")


class ScannerPlan(msgspec.Struct, frozen=True):
    """A scanner to run: its definition, the list that stands beside it, the code of its own fields, all as texts.

    With the days that are not like others. So a log that keeps the plan keeps whatever decides what the scanner finds, but for the code of Tapeworks.
    """

    file: str
    text: str
    list_text: str = ""
    fields_file: str = ""
    fields_text: str = ""
    fields_words: tuple[FieldWords, ...] = ()
    """Of the fields in that text, for readers that run nobody's code."""
    days: SpecialDays = EVERY_WEEKDAY
    """When American shares don't trade, or close early, as it was known when the session was begun."""


def scanner_of(plan: ScannerPlan, scanner_id: int = 1) -> FieldScanner | ListScanner:
    """The scanner, by its place in the plan's list, from 1. Raises ConfigError naming file, key and what is accepted, StrategyError for a line of its own fields that fails."""
    if is_list(plan.text, plan.file):
        return ListScanner(list_from(plan.text, plan.file, plan.list_text), scanner_id)
    fields = FIELDS
    if plan.fields_file:
        fields = with_own(fields_in(module_of(Path(plan.fields_file), plan.fields_text.encode())), plan.fields_file)
    definition = definition_from(plan.text, plan.file, fields, own_text=plan.fields_text)
    return FieldScanner(definition, fields, scanner_id, plan.days)


def plan_behind(scanner: FieldScanner | ListScanner) -> ScannerPlan:
    """The plan that makes this scanner again."""
    definition = scanner.definition
    file = f"{definition.name}.toml"
    if isinstance(scanner, ListScanner):
        return ScannerPlan(file, definition.text, scanner.definition.list_text)
    own = scanner.definition.own_text
    words = tuple(words_of(field) for name, field in scanner.fields.items() if name not in FIELDS)
    return ScannerPlan(file, definition.text, "", "own.py" if own else "", own, words, scanner.special)


def fields_in(module: ModuleType) -> tuple[Field, ...]:
    """The `FIELDS` of a module. Raises ConfigError when it has none."""
    found = getattr(module, "FIELDS", None)
    if not isinstance(found, tuple) or not all(isinstance(each, Field) for each in found) or not found:
        raise ConfigError(f"{module.__file__}: a file of fields ends in `FIELDS = (my_field,)`; this one has none")
    return found


class Scanning:
    """A scanner alone, with nobody who hears it: what a scan is kept as."""

    def __init__(self, scanner: FieldScanner | ListScanner) -> None:
        self._scanner = scanner
        self._decisions = DecisionsHash()

    def reduce(self, batch: Blocks) -> Blocks:
        """What the scanner writes of exactly these inputs."""
        made = self._scanner.update(batch)
        self._decisions.update(made)
        return made

    def state_hash(self) -> bytes:
        """32 bytes over what it remembers."""
        return self._scanner.digest()

    def decisions_hash(self) -> bytes:
        """32 bytes over what it wrote."""
        return self._decisions.digest()


class Following:
    """An engine, or what is as good, behind scanners."""

    def __init__(self, engine: "Engine | CompiledEngine", scanners: Sequence[FieldScanner | ListScanner]) -> None:
        self.engine = engine
        self.scanners = scanners

    def reduce(self, batch: Blocks) -> Blocks:
        """The derived rows of exactly these inputs: behind each input at which scanners spoke, what they said and what follows."""
        batch = [block for block in batch if len(block)]
        if not batch:
            return []
        start = first_seq(batch)
        end = start + row_count(batch)
        made = [said for scanner in self.scanners if (said := scanner.update(batch))]
        derived: Blocks = []
        for seq in sorted({seq for said in made for block in said for seq in np.unique(block.number("seq")).tolist()}):
            derived += self.engine.reduce(between(batch, start, seq + 1))
            derived += self.engine.decide(_one_after_another([between(said, seq, seq + 1) for said in made]))
            start = seq + 1
        if start < end:
            derived += self.engine.reduce(between(batch, start, end))
        return concat(derived)

    def state_hash(self) -> bytes:
        """32 bytes over what all of them remember."""
        digests = [blake3(scanner.freeze()).digest() for scanner in self.scanners]
        return bytes(blake3(b"".join([self.engine.state_hash(), *digests])).digest())

    def freeze(self, engine: bytes) -> bytes:
        """The engine's bytes with the scanners' behind them."""
        parts = [engine, *(scanner.freeze() for scanner in self.scanners)]
        return b"".join(_LENGTH.pack(len(part)) + part for part in parts)

    def thaw(self, state: bytes) -> bytes:
        """Remember what the scanners remembered; the engine's bytes. Raises ValueError for those of other scanners."""
        engine, *rest = _parts(state)
        for scanner, part in zip(self.scanners, rest, strict=True):
            scanner.thaw(part)
        return engine


def engine_of(state: bytes) -> bytes:
    """The engine's bytes out of those that `Following.freeze` made."""
    return _parts(state)[0]


def with_engine(state: bytes, engine: bytes) -> bytes:
    """The same with another engine's bytes."""
    return b"".join(_LENGTH.pack(len(part)) + part for part in (engine, *_parts(state)[1:]))


def _one_after_another(said: Sequence[Blocks]) -> Blocks:
    """What several scanners said at one input, numbered on from one to the next."""
    made: Blocks = []
    behind = 0
    for blocks in said:
        made += [block.with_columns(ord=(block.number("ord") + behind).astype(np.int32)) for block in blocks]
        behind += row_count(blocks)
    return concat(made) if len(said) > 1 else made


def _parts(state: bytes) -> list[bytes]:
    """The pieces of `freeze`."""
    parts, at = [], 0
    while at < len(state):
        (length,) = _LENGTH.unpack_from(state, at)
        at += _LENGTH.size + length
        parts.append(state[at - length : at])
    return parts
