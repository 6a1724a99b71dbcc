"""Rows of every kind, written by the real journal, and how to compare them."""

import numpy as np

from pipeline.block import Block, Blocks, concat
from pipeline.codes import Kind, Origin
from pipeline.events import LAYOUTS
from pipeline.log.frames import FrameKind
from pipeline.log.journal import Journal
from pipeline.provenance import ROLE, Mode, Role

INPUT_KINDS = [kind for kind in Kind if ROLE[kind][Mode.IMPORT] is Role.INPUT]
DERIVED_KINDS = [kind for kind in Kind if ROLE[kind][Mode.IMPORT] is Role.DERIVED] + [Kind.BAR, Kind.SESSION]
START_NS = 1_723_123_800_000_000_000


def random_block(kind: Kind, seq, ord_, seed: int) -> Block:
    """Rows with every column filled: extremes, absences and odd texts among them."""
    random = np.random.default_rng([seed, kind])
    count = len(seq)
    columns = {}
    for field in LAYOUTS[kind].payload:
        if field.type == "str":
            columns[field.name] = [random.choice(["", "AAPL", "naïve ☃", "x" * 300]) for _ in range(count)]
        elif field.type == "bytes":
            columns[field.name] = [random.bytes(int(random.integers(0, 40))) for _ in range(count)]
        elif field.type == "f8":
            columns[field.name] = random.choice([np.nan, 0.0, -0.0, np.inf, 1.5], count)
        else:
            bounds = np.iinfo(field.type)
            columns[field.name] = random.choice(np.array([bounds.min, bounds.max, 0, 7, 100], field.type), count)
    times = START_NS + np.asarray(seq) * 1_000_003
    return Block.of(
        kind,
        count,
        seq=seq,
        ord=ord_,
        ts_event_ns=times - 50_000,
        ts_recv_ns=times,
        origin=np.where(np.asarray(ord_) > 0, Origin.DERIVED, Origin.INPUT),
        **columns,
    )


def inputs(first: int, last: int, seed: int = 0) -> Blocks:
    """Inputs of this stretch of seq, spread over all kinds that can be inputs."""
    seqs = np.arange(first, last + 1)
    chosen = np.random.default_rng([seed, first]).integers(0, len(INPUT_KINDS), len(seqs))
    return [
        random_block(kind, seqs[chosen == index], np.zeros((chosen == index).sum(), "i4"), seed)
        for index, kind in enumerate(INPUT_KINDS)
        if (chosen == index).any()
    ]


def derived(first: int, last: int, seed: int = 0) -> Blocks:
    """Up to three derived rows for some of these inputs, over all kinds that can be derived."""
    random = np.random.default_rng([seed, first, 1])
    rows = [(seq, ord_) for seq in range(first, last + 1) for ord_ in range(1, int(random.integers(0, 4)) + 1)]
    kinds = random.integers(0, len(DERIVED_KINDS), len(rows))
    blocks = []
    for index, kind in enumerate(DERIVED_KINDS):
        mine = [row for row, chosen in zip(rows, kinds, strict=True) if chosen == index]
        if mine:
            blocks.append(random_block(kind, [row[0] for row in mine], [row[1] for row in mine], seed))
    return blocks


def write_steps(
    journal: Journal, count: int, *, width: int = 20, lag: int = 1, seed: int = 0, first: int = 1
) -> Blocks:
    """`count` commits of inputs, and the derived rows of each `lag` commits later; all rows written."""
    written, waiting = [], []
    for step in range(count):
        start = first + step * width
        batch = inputs(start, start + width - 1, seed)
        journal.append(FrameKind.INPUTS, batch)
        written += batch
        waiting.append(derived(start, start + width - 1, seed))
        if len(waiting) > lag:
            _append(journal, waiting.pop(0), written)
    for blocks in waiting:
        _append(journal, blocks, written)
    journal.sync()
    return written


def write_few_kinds(journal: Journal, count: int, *, is_decided: bool = True) -> Blocks:
    """`count` commits of a quote and a bar, each with a bar and an intent derived one commit later; all rows written."""
    written, waiting = [], []
    for seq in range(1, 2 * count + 1, 2):
        batch = [random_block(Kind.QUOTE, [seq], [0], 0), random_block(Kind.BAR, [seq + 1], [0], 0)]
        journal.append(FrameKind.INPUTS, batch)
        written += batch
        waiting.append(
            [random_block(Kind.BAR, [seq, seq + 1], [1, 1], 0), random_block(Kind.INTENT, [seq + 1], [2], 0)]
        )
        if len(waiting) > 1 and is_decided:
            _append(journal, waiting.pop(0), written)
    if is_decided:
        _append(journal, waiting.pop(), written)
    return written


def _append(journal: Journal, blocks: Blocks, written: Blocks) -> None:
    if blocks:
        journal.append(FrameKind.DERIVED, blocks)
        written += blocks


def rows_of(blocks: Blocks) -> dict[Kind, list[tuple]]:
    """Everything in the blocks as comparable rows, in (seq, ord) order; floats by their bits."""
    result = {}
    for block in concat(blocks):
        columns = [
            column.view("i8").tolist() if isinstance(column, np.ndarray) and column.dtype == "f8" else list(column)
            for column in block.columns.values()
        ]
        result[block.kind] = sorted(zip(*columns, strict=True), key=lambda row: row[:2])
    return {kind: rows for kind, rows in result.items() if rows}
