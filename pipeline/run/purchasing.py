"""Purchasing: a vendor's history bought within a budget, each record once, and made into sessions.

What is wanted is compared with the ledger first, so only what is not there is asked for. The price of every order is asked
when the plan is made, and once more directly before it is bought: an order that no longer fits is not bought. A download
that was cut is gone on with from where it was cut, at the price of the rest, in this process or in a later one.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

import msgspec

from pipeline.errors import ConfigError, FeedError
from pipeline.feeds.databento_history import SYMBOLS_MAX, Came, Told
from pipeline.feeds.dbn import ACCEPTED_SCHEMAS
from pipeline.feeds.dbn_mending import keep_front, look_at
from pipeline.feeds.files import feed_of
from pipeline.log.manifest import Manifest
from pipeline.log.parquet import file_hash
from pipeline.log.purchases import Ledger, Order, Piece, Purchase, Spent, covered, uncovered
from pipeline.log.seal import seal
from pipeline.log.store import Store
from pipeline.run.importing import Imported, import_files

CUTS_MAX: Final = 3
"""So many cuts of one order, without one record between two of them, and it is left for another time."""


class Vendor(Protocol):
    """Who sells: `feeds.databento_history`."""

    def told(self, order: Order) -> Told:
        """Price, number of records and condition of an order. Raises FeedError."""
        ...

    def cost_nano(self, order: Order) -> int:
        """The price of an order; 1e-9 USD. Raises FeedError."""
        ...

    def download(self, order: Order, path: Path) -> Came:
        """Buy an order into a new file. Raises FeedError when it is refused."""
        ...


class Wanted(NamedTuple):
    """Symbols of a day, from a moment until another, exclusive; UTC nanoseconds. `day` names the session."""

    day: str
    symbols: tuple[str, ...]
    from_ns: int
    until_ns: int


class Quoted(NamedTuple):
    """A purchase, new or gone on with, and what the vendor says of what is to come of it."""

    purchase: Purchase
    told: Told


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be bought, and what need not be."""

    quoted: tuple[Quoted, ...]
    there: int
    """Symbols of days and schemas that are there already."""

    @property
    def cost_nano(self) -> int:
        """What all of it costs; 1e-9 USD."""
        return sum(each.told.cost_nano for each in self.quoted)


@dataclass
class Bought:
    """What came of a plan. `left` tells what was not bought, and why."""

    cost_nano: int = 0
    records: int = 0
    left: list[str] = field(default_factory=list)


def checked_schemas(schemas: Iterable[str]) -> tuple[str, ...]:
    """The same, each once. Raises ConfigError for one that no session could be made of: it would be paid for nothing."""
    chosen = tuple(dict.fromkeys(schemas))
    if strange := [schema for schema in chosen if schema not in ACCEPTED_SCHEMAS]:
        raise ConfigError(f"--schema {strange[0]}: maps to no event; accepted are {', '.join(ACCEPTED_SCHEMAS)}")
    return chosen


def plan_of(ledger: Ledger, vendor: Vendor, dataset: str, schemas: Sequence[str], wanted: Sequence[Wanted]) -> Plan:
    """What must be bought so that all that is wanted is there, each with its price.

    What a process that died had downloaded is taken up first. Raises FeedError, LockedError when another process buys.
    """
    held = ledger.hold()
    try:
        before = [_taken_up(ledger, purchase) for purchase in ledger.purchases()]
    finally:
        held.release()
    orders: list[Order] = []
    there = 0
    for each in wanted:
        for schema in schemas:
            whole = Order(dataset, schema, each.symbols, each.from_ns, each.until_ns)
            missing = _missing([*before, *map(Purchase, orders)], whole)
            there += len(each.symbols) - len({symbol for order in missing for symbol in order.symbols})
            orders += missing
    begun = [each for each in before if not each.is_done and _is_wanted(each.order, dataset, schemas, wanted)]
    purchases = [*begun, *(Purchase(order) for order in orders)]
    return Plan(tuple(_quoted(vendor, each) for each in purchases), there)


def buy(
    ledger: Ledger,
    vendor: Vendor,
    plan: Plan,
    *,
    budget_nano: int,
    now_ns: Callable[[], int],
    told: Callable[[str], None] = lambda _: None,
) -> Bought:
    """Buy what is planned, while the budget lasts: no order is sent whose price does not fit into what is left of it.

    Nor one of which somebody else bought anything since the plan was made. What fails is told in `left`, and all else goes on. Raises LockedError when another process buys, OSError.
    """
    bought = Bought()
    held = ledger.hold()
    try:
        before = ledger.purchases()
        for quoted in plan.quoted:
            try:
                _check_as_planned(before, quoted.purchase)
                _buy_one(ledger, vendor, quoted, bought, budget_nano=budget_nano, now_ns=now_ns)
                told(quoted.purchase.order.name)
            except FeedError as error:
                bought.left.append(f"{quoted.purchase.order.name}: {error}")
    finally:
        held.release()
    return bought


