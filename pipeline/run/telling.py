"""Telling: what a request to a live session is about, checked before it is asked: a slip of the pen must not cost a connection."""

from collections.abc import Sequence
from typing import Any, Final

from pipeline.codes import Kind, RequestAction
from pipeline.errors import NotFoundError
from pipeline.log.manifest import Manifest
from pipeline.log.reader import LogReader
from pipeline.log.store import Store
from pipeline.names import did_you_mean, listed
from pipeline.run.asking import symbols_of
from pipeline.run.control import listening_since

LAST: Final = "last"
"""To a recording: the one that was started last, whatever its market time. A served day lies in the past."""

_ABOUT_SYMBOLS = (RequestAction.ADD_SYMBOL, RequestAction.DROP_SYMBOL)


def recorded_last(store: Store) -> Manifest | None:
    """The session that is being recorded, the one started most lately when there are several; None when there is none."""
    since = {
        manifest.id: (started_ns, manifest)
        for manifest in store.sessions()
        if manifest.state == "open" and (started_ns := listening_since(store.folder(manifest.id))) is not None
    }
    return max(since.values(), key=lambda each: (each[0], each[1].id))[1] if since else None


def spoken_to(store: Store, name: str) -> Manifest:
    """Whom a request is meant for: as `Store.find_one`, but `last` is being recorded. Raises NotFoundError when nothing is."""
    if name.strip() != LAST:
        return store.find_one(name)
    found = recorded_last(store)
    if found is None:
        raise NotFoundError(f"{LAST!r}: nothing is being recorded in {store.home}, so nobody can be told")
    return found


def targets_of(store: Store, manifest: Manifest, action: RequestAction, words: Sequence[str]) -> tuple[str, ...]:
    """What the words mean to the session: symbols of its feeds to add or drop, instruments that it has met to flatten.

    Raises ConfigError for a feed it does not record, UnitError for a symbol that is none, NotFoundError for an instrument
    it never heard of.
    """
    if action in _ABOUT_SYMBOLS:
        feeds: Any = manifest.settings.get("feeds", [])
        return symbols_of(words, [feed["name"] for feed in feeds], action.name.partition("_")[0].lower())
    if not words:
        return ()
    known = _met(LogReader(store.folder(manifest.id)))
    return tuple(_instrument(manifest.id, word.strip(), known) for word in words)


def _met(log: LogReader) -> frozenset[str]:
    batches = log.batches(kinds=[Kind.INSTRUMENT], columns=["symbol"])
    return frozenset(symbol for batch in batches for block in batch for symbol in block.text("symbol"))


def _instrument(session: str, word: str, known: frozenset[str]) -> str:
    for symbol in (word, word.upper()):
        if symbol in known:
            return symbol
    hint = did_you_mean(word, known)
    raise NotFoundError(f"{session} has no instrument {word!r}; it has {listed(sorted(known))}{hint}")
