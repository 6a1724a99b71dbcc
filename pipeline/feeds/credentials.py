"""Credentials: one process a key. Vendors allow one connection for each, and a second one throws the first one out."""

from pathlib import Path
from typing import Final

from blake3 import blake3

from pipeline.errors import LockedError, OperatorError
from pipeline.log.lock import Lock

_PURPOSE: Final = "tapeworks: one process a credential of a feed"
_DIGITS: Final = 12
"""Few enough that what lies in the folder fits millions of keys, and so proves none."""


def held(folder: Path, feed: str, key: str) -> Lock:
    """The right to connect to a feed with a key, until `release` or the end of the process.

    `folder` must be the same for all processes of a user. What stands in it is a short hash of the key that serves nothing
    else. Raises OperatorError when another process holds it.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / f"{feed}-{blake3(key.encode(), derive_key_context=_PURPOSE).hexdigest()[:_DIGITS]}.lock"
    try:
        return Lock(path)
    except LockedError:
        holder = path.read_text("ascii", "replace").strip() or "unknown"
        raise OperatorError(
            f"{feed}: process {holder} is connected with the same key, and the vendor allows one connection; "
            f"end it, or add this feed's symbols to its session"
        ) from None
