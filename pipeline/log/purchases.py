"""Purchases: what was bought of a vendor's history, and what it cost, so that nothing is paid twice.

    fetched/<name>.json               one order: what was asked, every time it was paid for, what came
    fetched/<name>-1.dbn.zst ...      its files, each proved by the hash that the order keeps of it
    fetched/<name>-2-coming.dbn.zst   what is being downloaded to be its second file, or was when the process died
    fetched/<name>-2-unreadable.dbn.zst   what came in its place and is no DBN
    fetched/lock                      held by the one process that buys

An order is written before the vendor is asked, with its cost: after any crash the ledger may say that more was paid than
was, never less. A download that was cut keeps what came whole, and the rest alone is asked and paid for again.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec
from blake3 import blake3

from pipeline.errors import CorruptError
from pipeline.log import proved
from pipeline.log.disk import Disk, Held, publish
from pipeline.log.lock import FILE_NAME as LOCK
from pipeline.log.parquet import file_hash
from pipeline.log.store import Store
from pipeline.units import NANO

FOLDER: Final = "fetched"
_HASH_CHARS: Final = 12


class Order(msgspec.Struct, frozen=True, order=True):
    """What a vendor is asked for: one schema of some symbols, from a moment until another, exclusive; UTC nanoseconds."""

    dataset: str
    schema: str
    symbols: tuple[str, ...]
    from_ns: int
    until_ns: int

    @property
    def name(self) -> str:
        """Of its files: the day it begins on, what it is, and a hash of all of it."""
        day = f"{datetime.fromtimestamp(self.from_ns // NANO, UTC):%Y-%m-%d}"
        digest = blake3(msgspec.json.encode(self, order="deterministic")).hexdigest()[:_HASH_CHARS]
        return f"{day}-{self.dataset.lower()}-{self.schema}-{digest}"


class Spent(msgspec.Struct, frozen=True):
    """One question that was paid for, or may have been: when, from which moment on, the vendor's price in 1e-9 USD."""

    asked_ns: int
    from_ns: int
    cost_nano: int


class Piece(msgspec.Struct, frozen=True):
    """A file that came: all records until a moment, exclusive."""

    file: str
    size: int
    blake3: str
    records: int
    until_ns: int


class Purchase(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An order and what became of it."""

    order: Order
    promised: int = 0
    """How many records the vendor said there are, before the first was asked for."""
    is_done: bool = False
    spent: tuple[Spent, ...] = ()
    pieces: tuple[Piece, ...] = ()
    conditions: dict[str, str] = {}
    """By day: what the vendor says of its data where that is not `available`."""
    warnings: tuple[str, ...] = ()

    @property
    def rest(self) -> Order:
        """What is still to come."""
        from_ns = self.pieces[-1].until_ns if self.pieces else self.order.from_ns
        return msgspec.structs.replace(self.order, from_ns=from_ns)

    @property
    def cost_nano(self) -> int:
        """All that was paid for it; 1e-9 USD."""
        return sum(each.cost_nano for each in self.spent)

    @property
    def records(self) -> int:
        """How many came."""
        return sum(piece.records for piece in self.pieces)


class Ledger:
    """The purchases of a store."""

    def __init__(self, store: Store) -> None:
        self.folder: Final = store.home / FOLDER
        self._disk: Disk = store.disk

    def hold(self) -> Held:
        """Become the one process that buys. Raises LockedError naming the process that does."""
        self._disk.make_folder(self.folder)
        return self._disk.lock(self.folder / LOCK)

    def purchases(self) -> list[Purchase]:
        """All of them, by their names. Raises CorruptError."""
        return [proved.read(path, Purchase) for path in sorted(self.folder.glob("*.json"))]

    def write(self, purchase: Purchase) -> Purchase:
        """Make what is known of a purchase durable; the same purchase."""
        publish(self._disk, self._path(purchase), proved.encoded(purchase))
        return purchase

    def take_back(self, purchase: Purchase) -> None:
        """Let the ledger say what it said before an order was refused; nothing at all, when nothing was ever paid for it."""
        if purchase.spent or purchase.pieces:
            self.write(purchase)
        else:
            self._disk.unlink(self._path(purchase))
            self._disk.sync_folder(self.folder)

    def _path(self, purchase: Purchase) -> Path:
        return self.folder / f"{purchase.order.name}.json"

    def make_durable(self, path: Path) -> None:
        """Return when a file that is there outlives a crash."""
        fd = self._disk.reopen(path)
        try:
            self._disk.sync(fd)
        finally:
            self._disk.close(fd)
        self._disk.sync_folder(self.folder)

    def latest(self, purchase: Purchase) -> Purchase:
        """The same purchase as the ledger has it now; itself where it stands there not yet. Raises CorruptError."""
        path = self._path(purchase)
        return proved.read(path, Purchase) if path.exists() else purchase

    def coming(self, purchase: Purchase) -> Path:
        """Where a download goes: named after the file it is to be, so that what is left of an earlier one is not taken for it."""
        return self.folder / f"{purchase.order.name}-{len(purchase.pieces) + 1}-coming.dbn.zst"

    def unreadable(self, purchase: Purchase) -> Path:
        """Where a download is kept that nothing could be made of."""
        return self.folder / f"{purchase.order.name}-{len(purchase.pieces) + 1}-unreadable.dbn.zst"

    def drop_leftovers(self, purchase: Purchase) -> None:
        """Remove downloads that became files of the purchase before the process died that would have removed them."""
        for number in range(1, len(purchase.pieces) + 1):
            (self.folder / f"{purchase.order.name}-{number}-coming.dbn.zst").unlink(missing_ok=True)

    def next_piece(self, purchase: Purchase) -> Path:
        """The file that comes behind those that are there."""
        return self.folder / f"{purchase.order.name}-{len(purchase.pieces) + 1}.dbn.zst"

    def files(self, purchase: Purchase) -> Iterator[Path]:
        """Its files that hold records."""
        return (self.folder / piece.file for piece in purchase.pieces if piece.records)


def covered(purchases: Iterable[Purchase], order: Order, symbol: str) -> list[tuple[int, int]]:
    """The stretches that were ordered of a symbol already, in the order's dataset and schema."""
    return sorted(
        (each.order.from_ns, each.order.until_ns)
        for each in purchases
        if (each.order.dataset, each.order.schema) == (order.dataset, order.schema) and symbol in each.order.symbols
    )


def uncovered(from_ns: int, until_ns: int, stretches: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """What is left of a stretch without these, which are sorted.

    >>> uncovered(0, 10, [(2, 4), (3, 5), (9, 20)])
    [(0, 2), (5, 9)]
    """
    left = []
    for begin_ns, end_ns in stretches:
        if begin_ns > from_ns:
            left.append((from_ns, min(begin_ns, until_ns)))
        from_ns = max(from_ns, end_ns)
        if from_ns >= until_ns:
            return [each for each in left if each[0] < each[1]]
    return [each for each in [*left, (from_ns, until_ns)] if each[0] < each[1]]


def damage(store: Store) -> list[CorruptError]:
    """Every file of the ledger whose bytes are not those that came."""
    found = []
    for path in sorted((store.home / FOLDER).glob("*.json")):
        try:
            purchase = proved.read(path, Purchase)
        except CorruptError as error:
            found.append(error)
            continue
        for piece in purchase.pieces:
            file = path.with_name(piece.file)
            if not file.is_file():
                found.append(CorruptError(file, 0, "the file is missing, and it was paid for"))
            elif file_hash(file) != piece.blake3:
                found.append(CorruptError(file, 0, "the file does not have the hash that the ledger keeps of it"))
    return found
