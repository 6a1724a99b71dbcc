"""Hashes: one number for all decisions, the same however the inputs were batched.

For each kind a running blake3 over its rows in order, each row its numbers packed little endian in the order
of the layout, then its texts, each behind its length in four bytes; the kinds' digests are combined in order of kind.
Checkpoints are no decisions and stay out, so that the hash does not depend on how often they are made.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
from blake3 import blake3

from pipeline.block import Block
from pipeline.codes import Kind
from pipeline.core.tape import TEXT_LENGTH_SIZE
from pipeline.events import LAYOUTS


class DecisionsHash:
    """Folds derived blocks; any reader of a log can do the same."""

    def __init__(self) -> None:
        self._hashers: dict[Kind, Any] = {}

    def update(self, blocks: Iterable[Block]) -> None:
        """Take in the next rows of each kind."""
        for block in blocks:
            if block.kind != Kind.CHECKPOINT and len(block):
                self._hashers.setdefault(block.kind, blake3()).update(packed_rows(block))

    def take(self, kind: Kind, packed: Any) -> None:
        """Take in the next rows of a kind as bytes of `packed_rows`' form."""
        if kind != Kind.CHECKPOINT:
            self._hashers.setdefault(kind, blake3()).update(packed)

    def digest(self) -> bytes:
        """32 bytes for all rows so far."""
        combined = blake3()
        for kind in sorted(self._hashers):
            combined.update(bytes([kind]) + self._hashers[kind].digest())
        return bytes(combined.digest())


def packed_rows(block: Block) -> bytes:
    """The rows one after the other: packed numbers with NaN in its one bit pattern, then length-prefixed texts."""
    fields = LAYOUTS[block.kind].fields
    fixed = [field for field in fields if field.is_fixed]
    texts = [block.columns[field.name] for field in fields if not field.is_fixed]
    is_wordless = not any(any(column) for column in texts)
    no_texts = f"V{len(texts) * len(_prefixed(''))}"  # every text empty: only lengths of zero
    layout = [(field.name, "<" + field.type) for field in fixed] + ([("", no_texts)] if texts and is_wordless else [])
    table = np.zeros(len(block), layout)
    for field in fixed:
        column = block.number(field.name)
        table[field.name] = np.where(np.isnan(column), np.nan, column) if field.type == "f8" else column
    if is_wordless:
        return table.tobytes()
    numbers, size = table.tobytes(), table.dtype.itemsize
    return b"".join(
        numbers[i * size : (i + 1) * size] + b"".join(_prefixed(column[i]) for column in texts)
        for i in range(len(block))
    )


def _prefixed(text: str | bytes) -> bytes:
    encoded = text.encode() if isinstance(text, str) else text
    return len(encoded).to_bytes(TEXT_LENGTH_SIZE, "little") + encoded
