"""Telling: what a request to a live session is about, checked before it is asked: a slip of the pen must not cost a connection."""

from collections.abc import Sequence
from typing import Any, Final

from pipeline.codes import Kind, RequestAction
from pipeline.errors import ConfigError, NotFoundError
from pipeline.feeds.vendor import ALL
from pipeline.log.manifest import Manifest
from pipeline.log.reader import LogReader
from pipeline.log.store import Store
from pipeline.names import did_you_mean, listed
from pipeline.run.asking import symbols_of
from pipeline.run.beginning import symbol_meant
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

    Raises ConfigError for a feed it does not record and for a whole market, UnitError for a symbol that is none,
    NotFoundError for a symbol it does not record and for an instrument it never heard of.
    """
    if action in _ABOUT_SYMBOLS:
        feeds: Any = manifest.settings.get("feeds", [])
        names = [feed["name"] for feed in feeds]
        symbols = symbols_of(words, names, action.name.partition("_")[0].lower())
        if action is RequestAction.ADD_SYMBOL:
            return _added(manifest, symbols)
        recorded = _recorded(manifest, LogReader(store.folder(manifest.id)))
        return tuple(dict.fromkeys(_dropped(manifest.id, symbol, recorded, len(names)) for symbol in symbols))
    if not words:
        return ()
    known = _met(LogReader(store.folder(manifest.id)))
    return tuple(_instrument(manifest.id, word.strip(), known) for word in words)


def _added(manifest: Manifest, symbols: tuple[str, ...]) -> tuple[str, ...]:
    told: Any = manifest.settings
    has_all = any(_parted(symbol)[1] == ALL for symbol in (*told.get("symbols", ()), *told.get("watched", ())))
    if not has_all and (every := [symbol for symbol in symbols if _parted(symbol)[1] == ALL]):
        raise ConfigError(
            f"add {every[0]}: all that a feed has is asked for at the start, with `tape record --watch '*'`; name the symbols"
        )
    return symbols


def _recorded(manifest: Manifest, log: LogReader) -> list[str]:
    """What was asked for at the start, and added and not dropped since."""
    told: Any = manifest.settings.get("symbols", ())
    found: dict[str, None] = dict.fromkeys(told)
    for block in (block for batch in log.batches(kinds=[Kind.REQUEST]) for block in batch):
        for row in block.rows():
            if row["action"] == RequestAction.ADD_SYMBOL:
                found[symbol_meant(row["target"])] = None
            elif row["action"] == RequestAction.DROP_SYMBOL:
                found.pop(symbol_meant(row["target"]), None)
    return sorted(found)


def _dropped(session: str, symbol: str, recorded: Sequence[str], feed_count: int) -> str:
    """The symbol as it is recorded. With a feed in front and without one it is the same where there is one feed only."""
    feed, name = _parted(symbol)
    same = [each for each in recorded if feed_count == 1 and _parted(each)[1] == name]
    if found := next((each for each in (symbol, *same) if each in recorded), None):
        return found
    hint = did_you_mean(symbol, recorded) or (did_you_mean(name, recorded) if feed else "")
    raise NotFoundError(f"{session} does not record {symbol}; it records {listed(recorded)}{hint}")


def _parted(symbol: str) -> tuple[str, str]:
    feed, _, name = symbol.rpartition(":")
    return feed, name


def _met(log: LogReader) -> frozenset[str]:
    batches = log.batches(kinds=[Kind.INSTRUMENT], columns=["symbol"])
    return frozenset(symbol for batch in batches for block in batch for symbol in block.text("symbol"))


def _instrument(session: str, word: str, known: frozenset[str]) -> str:
    for symbol in (word, word.upper()):
        if symbol in known:
            return symbol
    hint = did_you_mean(word, known)
    raise NotFoundError(f"{session} has no instrument {word!r}; it has {listed(sorted(known))}{hint}")
