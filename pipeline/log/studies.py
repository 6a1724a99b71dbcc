"""Studies: what a search for parameters asked, and its trials, batch by batch.

    studies/<id>/study.json         what was asked, proved by the hash in front of it
    studies/<id>/batch-000001.json    trials, a batch a file, each proved likewise
    studies/<id>/lock               held by the one process that adds batches

The id is made of all that trials follow from, by content; how many are wanted is no part of it, so a longer search goes on behind a
shorter one. A batch is published whole, once all its cells are run; these lie in the store as rows of a backtest.
"""

import contextlib
import shutil
from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec

from pipeline.errors import CorruptError, NotFoundError
from pipeline.log import proved
from pipeline.log.backtests import TradeSums, Value
from pipeline.log.disk import Disk, Held, publish
from pipeline.log.lock import FILE_NAME as LOCK
from pipeline.log.store import Store, checked_id
from pipeline.names import did_you_mean, listed

FOLDER: Final = "studies"
ASKED: Final = "study.json"
BATCH: Final = "batch-*.json"


class Study(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What was asked."""

    id: str
    created_ns: int
    strategies: tuple[str, ...]
    params: dict[str, Value]
    """Those that are the same in all trials."""
    axes: dict[str, tuple[Value, ...]]
    sessions: tuple[str, ...]
    settings: dict[str, Any]
    code_hash: str
    objective: str
    trades_min: int
    seed: int
    batch: int
    """Trials that are asked for at once, none knowing of the others."""
    sampler: str
    """What suggests them, with its version."""


class Trial(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A set of parameters and what it came to over all sessions. Money in 1e-9 of the quote currency, but for the fall."""

    number: int
    """From 1; the same set may be tried under several numbers, and is run once."""
    params: dict[str, Value]
    point: tuple[int, ...]
    """The place of each value on its axis, from 0."""
    value: float | None
    """Of the objective; None when it is no candidate."""
    sessions: int
    net_profit_nano: int
    trade_sums: TradeSums
    max_drawdown: float
    stopped: int


class Batch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Trials that were asked for at once."""

    number: int
    """From 1."""
    backtest: str
    """Whose rows they are made of."""
    trials: tuple[Trial, ...]


class Trials:
    """The trials of one study."""

    def __init__(self, store: Store, id_: str) -> None:
        """Raises ConfigError for what is no id."""
        self.folder: Final = store.home / FOLDER / checked_id(id_)
        self._disk: Disk = store.disk

    def asked(self) -> Study:
        """What was asked. Raises NotFoundError, CorruptError."""
        try:
            return proved.read(self.folder / ASKED, Study)
        except FileNotFoundError:
            raise NotFoundError(f"{self.folder.name}: no such study") from None

    def begin(self, asked: Study) -> None:
        """Write what was asked, unless it stands there already. Raises OSError."""
        proved.write_first(self._disk, self.folder, ASKED, asked)

    def batches(self) -> list[Batch]:
        """All that are done, in order. Raises CorruptError, also when one between them is missing, and NotFoundError when it is deleted meanwhile."""
        try:
            found = [proved.read(path, Batch) for path in sorted(self.folder.glob(BATCH))]
        except FileNotFoundError:
            self.asked()
            raise
        for place, batch in enumerate(found, 1):
            if batch.number != place:
                self.asked()
                raise CorruptError(self.folder / _name(place), 0, "the file is missing")
        return found

    def add(self, batch: Batch) -> None:
        """Publish a batch, whole and durable when this returns. Raises OSError."""
        publish(self._disk, self.folder / _name(batch.number), proved.encoded(batch))

    def hold(self) -> Held:
        """Become the one process that adds batches. Raises LockedError naming the process that is."""
        return self._disk.lock(self.folder / LOCK)

    def delete(self) -> None:
        """Take it away, what was asked first: without it there is none. Raises LockedError, NotFoundError."""
        self.asked()
        held = self.hold()
        try:
            self._disk.unlink(self.folder / ASKED)
            shutil.rmtree(self.folder)
        finally:
            held.release()


def studies(store: Store) -> list[Study]:
    """What was asked so far, oldest first. Raises CorruptError."""
    found = []
    for path in (store.home / FOLDER).glob(f"[!.]*/{ASKED}"):
        with contextlib.suppress(NotFoundError):  # another command deletes it
            found.append(Trials(store, path.parent.name).asked())
    return sorted(found, key=lambda asked: (asked.created_ns, asked.id))


def batches_by_study(store: Store, *, of: Iterable[Study] | None = None) -> Iterator[tuple[Study, list[Batch]]]:
    """Each of them, or of these, with its batches; what is deleted meanwhile is left out. Raises CorruptError."""
    for asked in studies(store) if of is None else of:
        trials = Trials(store, asked.id)
        try:
            batches = trials.batches()
            trials.asked()  # of one that is gone whole there are none
        except NotFoundError:  # another command deletes it
            continue
        yield asked, batches


def find_study(store: Store, text: str) -> Study:
    """The study of this id, the one whose id begins so, or the last one. Raises NotFoundError."""
    among = studies(store)
    found = among[-1:] if text == "last" else [asked for asked in among if asked.id.startswith(text)]
    exact = [asked for asked in found if asked.id == text] or found
    if len(exact) != 1:
        names = [asked.id for asked in among]
        raise NotFoundError(
            f"{text!r} names {len(exact)} studies; there is {listed(names[::-1])}{did_you_mean(text, names)}"
        )
    return exact[0]


def damage(store: Store) -> list[CorruptError]:
    """Every file of every study whose bytes are not those that were written, or that is missing."""
    found = []
    for folder in sorted((store.home / FOLDER).glob("[!.]*")):
        trials = Trials(store, folder.name)
        for reading in (trials.asked, trials.batches):
            try:
                reading()
            except CorruptError as error:
                found.append(error)
            except NotFoundError:
                if any(folder.glob(BATCH)):
                    found.append(CorruptError(folder / ASKED, 0, "the file is missing"))
                break
    return found


def _name(number: int) -> str:
    return BATCH.replace("*", f"{number:06d}")
