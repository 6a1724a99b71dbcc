"""The logs that an answer is over: those that were named, and what they bring along."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from pipeline.log.manifest import Manifest
from pipeline.log.reader import LogReader
from pipeline.log.store import Store
from warehouse.reading import PLAIN, Reading


@dataclass(frozen=True)
class Logs:
    """Sessions and runs of a store, as they are when their readers are first asked for."""

    store: Store
    manifests: tuple[Manifest, ...]
    brought: frozenset[str] = frozenset()
    """Sessions that only their runs brought along: of these there are the inputs alone."""
    is_whole: bool = False
    """All logs are read, so that what is left of deleted sessions belongs to the answer as well."""
    reading: Reading = PLAIN

    @cached_property
    def readers(self) -> list[LogReader]:
        """A reader each. Raises CorruptError for a damaged log."""
        return [LogReader(self.store.folder(manifest.id)) for manifest in self.manifests]


def chosen(store: Store, names: Sequence[str]) -> Logs:
    """The logs named, and with a session its runs, with a run its session: neither says much alone.

    Raises NotFoundError for a name that names nothing.
    """
    everything = {manifest.id: manifest for manifest in [*store.sessions(), *store.runs()]}
    if tuple(names) == ("all",):
        for error in store.unreadable().values():
            raise error  # an answer that silently leaves a damaged log out would be wrong; name the others to go on
        finished = [manifest for manifest in everything.values() if not _is_unfinished(manifest)]
        return Logs(store, tuple(finished), is_whole=True)
    named = {manifest.id for name in names for manifest in store.find(name)}
    parents = {parent for id_ in named for parent in everything[id_].parents}
    runs = {
        id_ for id_, manifest in everything.items() if set(manifest.parents) & named and not _is_unfinished(manifest)
    }
    found = [manifest for id_, manifest in everything.items() if id_ in named | parents | runs]
    return Logs(store, tuple(found), frozenset(parents - named))


def session_and_run(manifest: Manifest) -> tuple[str, str | None]:
    """The session that `seq` points into, and the run when it is one."""
    return (manifest.parents[0], manifest.id) if manifest.what == "run" else (manifest.id, None)


def _is_unfinished(manifest: Manifest) -> bool:
    """A run that is being made, or was killed: half of its fills are no answer."""
    return manifest.what == "run" and manifest.state == "open"
