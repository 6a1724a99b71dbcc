"""Frozen: what a scanner remembers as bytes, to be kept, hashed, or handed to another process, and back.

one line of JSON: version, hash of the definition, each part's values, type and shape of each array
the arrays, one behind the other; NaN in its one bit pattern
"""

import json
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from blake3 import blake3

from pipeline.block import Block, Blocks
from pipeline.codes import Kind

VERSION: Final = 1
_PENDING: Final = "pending"

Parts = Mapping[str, Mapping[str, Any]]
"""By part and name: arrays, and what JSON can say."""


def freeze(definition_hash: str, parts: Parts, pending: Blocks) -> bytes:
    """The parts, and the rows that wait for the end of their segment, as bytes."""
    waiting = {f"{_PENDING} {place} {int(block.kind)}": block.columns for place, block in enumerate(pending)}
    said: dict[str, dict[str, Any]] = {}
    arrays: list[bytes] = []
    for part, members in {**parts, **waiting}.items():
        said[part] = {}
        for name, value in members.items():
            if isinstance(value, np.ndarray):
                arrays.append(_canonical(value).tobytes())
                said[part][name] = {
                    "type": value.dtype.descr if value.dtype.names else value.dtype.str,
                    "shape": value.shape,
                }
            else:
                said[part][name] = [value]
    head = {"version": VERSION, "definition": definition_hash, "parts": said}
    return b"".join([json.dumps(head).encode(), b"\n", *arrays])


def thaw(definition_hash: str, content: bytes) -> tuple[dict[str, dict[str, Any]], Blocks]:
    """The parts and the rows that wait. Raises ValueError for another version or definition."""
    line, _, rest = content.partition(b"\n")
    head = json.loads(line)
    if (head["version"], head["definition"]) != (VERSION, definition_hash):
        raise ValueError(
            f"a state of version {head['version']} of scanner {head['definition'][:12]}: this is {definition_hash[:12]}"
        )
    parts: dict[str, dict[str, Any]] = {}
    start = 0
    for part, members in head["parts"].items():
        parts[part] = {}
        for name, said in members.items():
            if isinstance(said, list):
                parts[part][name] = said[0]
                continue
            type_ = np.dtype([tuple(each) for each in said["type"]] if isinstance(said["type"], list) else said["type"])
            count = int(np.prod(said["shape"]))
            array = np.frombuffer(rest, type_, count, start) if count else np.zeros(0, type_)
            parts[part][name] = array.reshape(said["shape"]).copy()
            start += array.nbytes
    pending = [
        Block(Kind(int(part.split()[2])), parts.pop(part)) for part in list(parts) if part.split()[0] == _PENDING
    ]
    return parts, pending


def digest_of(frozen: bytes) -> bytes:
    """32 bytes."""
    return bytes(blake3(frozen).digest())


def _canonical(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    if array.dtype.kind == "f":
        return np.where(np.isnan(array), np.nan, array).astype(array.dtype)
    if array.dtype.names:
        array = array.copy()
        for name in array.dtype.names:
            array[name] = _canonical(array[name])
    return array
