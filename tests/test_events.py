"""Events: the layouts on disk are pinned; a change of any of them needs a new version and an upcaster."""

import inspect
import json
from enum import IntEnum, IntFlag
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from pipeline import codes, scanner_codes
from pipeline.block import Block, concat
from pipeline.codes import Kind
from pipeline.errors import SchemaError
from pipeline.events import HEADER, LAYOUTS, layout_of
from pipeline.log.arrow import SCHEMAS, from_arrow, kind_of, to_arrow
from pipeline.provenance import BOTH, ROLE, Mode, Role, may_be

GOLDEN = Path(__file__).parent / "golden"


def pinned(name: str, found: object, request: pytest.FixtureRequest) -> object:
    path = GOLDEN / name
    if request.config.getoption("--rewrite"):
        path.write_text(json.dumps(found, indent=1) + "\n")
    return json.loads(path.read_text())


def test_every_layout_is_pinned(request):
    found = {
        layout.kind.name.lower(): {
            "version": layout.version,
            "fields": [[field.name, field.type, repr(field.absent)] for field in layout.fields],
        }
        for layout in LAYOUTS.values()
    }
    assert found == pinned("layouts.json", found, request)


def test_every_code_is_pinned(request):
    found = {
        name: {member.name: int(member) for member in members.__members__.values()}
        for module in (codes, scanner_codes)
        for name, members in inspect.getmembers(module, inspect.isclass)
        if issubclass(members, (IntEnum, IntFlag)) and members.__module__ == module.__name__
    }
    assert found == pinned("codes.json", found, request)


def test_every_arrow_schema_is_pinned(request):
    found = {
        kind.name.lower(): [[field.name, str(field.type), field.nullable] for field in SCHEMAS[kind]] for kind in Kind
    }
    assert found == pinned("arrow.json", found, request)


@pytest.mark.parametrize("kind", Kind)
def test_every_field_says_what_it_is_and_fits_its_codes(kind):
    for field in LAYOUTS[kind].fields:
        assert len(field.doc) > 3, field
        if field.codes:
            bounds = np.iinfo(field.type)
            assert all(bounds.min <= int(code) <= bounds.max for code in field.codes), field


@pytest.mark.parametrize("kind", Kind)
def test_every_integer_that_measures_names_its_unit(kind):
    for field in LAYOUTS[kind].fields:
        if field.name.startswith(("ts_", "price", "bid", "ask", "open", "high", "low", "close", "size", "volume")):
            assert field.name.endswith(("_ns", "_nano", "_steps", "_venue")), field.name


@pytest.mark.parametrize("kind", Kind)
def test_a_block_survives_arrow(kind):
    block = Block.of(kind, 3, seq=[4, 5, 6])
    again = from_arrow(to_arrow(block), kind_of(to_arrow(block).schema))
    assert [*map(repr, again.rows())] == [*map(repr, block.rows())]


def test_unknown_kinds_and_versions_are_refused():
    with pytest.raises(SchemaError, match="kind 99"):
        layout_of(99, 1)
    with pytest.raises(SchemaError, match="version 2"):
        layout_of(Kind.QUOTE, 2)
    with pytest.raises(SchemaError, match="not written by"):
        kind_of(pa.schema([]))
    with pytest.raises(SchemaError, match="unknown"):
        kind_of(SCHEMAS[Kind.QUOTE].with_metadata({"tape.kind": "quote", "tape.version": "9"}))


def test_an_arrow_column_of_another_type_is_refused():
    batch = to_arrow(Block.of(Kind.TIMER, 1, seq=1))
    other = batch.set_column(0, "seq", pa.array([1], pa.int32()))
    with pytest.raises(SchemaError, match="seq"):
        from_arrow(other, Kind.TIMER)
    with pytest.raises(SchemaError, match="missing"):
        from_arrow(batch.drop_columns(["ord"]), Kind.TIMER)
    nulls = batch.set_column(0, "seq", pa.array([None], pa.int64()))
    with pytest.raises(SchemaError, match="nulls"):
        from_arrow(nulls, Kind.TIMER)


def test_a_block_refuses_what_does_not_fit():
    with pytest.raises(KeyError, match="prize"):
        Block.of(Kind.QUOTE, 1, prize=1)
    with pytest.raises(ValueError, match="2 rows"):
        Block.of(Kind.QUOTE, 1, seq=[1, 2])
    with pytest.raises(OverflowError, match="ord"):
        Block.of(Kind.QUOTE, 1, ord=2**40)
    for numbers in ([2**63 + 5, 1], [2**70, 1], [0.5, 1.0], [1.0]):
        with pytest.raises(OverflowError, match="bid_size_steps"):
            Block.of(Kind.QUOTE, len(numbers), bid_size_steps=numbers)


def test_blocks_are_sliced_taken_and_joined():
    block = Block.from_rows(Kind.NOTE, [{"seq": 1, "text": "a"}, {"seq": 2, "text": "b"}, {"seq": 3, "text": "c"}])
    assert block.take(np.array([True, False, True])).text("text") == ["a", "c"]
    (joined,) = concat([block.slice(2, 3), block.slice(0, 1)])
    assert joined.text("text") == ["c", "a"]
    assert joined.number("seq").tolist() == [3, 1]


def test_every_kind_has_a_role_in_every_mode():
    assert set(ROLE) == set(Kind)
    assert all(set(row) == set(Mode) for row in [*ROLE.values(), *BOTH.values()])


def test_the_table_of_the_design_holds():
    assert may_be(Kind.BAR, Role.INPUT, Mode.IMPORT)
    assert may_be(Kind.BAR, Role.DERIVED, Mode.IMPORT)
    assert may_be(Kind.FILL, Role.INPUT, Mode.LIVE)
    assert not may_be(Kind.FILL, Role.INPUT, Mode.PAPER)
    assert not may_be(Kind.FILL, Role.INPUT, Mode.REPLAY)
    assert not may_be(Kind.QUOTE, Role.DERIVED, Mode.LIVE)
    assert not may_be(Kind.INTENT, Role.INPUT, Mode.LIVE)


def test_the_header_is_the_same_in_every_kind():
    assert all(layout.fields[: len(HEADER)] == HEADER for layout in LAYOUTS.values())