def sessions_of(
    store: Store, dataset: str, schemas: Sequence[str], wanted: Sequence[Wanted], *, created_ns: int
) -> Iterator[Imported | str]:
    """A session for each day of which all that is wanted is there, of the files that hold it; the id of one made before.

    A day on which no record came has none. Raises FeedError, LockedError, OSError.
    """
    ledger = Ledger(store)
    done = [purchase for purchase in ledger.purchases() if purchase.is_done]
    for each in wanted:
        if _is_incomplete(done, dataset, schemas, each):
            continue
        used = [purchase for purchase in done if _is_wanted(purchase.order, dataset, schemas, [each])]
        paths = [path for purchase in used for path in ledger.files(purchase)]
        made = _session_of(store, paths) if paths else None
        if made and made.state != "open":
            yield made.id if made.state == "sealed" else seal(store.folder(made.id), store.disk).id
        elif paths:
            yield _imported(store, each.day, dataset, paths, _fetched(dataset, used), made, created_ns=created_ns)


def _imported(
    store: Store,
    day: str,
    dataset: str,
    paths: Sequence[Path],
    fetched: Mapping[str, Any],
    begun: Manifest | None,
    *,
    created_ns: int,
) -> Imported:
    """The files as a session; one that was `begun` by a process that died is gone on with, as it was begun."""
    reading: Any = {"map": "", "delay_ns": 0, "fetched": fetched}
    if begun:
        settings: Any = begun.settings
        places = [each["blake3"] for each in settings["files"]]
        paths, reading = sorted(paths, key=lambda path: places.index(file_hash(path))), settings["reading"]
    return import_files(
        store,
        [feed_of(path) for path in paths],
        paths,
        name=f"{day}-{dataset}",
        created_ns=created_ns,
        reading=reading,
        resume=begun.id if begun else None,
    )


def _is_incomplete(done: Sequence[Purchase], dataset: str, schemas: Sequence[str], each: Wanted) -> bool:
    """Whether something of a day is still to be bought."""
    return any(_missing(done, Order(dataset, schema, each.symbols, each.from_ns, each.until_ns)) for schema in schemas)


def _quoted(vendor: Vendor, purchase: Purchase) -> Quoted:
    told = vendor.told(purchase.rest)
    promised = purchase.promised or told.records
    conditions = {**purchase.conditions, **told.conditions}
    return Quoted(msgspec.structs.replace(purchase, promised=promised, conditions=conditions), told)


def _missing(before: Sequence[Purchase], whole: Order) -> list[Order]:
    """Orders for what was not ordered yet, symbols that lack the same stretch together."""
    by_stretch: dict[tuple[int, int], list[str]] = {}
    for symbol in sorted(set(whole.symbols)):
        for stretch in uncovered(whole.from_ns, whole.until_ns, covered(before, whole, symbol)):
            by_stretch.setdefault(stretch, []).append(symbol)
    return [
        Order(whole.dataset, whole.schema, tuple(symbols[start : start + SYMBOLS_MAX]), from_ns, until_ns)
        for (from_ns, until_ns), symbols in sorted(by_stretch.items())
        for start in range(0, len(symbols), SYMBOLS_MAX)
    ]


def _is_wanted(order: Order, dataset: str, schemas: Sequence[str], wanted: Iterable[Wanted]) -> bool:
    """Whether an order holds something of what is wanted."""
    if order.dataset != dataset or order.schema not in schemas:
        return False
    return any(
        order.from_ns < each.until_ns
        and each.from_ns < order.until_ns
        and not set(each.symbols).isdisjoint(order.symbols)
        for each in wanted
    )


def _buy_one(
    ledger: Ledger,
    vendor: Vendor,
    quoted: Quoted,
    bought: Bought,
    *,
    budget_nano: int,
    now_ns: Callable[[], int],
) -> None:
    """Buy an order to its end. Raises FeedError when it does not fit, is refused, can't be read, or is cut again and again."""
    purchase, cuts = quoted.purchase, 0
    while not purchase.is_done:
        cost_nano = vendor.cost_nano(purchase.rest)
        if bought.cost_nano + cost_nano > budget_nano:
            raise FeedError(
                "databento", "budget", f"{usd(cost_nano)} more would pass it; {usd(bought.cost_nano)} spent"
            )
        spent = Spent(now_ns(), purchase.rest.from_ns, cost_nano)
        purchase = ledger.write(msgspec.structs.replace(purchase, spent=(*purchase.spent, spent)))
        try:
            came = vendor.download(purchase.rest, ledger.coming(purchase))
        except FeedError:
            # Refused before a byte came: nothing was paid, and the ledger says so again.
            ledger.take_back(msgspec.structs.replace(purchase, spent=purchase.spent[:-1]))
            raise
        bought.cost_nano += cost_nano
        before = purchase.records
        purchase = _settled(ledger, purchase, came)
        bought.records += purchase.records - before
        cuts = 0 if purchase.records > before else cuts + 1
        if not purchase.is_done and cuts == CUTS_MAX:
            raise FeedError(
                "databento", "get_range", f"cut {cuts} times; the same command goes on with it: {came.problem}"
            )


