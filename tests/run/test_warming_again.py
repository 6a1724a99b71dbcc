"""Strategies that come back to an instrument: they hear what they missed, nothing twice, nothing of before what they heard.

The engine, a scanner and the warming run as in a session that is recorded, second by second over a market that quotes its own seconds.
"""

import dataclasses
import itertools
import json
import random

import pytest
from words_vendor import START_NS, Words, vendor

from pipeline.block import Block, row_count
from pipeline.codes import AssetClass, FeedAction, Kind, Origin, SessionAction
from pipeline.core.settings import EngineSettings
from pipeline.instruments import WHOLE_STEP_NANO, Instrument
from pipeline.ports import Answer, Channel, Message, Topic, Warmed
from pipeline.run.fold import LocalFold
from pipeline.run.intake import Intake
from pipeline.run.strategies import plan_of
from pipeline.run.warming import Warming
from pipeline.units import NANO, iso_from_ns

SYMBOL, OTHER = "AAA", "BBB"
LATENCY_NS = NANO // 2
STRATEGY = """
from pipeline.codes import Side
from pipeline.core.params import param, params
from pipeline.core.state import state
from pipeline.core.strategy import Messages, Strategy
from pipeline.core.verbs import enter, leave, say


class Message(Messages):
    HEARD = 1, "{a} {b}"


@params
class Params:
    buys: int = param(0, low=0, high=10_000, help="the second from which on it buys")
    sells: int = param(0, low=0, high=10_000, help="the second at which it sells")


@state
class State:
    is_bought: bool


def on_quote(s, quote, p, ctx):
    second = quote.bid * 1e9
    say(ctx, Message.HEARD, second, float(quote.origin))
    if p.buys and not s.is_bought and second >= p.buys and quote.origin == 0:
        enter(ctx, Side.BUY, quantity=1.0)
        s.is_bought = True
    if p.sells and second == p.sells:
        leave(ctx)


strategy = Strategy("NAME", Params, State, on_quote=on_quote, messages=Message, warm_up="1d")
"""


class Seconds(Words):
    """`AAA 17` is a quote of the seventeenth second, and happened then."""

    def _read(self, rows, text, origin):
        symbol, _, second = text.partition(" ")
        if symbol not in self._ids:
            self._ids[symbol] = len(self._ids) + 1
            rows.add_instrument(
                self._ids[symbol], Instrument(symbol, "WORDS", WHOLE_STEP_NANO, AssetClass.EQUITY, "USD")
            )
        rows.add(
            Kind.QUOTE, instrument_id=self._ids[symbol], origin=int(origin), bid_nano=int(second),
            ask_nano=int(second) + 1, bid_size_steps=1_000, ask_size_steps=1_000, ts_event_ns=at(int(second)),
        )  # fmt: skip


def at(second):
    return START_NS + second * NANO


