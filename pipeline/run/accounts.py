"""Accounts: what outlives a session: cash, positions, what the day lost, order ids used. A small log for each.

A session says here that it begins, and settles its account when it ends: one commit of what it leaves, as its own code remembers
it (`core.carrying`), and the same as statements for people. One that was killed, and with which nobody went on, is settled when
the next of its account begins: its log is folded once more by the code that recorded it. What comes after what goes by the order
in which it stands here: the clocks of sessions may be those of any day.

Positions stay with their strategies. A next session without one of these, or without the feed of what is held, is refused:
nothing that is held is forgotten. Paper orders end with their session; those that work at a broker work on, and are as little
forgotten. An account is of one broker, or of none, while it holds anything or anything works. Whether it is halted the store says
(`run.halting`).
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

import numpy as np

from pipeline.block import Block
from pipeline.codes import AccountAction, Kind, SessionAction
from pipeline.core.carrying import text_of
from pipeline.core.world import ACCOUNT
from pipeline.errors import ConfigError, LockedError, NotFoundError
from pipeline.log.frames import FrameKind
from pipeline.log.journal import small_journal
from pipeline.log.manifest import Manifest
from pipeline.log.reader import LogReader
from pipeline.log.store import Store
from pipeline.run.continuing import Opening, has_begun, state_left
from pipeline.run.fold import Carried
from pipeline.run.halting import Halt, halted, persist
from pipeline.run.lasting import Held, Working, held, lasting, working
from pipeline.run.replaying import Instruments, instruments_of
from pipeline.units import NANO

PAPER: Final = "paper"
"""The account of recordings that name none."""

_IN_USE: Final = "in-use"


class Standing(NamedTuple):
    """What an account had when it was last settled, at `ts_ns`, by `session` (''; by hand); `why` in that case.

    `broker` is where it is, in the words of `run.brokers`; '': at none.
    """

    account: str
    session: str
    ts_ns: int
    cash: float
    held: tuple[Held, ...]
    working: tuple[Working, ...]
    rows: Carried
    instruments: Instruments
    feeds: tuple[str, ...]
    broker: str = ""
    why: str = ""


@contextmanager
def used(store: Store, account: str) -> Iterator[None]:
    """Nobody else trades on this account while it lasts; '' is none, and anybody's. Raises LockedError, ConfigError for a name that is none."""
    if not account:
        yield
        return
    folder = store.account_folder(account)
    store.disk.make_folder(folder)
    try:
        lock = store.disk.lock(folder / _IN_USE)
    except LockedError as error:
        holder = str(error).partition("process ")[2].partition(" ")[0]
        raise LockedError(
            f"account {account} is traded on by process {holder}; name another one: --account NAME"
        ) from None
    try:
        yield
    finally:
        lock.release()


def settle(
    store: Store, account: str, session: Manifest, rows: Carried, instruments: Instruments, *, now_ns: int
) -> None:
    """Keep what a session leaves to its account, durably. Raises LockedError when somebody else is writing there.

    One that its broker's words halted, a fill too much say, halts the account until a person has looked.
    """
    left = lasting(rows, keeps_orders=bool(broker_of(session)))
    if broker_of(session) and json.loads(dict(left)["account"])["is_stray"] and halted(store, account) is None:
        persist(store, Halt(f"{session.id} was halted by what the broker did"), account)
    _append(store, account, session.id, _feeds(session), left, instruments, now_ns, "", broker_of(session))


def state(store: Store, account: str, cash: float, *, now_ns: int, why: str, forgets: bool = False) -> None:
    """Say by hand that an account has so much cash and holds nothing.

    Raises LockedError, ConfigError for a cash that is none, and where something is open at a broker that is not to be forgotten.
    """
    if not 0 <= cash <= 1e15:
        raise ConfigError(f"--cash {cash}: accepted is 0 to 1e15")
    with used(store, account):
        before = standing(store, account)
        if not forgets:
            _check_nothing_open(store, account, before)
        row = ACCOUNT.new()
        if before is not None:
            ids = json.loads(dict(before.rows)["account"])
            row.order_id_last, row.fill_id_last = ids["order_id_last"], ids["fill_id_last"]
        if (session := unsettled(store, account)) is not None:
            row.order_id_last = max(row.order_id_last, _last_order_id(store, session))
        row.cash = cash
        _append(
            store,
            account,
            "",
            [],
            [("account", text_of(ACCOUNT, np.frombuffer(ACCOUNT.save(row), ACCOUNT.dtype)))],
            (),
            now_ns,
            why,
        )


