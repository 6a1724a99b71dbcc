"""Any sources, cut into any chunks, come out as one order."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.block import Block
from pipeline.codes import Kind
from pipeline.log.merge import ENDLESS, Chunk, windows

KINDS = (Kind.BAR, Kind.FILL, Kind.TIMER)


@st.composite
def sources(draw):
    """Rows (seq, ord) of three kinds spread over sources, each in order and cut into chunks that say how far they reach."""
    places = sorted(draw(st.sets(st.tuples(st.integers(1, 60), st.integers(0, 3)), max_size=80)))
    owners = draw(st.lists(st.integers(0, 3), min_size=len(places), max_size=len(places)))
    kinds = draw(st.lists(st.sampled_from(KINDS), min_size=len(places), max_size=len(places)))
    made = []
    for owner in range(4):
        mine = [(place, kind) for place, kind, by in zip(places, kinds, owners, strict=True) if by == owner]
        cuts = sorted(draw(st.lists(st.integers(0, len(mine)), max_size=4)))
        edges = [0, *cuts, len(mine)]
        made.append([mine[start:stop] for start, stop in pairwise(edges)])
    return places, kinds, made


def chunks(pieces):
    for number, piece in enumerate(pieces):
        following = [place[0] for later in pieces[number + 1 :] for place, _ in later]
        through = min(following) - 1 if following else ENDLESS
        blocks = [
            Block.of(kind, len(rows), seq=[seq for seq, _ in rows], ord=[ord_ for _, ord_ in rows])
            for kind in KINDS
            if (rows := [place for place, found in piece if found is kind])
        ]
        yield Chunk(blocks, through)


@given(sources(), st.integers(1, 70), st.integers(1, 30), st.integers(0, 70))
def test_windows_hold_each_row_once_and_in_order(made, first, width, length):
    places, kinds, pieces = made
    last = first + length
    found = []
    before = first - 1
    for window in windows([chunks(source) for source in pieces], first, last, width):
        assert before < window.first_seq <= window.last_seq <= last
        assert window.last_seq - window.first_seq < width
        before = window.last_seq
        assert [block.kind for block in window.blocks] == sorted({block.kind for block in window.blocks})
        for block in window.blocks:
            rows = list(zip(block.number("seq").tolist(), block.number("ord").tolist(), strict=True))
            assert rows == sorted(rows)
            assert all(window.first_seq <= seq <= window.last_seq for seq, _ in rows)
            found += [(place, block.kind) for place in rows]
    expected = [(place, kind) for place, kind in zip(places, kinds, strict=True) if first <= place[0] <= last]
    assert sorted(found) == sorted(expected)


def test_no_sources_no_windows():
    assert list(windows([], 1, 10, 5)) == []
    empty = Block.of(Kind.TIMER, 0)
    assert list(windows([iter([Chunk([empty], ENDLESS)])], 1, 10, 5)) == []
    assert np.array_equal(empty.number("seq"), [])