class Session:
    """One that is recorded, as far as its strategies can tell. `stays` are the seconds in which each scanner has SYMBOL."""

    def __init__(
        self,
        folder,
        stays,
        params=(),
        names=("first", "second"),
        *,
        keeps=True,
        answers_after_s=2,
        settings=(),
        before=None,
    ):
        files, scanners = [], []
        for name, of_name in zip(names, stays, strict=False):
            files.append(folder / f"{name}.py")
            files[-1].write_text(STRATEGY.replace("NAME", name))
            lines = [f"{iso_from_ns(at(begin))}..{iso_from_ns(at(end))},{SYMBOL}" for begin, end in of_name]
            # Who stays until it is flat leaves when a scanner speaks; of the other symbol it does so all the time.
            lines += [f"{iso_from_ns(at(each))}..{iso_from_ns(at(each + 2))},{OTHER}" for each in range(5, 205, 5)]
            (folder / f"{name}.csv").write_text("\n".join(lines))
            scanners.append(folder / f"{name}.toml")
            when = 'when_dropped = "keep"\n' if keeps else ""
            scanners[-1].write_text(f'name = "{name}"\nsymbols_file = "{name}.csv"\ncalendar = "24/7"\n{when}')
        plan = plan_of(files, params, settings, scanners, range(1, len(files) + 1))
        self.fold = LocalFold(plan, files)
        self._vendor = dataclasses.replace(vendor("ws://127.0.0.1:1/"), history_of=frozenset((Channel.QUOTES,)))
        self.warming = Warming(self.fold.plans, [self._vendor], EngineSettings.from_dict(plan.settings))
        self._intake = Intake(["words"], [Seconds()], start_ns=START_NS, fresh=[Seconds])
        self.answers_after_s, self._asked, self._seq = answers_after_s, [], 0
        self.derived, self.warmed, self.tape = [], [], []
        self._begin(before)

    def _begin(self, before):
        """As `run.continuing.begin` does it, where there is a session before."""
        now_ns = before.now_ns if before else START_NS
        rows = [{"action": int(SessionAction.WARMING)}]
        rows += [
            {"action": int(SessionAction.STATE), "key": key, "text": text}
            for key, text in (before.fold.carried() if before else [])
        ]
        placed = [{**row, "seq": rank, "ts_recv_ns": now_ns} for rank, row in enumerate(rows, 1)]
        batch = [Block.from_rows(Kind.SESSION, placed)]
        if before:
            told = [
                row
                for blocks in before.tape
                for block in blocks
                if block.kind is Kind.INSTRUMENT
                for row in block.rows()
            ]
            known = {row["instrument_id"]: row for row in told}
            defined = [
                {**row, "seq": rank, "ts_recv_ns": now_ns} for rank, row in enumerate(known.values(), len(rows) + 1)
            ]
            batch.append(Block.from_rows(Kind.INSTRUMENT, defined))
            self._intake.know(batch[-1])
        self.take(batch)

    def take(self, batch):
        placed = [block.with_columns(seq=block.number("seq") + self._seq) for block in batch]
        self._seq += row_count(placed)
        made = self.fold.reduce(placed)
        self.warming.add(placed, made)
        self.derived += made
        self.tape.append([block for block in (*placed, *made) if len(block)])
        for block in placed:
            if block.kind is Kind.FEED:
                rows = [row for row in block.rows() if row["action"] == FeedAction.WARMED]
                self.warmed += [row["text"] for row in rows if row["text"].startswith(SYMBOL)]

    def run(self, until, first=1):
        for second in range(first, until + 1):
            self.now_ns = now_ns = at(second)
            for symbol in (SYMBOL, OTHER):
                for batch in self._intake.taken([(1, Message(now_ns, f"{symbol} {second}".encode()))]):
                    self.take(batch)
            self._asked += [(second, wish) for _, wish in self.warming.wishes()]
            for asked in [each for each in self._asked if each[0] + self.answers_after_s <= second]:
                self._asked.remove(asked)
                self._answer(asked[1], second)

    def _answer(self, wish, second):
        first = max((wish.from_ns - START_NS) // NANO, 1)
        lines = "\n".join(f"{wish.symbol} {each}" for each in range(first, second + 1))
        answer = Answer(Topic(Channel.QUOTES, wish.symbol), at(second), lines.encode())
        for batch in self.warming.given(Warmed(at(second), wish, at(second), (answer,)), self._intake, at(second)):
            self.take(batch)

    def heard(self, strategy_id=1):
        """The seconds that a strategy heard of SYMBOL, in order, and from where."""
        rows = [row for block in self.derived if block.kind is Kind.MESSAGE for row in block.rows()]
        rows = [row for row in rows if (row["strategy_id"], row["instrument_id"]) == (strategy_id, 1)]
        return [(round(row["a"]), Origin(int(row["b"]))) for row in rows]


def held(session):
    """Steps of SYMBOL that the first strategy holds."""
    return json.loads(dict(session.fold.carried())["position/first/1"])["quantity_steps"]


def seconds(heard):
    return [second for second, _ in heard]


def is_rising(found):
    return all(one < other for one, other in itertools.pairwise(found))


def test_what_was_heard_behind_the_drop_until_it_was_flat_is_not_given_again(tmp_path):
    session = Session(tmp_path, [[(10, 30), (80, 100)]], ["buys=20", "sells=50"])
    session.run(110)
    heard = session.heard()
    assert seconds(heard) == list(range(1, 100))
    live = [second for second, origin in heard if origin == Origin.INPUT]
    assert {30, 40, 50} <= set(live), "it stayed until it was flat"
    assert 70 not in live, "and left then"


def test_who_is_picked_again_before_it_was_flat_never_left(tmp_path):
    session = Session(tmp_path, [[(10, 30), (41, 60), (70, 90)]], ["buys=20", "sells=50"])
    session.run(100)
    assert seconds(session.heard()) == list(range(1, 90))
    assert session.warmed == [SYMBOL, SYMBOL], "at 10, and at 70, for it left flat at 60"


def test_who_comes_back_while_another_one_waits_hears_nothing_twice(tmp_path):
    """The first leaves at 30 and comes back at 32; the second, who is new, waits from 25 on."""
    session = Session(tmp_path, [[(10, 30), (32, 60)], [(25, 60)]], answers_after_s=10, keeps=False)
    session.run(70)
    first, second = seconds(session.heard(1)), seconds(session.heard(2))
    assert first == list(range(1, 60))
    assert is_rising(second)
    assert second[-1] == 59
    assert session.warmed[-1] == f"{SYMBOL}: no more than first missed, which waits with the others"


def test_who_left_again_while_it_waited_takes_nothing_from_who_waits_on(tmp_path):
    session = Session(tmp_path, [[(10, 30), (32, 34)], [(31, 60)]], answers_after_s=10, keeps=False)
    session.run(70)
    assert seconds(session.heard(2)) == list(range(1, 60))
    assert session.warmed == [SYMBOL, SYMBOL]


def test_who_began_without_history_is_not_given_what_was_before_that(tmp_path):
    """What it waits for is answered only when it has left: it heard 15 to 30 without."""
    stays, settings = [[(10, 30), (40, 60)]], [f"warm_up_wait_ns={5 * NANO}"]
    session = Session(tmp_path, stays, keeps=False, answers_after_s=25, settings=settings)
    session.run(35)
    session.answers_after_s = 2
    session.run(70, first=36)
    heard = seconds(session.heard())
    assert heard == list(range(heard[0], 60))
    assert 14 <= heard[0] <= 16


def test_it_is_known_again_by_what_the_session_wrote(tmp_path):
    session = Session(tmp_path, [[(10, 30), (80, 100)]], ["buys=20", "sells=50"])
    session.run(79)
    (tmp_path / "again").mkdir()
    plans, vendors = session.fold.plans, [session._vendor]
    known = Warming(plans, vendors, EngineSettings.from_dict({"universe": 1, "warm_up_wait_ns": 120 * NANO}))
    known.recall(session.tape, session._seq)
    assert known._standings.heard(1, {0: known._wants[0]}) == session.warming._standings.heard(
        1, {0: session.warming._wants[0]}
    )


def test_what_was_fetched_for_a_hole_was_not_heard(tmp_path):
    session = Session(tmp_path, [[(10, 30), (40, 60)]], keeps=False)
    session.run(29)
    hole = {"seq": 1, "instrument_id": 1, "origin": int(Origin.BACKFILL), "bid_nano": 5, "ask_nano": 6}
    session.take([Block.of(Kind.QUOTE, 1, ts_recv_ns=at(30), ts_event_ns=at(5), **hole)])
    session.run(70, first=30)
    assert seconds(session.heard()) == list(range(1, 60))


@pytest.mark.parametrize("keeps", [False, True])
def test_what_was_heard_in_the_session_before_is_not_given_again(tmp_path, keeps):
    before = Session(tmp_path, [[(10, 30)]], keeps=keeps)
    before.run(40)
    after = Session(tmp_path, [[(60, 80)]], keeps=keeps, before=before)
    after.run(90, first=41)
    heard = seconds(before.heard()) + seconds(after.heard())
    assert is_rising(heard)
    assert heard[-39:] == list(range(41, 80))


def test_who_holds_something_from_the_session_before_never_left(tmp_path):
    before = Session(tmp_path, [[(10, 30)]], ["buys=15"], keeps=False)
    before.run(25)
    after = Session(tmp_path, [[(60, 80)]], ["buys=15"], keeps=False, before=before)
    after.run(90, first=26)
    assert seconds(before.heard()) + seconds(after.heard()) == list(range(1, 80))
    assert after.warmed == []


def test_who_is_dropped_while_it_waits_is_flattened_of_what_it_held_before(tmp_path):
    """Another parameter: what it holds is taken over and what it knew is not. It is picked at 60, and dropped before it is answered."""
    before = Session(tmp_path, [[(10, 30)]], ["buys=15"], keeps=False)
    before.run(25)
    stays = [[(60, 63), (120, 140)]]
    after = Session(tmp_path, stays, ["buys=200"], keeps=False, before=before, answers_after_s=5)
    after.run(62, first=26)
    assert held(after) == 1
    after.run(100, first=63)
    assert held(after) == 0
    assert after.warmed == []
    after.run(150, first=101)
    heard = seconds(after.heard())
    assert is_rising(heard)
    assert set(heard) >= {*range(26, 60), *range(61, 140)}, (
        "it was introduced at 60, and given at 120 what there was since"
    )
    assert after.warmed == [SYMBOL]


def test_who_is_dropped_while_it_waits_stays_in_what_it_held_before_where_it_keeps_that(tmp_path):
    before = Session(tmp_path, [[(10, 30)]], ["buys=15"])
    before.run(25)
    after = Session(tmp_path, [[(60, 63), (120, 140)]], ["sells=70"], before=before, answers_after_s=5)
    after.run(69, first=26)
    assert held(after) == 1
    after.run(150, first=70)
    assert held(after) == 0
    heard = after.heard()
    assert is_rising(seconds(heard))
    live = [second for second, origin in heard if origin == Origin.INPUT]
    assert set(range(64, 70)) <= set(live), "it hears what happens while it stays"
    assert 80 not in live, "and left when it was flat"
    assert set(range(80, 140)) <= set(seconds(heard)), "what it missed it is given when it comes back"
    assert after.warmed == [SYMBOL]


@pytest.mark.parametrize("keeps", [False, True])
@pytest.mark.parametrize("seed", range(12))
def test_whenever_they_come_and_go_nothing_is_heard_twice_and_alone_nothing_is_missed(tmp_path, seed, keeps):
    random_ = random.Random(seed)
    places = [sorted(random_.sample(range(2, 200), 8)) for _ in range(2)]
    stays = [list(zip(each[::2], each[1::2], strict=True)) for each in places]
    params = []
    for name, ((begin, end), (until, _), *_) in zip(("first", "second"), stays, strict=True):
        params += [f"{name}.buys={random_.randrange(begin, end)}", f"{name}.sells={random_.randrange(end, until + 1)}"]
    count = 1 + seed % 2
    names = ("first", "second")[:count]
    params = [each for each in params if each.partition(".")[0] in names]
    session = Session(
        tmp_path, stays[:count], params, names, keeps=keeps, answers_after_s=random_.randrange(1, 25),
        settings=[f"warm_up_wait_ns={random_.choice([8, 200]) * NANO}"] if seed % 3 == 0 else [],
    )  # fmt: skip
    session.run(210)
    for strategy_id in range(1, count + 1):
        heard = seconds(session.heard(strategy_id))
        assert is_rising(heard)
        if count == 1 and seed % 3:
            assert heard == list(range(1, len(heard) + 1))