def _check_nothing_open(store: Store, account: str, before: Standing | None) -> None:
    """Raises ConfigError where a statement by hand would forget what is at a broker, where it is all the same."""
    session = unsettled(store, account)
    if session is not None and broker_of(session):
        raise ConfigError(
            f"account {account}: {session.id} was killed at {broker_of(session)} and what it has there is not settled; "
            "go on with it, or say --forget"
        )
    if before is not None and before.broker and (before.held or before.working):
        open_ = ", ".join(map(str, [*before.held, *before.working]))
        raise ConfigError(f"account {account} has at {before.broker}: {open_}; close it there first, or say --forget")


def _last_order_id(store: Store, session: Manifest) -> int:
    """The last number that a session gave to an order; 0 where it ordered nothing."""
    batches = LogReader(store.folder(session.id)).batches(what="all", kinds=[Kind.ORDER], columns=["order_id"])
    return max((int(block.number("order_id").max()) for batch in batches for block in batch), default=0)


def standing(store: Store, account: str) -> Standing | None:
    """What was settled last; None when nothing ever was. Raises ConfigError for a name that is none, CorruptError."""
    carried: list[dict[str, Any]] = []
    defined: list[dict[str, Any]] = []
    for block in (block for batch in store.account(account) for block in batch):
        if block.kind is Kind.SESSION:
            carried += block.rows()
        elif block.kind is Kind.INSTRUMENT:
            defined += block.rows()
    settled = [row for row in carried if row["action"] == SessionAction.STARTED]
    if not settled:
        return None
    started = max(settled, key=lambda row: int(row["seq"]))
    rows = [
        (str(row["key"]), str(row["text"]))
        for row in carried
        if row["seq"] > started["seq"] and row["action"] == SessionAction.STATE
    ]
    instruments = tuple(row for row in defined if row["seq"] > started["seq"])
    told = json.loads(started["text"])
    return Standing(
        account,
        started["key"],
        started["ts_event_ns"],
        float(json.loads(dict(rows)["account"])["cash"]),
        tuple(held(rows, instruments, told["feeds"])),
        tuple(working(rows, instruments, told["feeds"])),
        rows,
        instruments,
        tuple(told["feeds"]),
        told.get("broker", ""),
        told["why"],
    )


def names(store: Store) -> list[str]:
    """The accounts there are, in the order of their names."""
    folder = store.home / "accounts"
    return [path.name for path in sorted(folder.iterdir()) if any(path.glob("*.seg"))] if folder.is_dir() else []


def begin_on(store: Store, account: str, session: str, *, now_ns: int) -> None:
    """A session begins to trade on an account: from here on it is what its account goes by, until another one begins.

    Raises LockedError when somebody else is writing there.
    """
    row = {"action": int(SessionAction.RESUMED), "key": session, "ts_event_ns": now_ns, "ts_recv_ns": now_ns}
    with small_journal(store.account_folder(account), store.disk) as journal:
        journal.append(FrameKind.INPUTS, [Block.from_rows(Kind.SESSION, [{**row, "seq": journal.written.seq + 1}])])


def unsettled(store: Store, account: str) -> Manifest | None:
    """The session that began on this account last, if it left nothing to it yet; whatever its clock said.

    Whoever began before it was settled when it began. One that was deleted, or never got to its first row, leaves nothing.
    """
    began = ""
    for block in (block for batch in store.account(account) for block in batch if block.kind is Kind.SESSION):
        for action, key in zip(block.number("action").tolist(), block.text("key"), strict=True):
            if action == SessionAction.RESUMED:
                began = key
            elif action == SessionAction.STARTED:
                began = ""
    if not began:
        return None
    try:
        session = store.manifest(began)
    except NotFoundError:
        return None
    return session if has_begun(store, session) else None


def left_to(
    store: Store, account: str, strategies: Sequence[str], feeds: Sequence[str], *, now_ns: int, broker: str = ""
) -> Opening | None:
    """With what a session of these strategies and feeds, at this broker, begins; None for an account on which nothing was traded yet.

    A session that was killed is ended and settled. Raises ConfigError where what is held can't be taken over, and leaves that
    session as it is then; LockedError, CorruptError.
    """
    session = unsettled(store, account)
    if session is not None:
        log = LogReader(store.folder(session.id))
        instruments, ran = instruments_of(log, log.last_seq), _feeds(session)
        at = broker_of(session)

        def check(rows: Carried) -> None:
            left = lasting(rows, keeps_orders=bool(at))
            open_: list[Held | Working] = [*held(left, instruments, ran), *working(left, instruments, ran)]
            _check(account, open_, strategies, feeds, at, broker)

        rows = state_left(store, session, check)
        settle(store, account, session, rows, instruments, now_ns=now_ns)
    left = standing(store, account)
    if left is None:
        return None
    rows = _taken_over(left, strategies, feeds, broker)
    names: Any = left.feeds
    instruments = tuple(
        {**row, "source": feeds.index(names[int(row.get("source", 1)) - 1]) + 1} for row in left.instruments
    )
    return Opening(session=left.session, seq=0, ts_ns=now_ns, fed=0, rows=rows, instruments=instruments)