def _check_as_planned(before: Sequence[Purchase], purchase: Purchase) -> None:
    """Raises FeedError when the ledger is no longer as it was when the price was asked: somebody else bought meanwhile."""
    order = purchase.order
    latest = next((each for each in before if each.order == order), Purchase(order))
    others = [each for each in before if each.order != order]
    whole = [(order.from_ns, order.until_ns)]
    is_new = all(uncovered(*whole[0], covered(others, order, symbol)) == whole for symbol in order.symbols)
    if (latest.spent, latest.pieces) != (purchase.spent, purchase.pieces) or not is_new:
        raise FeedError("databento", "ledger", "something of it was bought since its price was asked; ask again")


def _taken_up(ledger: Ledger, purchase: Purchase) -> Purchase:
    """The purchase with what a process that died left behind: a download, or a piece that the ledger does not know yet."""
    ledger.drop_leftovers(purchase)
    coming, piece = ledger.coming(purchase), ledger.next_piece(purchase)
    if piece.exists() and not coming.exists():
        piece.replace(coming)
    if purchase.is_done or not coming.exists():
        return purchase
    try:
        return _settled(ledger, purchase, Came("the process that downloaded it ended", ()))
    except FeedError:
        return ledger.latest(purchase)


def _settled(ledger: Ledger, purchase: Purchase, came: Came) -> Purchase:
    """The purchase with what a download brought: all of it, or what is whole of it; the rest stays to be asked for.

    Raises FeedError when its records can't be told apart: it is set aside then, and the ledger says so.
    """
    coming, target = ledger.coming(purchase), ledger.next_piece(purchase)
    warned = tuple(dict.fromkeys([*purchase.warnings, *came.warnings]))
    purchase = msgspec.structs.replace(purchase, warnings=warned)
    if not coming.exists():
        return ledger.write(purchase)
    try:
        look = look_at(coming)
    except FeedError as error:
        aside = ledger.unreadable(purchase)
        coming.replace(aside)
        ledger.write(
            msgspec.structs.replace(purchase, warnings=(*warned, f"{aside.name} can't be read: {error.reason}"))
        )
        raise
    records = purchase.records + look.records
    if look.is_whole and (not came.problem or records >= purchase.promised):
        if records < purchase.promised:
            warned += (f"{purchase.promised:,} records were promised, {records:,} came",)
        coming.replace(target)
        return _with_piece(ledger, purchase, look.records, None, warned)
    if not look.kept_records:
        coming.unlink()
        return ledger.write(purchase)
    keep_front(coming, look, target)
    settled = _with_piece(ledger, purchase, look.kept_records, look.last_ns, warned)
    coming.unlink()
    return settled


def _with_piece(
    ledger: Ledger, purchase: Purchase, records: int, until_ns: int | None, warnings: tuple[str, ...]
) -> Purchase:
    """The purchase with its next file, which holds all records until a moment; None: to the order's end."""
    path = ledger.next_piece(purchase)
    ledger.make_durable(path)
    end_ns = purchase.order.until_ns if until_ns is None else until_ns
    piece = Piece(path.name, path.stat().st_size, file_hash(path), records, end_ns)
    pieces = (*purchase.pieces, piece)
    return ledger.write(msgspec.structs.replace(purchase, pieces=pieces, warnings=warnings, is_done=until_ns is None))


def _session_of(store: Store, paths: Sequence[Path]) -> Manifest | None:
    """The session that was made of exactly these files, or was being made when its process died."""
    wanted = sorted(file_hash(path) for path in paths)
    found: Manifest | None = None
    for manifest in store.sessions():
        files: Any = manifest.settings.get("files", ())
        reading: Any = manifest.settings.get("reading", {})
        if "fetched" in reading and sorted(each["blake3"] for each in files) == wanted:
            found = manifest if found is None or manifest.state == "sealed" else found
    return found


def _fetched(dataset: str, used: Iterable[Purchase]) -> dict[str, Any]:
    """What a session keeps of where its files come from, and what the vendor says against them."""
    used = list(used)
    return {
        "dataset": dataset,
        "orders": [each.order.name for each in used],
        "conditions": {day: condition for each in used for day, condition in sorted(each.conditions.items())},
        "warnings": sorted({warning for each in used for warning in each.warnings}),
    }


def usd(cost_nano: int) -> str:
    """Money as people read it, rounded up to the hundredth of a cent.

    >>> usd(1_234_567_890)
    '$1.2346'
    """
    return f"${-(-cost_nano // 100_000) / 10_000:,.4f}"
