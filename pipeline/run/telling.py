"""Telling: what a request to a live session is about, checked before it is asked: a slip of the pen must not cost a connection."""

from collections.abc import Sequence
from typing import Any

from pipeline.codes import Kind, RequestAction
from pipeline.errors import NotFoundError
from pipeline.log.manifest import Manifest
from pipeline.log.reader import LogReader
from pipeline.log.store import Store
from pipeline.run.asking import symbols_of

_ABOUT_SYMBOLS = (RequestAction.ADD_SYMBOL, RequestAction.DROP_SYMBOL)


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
    some = ", ".join(sorted(known)[:20])
    raise NotFoundError(f"{session} has no instrument {word!r}; it has {some}{' ...' if len(known) > 20 else ''}")