def _taken_over(left: Standing, strategies: Sequence[str], feeds: Sequence[str], broker: str) -> Carried:
    """Its state, as the next session takes it over. Raises ConfigError."""
    _check(left.account, [*left.held, *left.working], strategies, feeds, left.broker, broker)
    return [(key, _unhalted(text) if key == "account" else text) for key, text in left.rows]


def _check(
    account: str, open_: Sequence[Held | Working], strategies: Sequence[str], feeds: Sequence[str], was: str, at: str
) -> None:
    """That a session of these strategies and feeds, at this broker, forgets nothing that is open. Raises ConfigError."""
    for each in open_:
        feed = each.symbol.partition(":")[0]
        has = f"account {account} holds {each.symbol}" if isinstance(each, Held) else f"account {account} has {each}"
        if was != at:
            raise ConfigError(
                f"{has}: that is at {was or 'no broker'}, and this session is at {at or 'none'}; "
                "name another account with --account"
            )
        if each.strategy not in strategies:
            wants = _OR_ELSE.format(f"--strategy {each.strategy}")
            raise ConfigError(f"{has} of {each.strategy}: {wants}" if isinstance(each, Held) else f"{has}: {wants}")
        if feed not in feeds:
            raise ConfigError(f"{has}: {_OR_ELSE.format(f'--feed {feed}')}")


def broker_of(session: Manifest) -> str:
    """Where a session's orders went, in the words of `run.brokers`; '': nowhere, they were simulated."""
    told: Any = session.settings.get("broker")
    return where(str(told["what"]), str(session.settings.get("broker_account", ""))) if told else ""


def where(what: str, number: str) -> str:
    """A broker and its sort of money, and which account it is there; that as a short hash, '' where it does not say."""
    return f"{what} {number}".rstrip()


def _feeds(session: Manifest) -> list[str]:
    feeds: Any = session.settings.get("feeds", [])
    return [str(feed["name"]) for feed in feeds]


def _unhalted(text: str) -> str:
    """Whether it is halted, the store says."""
    return json.dumps(json.loads(text) | dict.fromkeys(("is_halted", "is_reducing", "is_stray", "is_ending"), False))


_OR_ELSE: Final = "add {}, name another account with --account, or say what it has with `tape accounts set`"


def _append(
    store: Store,
    account: str,
    session: str,
    feeds: Sequence[str],
    rows: Carried,
    instruments: Instruments,
    now_ns: int,
    why: str,
    broker: str = "",
) -> None:
    traded = {int(key.partition("/")[2]) for key, _ in rows if key.startswith("instrument/")}
    with small_journal(store.account_folder(account), store.disk) as journal:
        first = journal.written.seq + 1
        times = {"ts_event_ns": now_ns, "ts_recv_ns": now_ns}
        defined = [row for row in instruments if row["instrument_id"] in traded]
        told: list[Mapping[str, Any]] = [
            {
                "action": int(SessionAction.STARTED),
                "key": session,
                "text": json.dumps({"feeds": list(feeds), "why": why, "broker": broker}),
            },
            *({"action": int(SessionAction.STATE), "key": key, "text": text} for key, text in rows),
        ]
        statements = list(_statements(account, rows, why or session))
        placed = []
        for kind, each in ((Kind.SESSION, told), (Kind.INSTRUMENT, defined), (Kind.ACCOUNT, statements)):
            if each:
                numbered = [
                    {**row, "seq": first + rank, "ord": 0, "cause_seq": 0, "cause_ord": 0, **times}
                    for rank, row in enumerate(each)
                ]
                placed.append(Block.from_rows(kind, numbered))
                first += len(each)
        journal.append(FrameKind.INPUTS, placed)


def _statements(account: str, rows: Carried, text: str) -> Iterator[Mapping[str, Any]]:
    """The same for people and for SQL."""
    for key, told in rows:
        kind, _, rest = key.partition("/")
        row = json.loads(told)
        if kind == "account":
            cash = {"cash_nano": round(float(row["cash"]) * NANO)}
            yield {"action": int(AccountAction.CASH), "account": account, "text": text, **cash}
            yield {"action": int(AccountAction.ORDER_IDS), "account": account, "quantity_steps": row["order_id_last"]}
        elif kind == "position":
            strategy, _, id_ = rest.rpartition("/")
            yield {
                "action": int(AccountAction.POSITION),
                "account": account,
                "instrument_id": int(id_),
                "quantity_steps": row["quantity_steps"],
                "average_nano": round(float(row["average_price"]) * NANO),
                "text": strategy,
            }
