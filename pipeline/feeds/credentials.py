"""Credentials: one process a key. Vendors allow one connection for each, and a second one throws the first one out."""

from pathlib import Path

from blake3 import blake3

from pipeline.errors import LockedError, OperatorError
from pipeline.log.lock import Lock


def held(folder: Path, feed: str, key_id: str) -> Lock:
    """The right to connect to a feed with a key, until `release` or the end of the process.

    `folder` must be the same for all processes of a user (the store, XDG_RUNTIME_DIR); the key's name stands in it as a
    hash. Raises OperatorError when another process holds it.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / f"{feed}-{blake3(key_id.encode()).hexdigest()[:24]}.lock"
    try:
        return Lock(path)
    except LockedError:
        holder = path.read_text("ascii", "replace").strip() or "unknown"
        raise OperatorError(
            f"{feed}: process {holder} is connected with the same key, and the vendor allows one connection; "
            f"end it, or add this feed's symbols to its session"
        ) from None
