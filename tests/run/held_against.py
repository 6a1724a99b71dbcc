"""A recorded session held against what the exchange really sent: what was lost, where, and whether anybody says so."""

from bisect import bisect
from collections import Counter, defaultdict
from typing import NamedTuple

from served_days import MARKET
from served_loops import LOOPS

from pipeline.codes import FeedAction, Kind, Mark, Origin, Side, TradingStatus
from pipeline.log.reader import LogReader
from pipeline.simulator.venues import VENUES

_LEFT_OUT = {"revision", "reason"}
"""A revision that fell into a hole is not counted; why prices are limited is not said by every vendor."""


class Row(NamedTuple):
    """A market row: its place on its tape, whose it is, what of it the protocol carries, as text."""

    seq: int
    kind: Kind
    key: tuple
    fact: str
    origin: Origin
    marks: Mark
    row: dict


class Account:
    """What one feed of a session recorded, and what its clients were sent.

    `source` is the number of the feed, `others` are clients that are none of its; `behind_ns` is how far the recording's
    clock was behind the exchange's.
    """

    def __init__(self, store, manifest, served, feed, source=1, why="", others=(), behind_ns=0):
        self._behind_ns = behind_ns
        self.loop, self.protocol, self.why, self._served = LOOPS[feed], feed, why, served
        log = LogReader(store.folder(manifest.id))
        symbols = _symbols(log)
        inputs = [row for row in _rows(log, [*MARKET, Kind.FEED]) if row["source"] == source]
        self.feed_rows = [row for row in inputs if row["kind"] is Kind.FEED]
        self.recorded = [self._row(row, symbols) for row in inputs if row["kind"] is not Kind.FEED]
        self.served = self._carried()
        self._connected = [row["seq"] for row in self.told(FeedAction.CONNECTED)]
        connected = [sent.client for sent in served.ledger if sent.protocol == feed and sent.what == "connected"]
        clients = [client for client in connected if client not in others]
        assert len(clients) == len(self._connected)
        self.matched, self._again = {}, []
        """By `seq` of the row served, the place on the recorded tape where it stands as live, or where history told it first."""
        for number, client in enumerate(clients):
            self._hold(number, client)

    def told(self, *actions):
        """The feed's rows of these actions."""
        return [row for row in self.feed_rows if row["action"] in actions]

    def gaps(self):
        """The stretches in which nothing was recorded: GAP_OPENED and GAP_CLOSED, None for one that stays open."""
        opened = [row for row in self.told(FeedAction.GAP_OPENED) if not row["channel"]]
        closed = [row for row in self.told(FeedAction.GAP_CLOSED) if not row["channel"] and row["from_ns"] > 0]
        assert len(opened) - len(closed) in (0, 1)
        return list(zip(opened, closed + [None] * (len(opened) - len(closed)), strict=True))

    def missing(self):
        """The rows served that no connection brought, in the order they were served."""
        starts = self._starts()
        return [row for row in self.served.values() if row.seq >= starts[row.kind] and row.seq not in self.matched]

    def check(self):
        """Nothing that broke is silent, and what has a history is whole."""
        self._check_gaps()
        fetched = [row for row in self.recorded if row.origin == Origin.BACKFILL]
        assert not [row for row in fetched if row.marks & Mark.DUPLICATE], "what is fetched and known is left out"
        if any(closed is None for _, closed in self.gaps()):
            return
        for kind in MARKET:
            if kind in self.loop.filled:
                (self._check_bars if kind is Kind.BAR else self._check_filled)(kind)
            else:
                assert not [row for row in self.recorded if row.kind is kind and row.origin == Origin.BACKFILL]

    def _hold(self, number, client):
        """One connection: of each symbol and kind the rows that were sent, in order, up to where it broke."""
        ends = [*self._connected[1:], 2**62]
        meanwhile = [row for row in self.recorded if self._connected[number] < row.seq < ends[number]]
        fetched = self._fetched_first(meanwhile)
        sent = [self.served[seq] for seq in self._served.ledger.rows(client)]
        places = {kind: defaultdict(list) for kind in ("sent", "recorded")}
        for place, row in enumerate(sent):
            if (row.key, row.fact) in fetched:
                self.matched.setdefault(row.seq, fetched[row.key, row.fact])
            else:
                places["sent"][row.key].append((place, row))
        for row in filter(self._is_live, meanwhile):
            places["recorded"][row.key].append(row)
        held, lost = [-1], [len(sent)]
        assert places["recorded"].keys() <= places["sent"].keys()
        for key, expected in places["sent"].items():
            told = _told(expected) if self.protocol == "coinbase" else expected
            recorded = places["recorded"][key]
            self._compare(key, [row for _, row in told[: len(recorded)]], recorded)
            held += [place for place, _ in told[: len(recorded)]]
            lost += [place for place, _ in told[len(recorded) :]]
            breaks_at = told[len(recorded)][0] if len(recorded) < len(told) else len(sent)
            told_at = [place for place, _ in told]
            for place, row in expected:
                if place < breaks_at:  # what repeats the row in front of it was told with that
                    if row.seq in self.matched:
                        self._again.append(row)
                    self.matched.setdefault(row.seq, recorded[bisect(told_at, place) - 1].seq)
        assert max(held) < min(lost), "a row was lost in the middle of a connection"

    def _fetched_first(self, rows):
        """Where history told Coinbase's bars: the connection, which was slower, does not tell them again."""
        if self.protocol != "coinbase":
            return {}
        return {(row.key, row.fact): row.seq for row in rows if row.kind is Kind.BAR and row.origin == Origin.BACKFILL}

    def _is_live(self, row):
        return row.origin == Origin.INPUT and not row.marks & Mark.SNAPSHOT

    def _compare(self, key, expected, recorded):
        facts, told = [row.fact for row in expected], [row.fact for row in recorded]
        if self.protocol == "coinbase" and key[1] is Kind.PRINT:  # a message tells its trades in any order
            facts, told = sorted(facts), sorted(told)
        assert told == facts, key

    def _check_gaps(self):
        late = set(self.sent_late())
        order = [(seq, place) for seq, place in sorted(self.matched.items()) if seq not in late]
        gaps = self.gaps()
        for opened, closed in gaps:
            self._check_times(opened, closed)
        for row in self.missing():
            before = max((place for seq, place in order if seq < row.seq), default=0)
            behind = min((place for seq, place in order if seq > row.seq), default=2**62)
            inside = [
                opened
                for opened, closed in gaps
                if opened["seq"] < behind
                and (closed is None or (before < closed["seq"] and self._is_before(row, closed)))
            ]
            assert inside, f"{row.kind.name} {row.seq} of {row.key[0]} is missing in silence"

    def _check_times(self, opened, closed):
        """A gap begins with what was heard last in front of it, and ends when it is told to have ended."""
        heard = [
            row.row["ts_recv_ns"] for row in self.recorded if row.seq < opened["seq"] and row.origin == Origin.INPUT
        ]
        assert max(heard, default=0) <= opened["from_ns"] <= opened["ts_recv_ns"]
        if closed is not None:
            assert closed["from_ns"] == opened["from_ns"]
            assert opened["from_ns"] <= closed["to_ns"] <= closed["ts_recv_ns"]

    def _is_before(self, row, closed):
        return row.row["ts_recv_ns"] <= closed["to_ns"] + self._behind_ns

    def _check_filled(self, kind):
        """Live and fetched rows are those served, each once."""
        starts, found, wanted = self._starts(), defaultdict(Counter), defaultdict(Counter)
        for row in self.recorded:
            if row.kind is kind and not row.marks & Mark.DUPLICATE:
                found[row.key][row.fact] += 1
        for row in self.served.values():
            if row.kind is kind and row.seq >= starts[kind]:
                wanted[row.key][row.fact] += 1
        for row in self._again:
            if row.kind is kind is not Kind.PRINT:  # a quote has no name of its own: it is known by all it says
                wanted[row.key][row.fact] += 1
        before = {(row.key, row.fact) for row in self.served.values() if row.seq < starts[kind]}
        for key in wanted.keys() | found.keys():
            assert not wanted[key] - found[key], (key, "was served and is not there")
            more = found[key] - wanted[key]  # of what was served before it was asked for, a venue may tell something
            assert all((key, fact) in before and more[fact] == 1 for fact in more), (key, "is there too often", more)

    def _check_bars(self, kind):
        """Every bar stands there in its last form, and in none that it never had."""
        last, forms = {}, defaultdict(set)
        for row in self.served.values():
            if row.kind is kind:
                forms[row.key].add(row.fact)
                if row.seq >= self._starts()[kind]:
                    last[row.key, row.row["ts_event_ns"]] = row.fact
        found = {(row.key, row.row["ts_event_ns"]): row.fact for row in self.recorded if row.kind is kind}
        assert last.items() <= found.items()
        assert all(row.fact in forms[row.key] for row in self.recorded if row.kind is kind)

    def sent_again(self):
        """`seq` of the rows that were sent twice because of a fault, as often as they were."""
        return [row for sent in self._served.ledger if sent.what in ("duplicate", "huge") for row in sent.rows]

    def sent_late(self):
        """`seq` of the rows that were held back."""
        return [row for sent in self._served.ledger if sent.what == "late" for row in sent.rows]

    def filling(self):
        """The rows that fill holes: fetched, or told again by the venue and not heard before."""
        return [
            row
            for row in self.recorded
            if row.kind in self.loop.filled
            and (row.origin == Origin.BACKFILL or row.marks & (Mark.SNAPSHOT | Mark.DUPLICATE) == Mark.SNAPSHOT)
        ]

    def _starts(self):
        """By kind, the first row that was sent: what was served before was not asked for yet."""
        first = {}
        for sent in self._served.ledger:
            if sent.protocol == self.protocol:
                for seq in sent.rows:
                    first.setdefault(self.served[seq].kind, seq)
        return defaultdict(int, first)

    def _carried(self):
        """All rows of the day that the protocol has words for and that were asked for."""
        encoder, found = VENUES[self.protocol].make(self._served._history).encoder, {}
        list(encoder.served(self._served.tape.definitions, self._served.tape.symbols))
        for portion in self._served.tape.portions():
            blocks = portion.live()
            said = encoder.served(blocks, self._served.tape.symbols)
            wanted = {event.seq for event in said if event.topic.channel in self.loop.channels}
            for block in blocks:
                found |= {
                    row["seq"]: self._row({**row, "kind": block.kind}, self._served.tape.symbols)
                    for row in block.rows()
                    if row["seq"] in wanted
                }
        return dict(sorted(found.items()))

    def _row(self, row, symbols):
        kind, marks = row["kind"], Mark(row.get("marks", 0))
        carried = self.loop.out.CARRIED[kind]
        step_ns = getattr(self.loop.out, "TIME_STEP_NS", {}).get(kind, 1)
        said = {**row, "ts_event_ns": row["ts_event_ns"] // step_ns * step_ns}
        if marks & Mark.CANCEL:
            carried = ("corrects_trade_id",)
        elif kind is Kind.PRINT and said["aggressor"] == Side.NONE:
            said["aggressor"] = Side.SELL
        elif kind is Kind.STATUS and row["status"] != TradingStatus.LIMITS:
            carried = ("ts_event_ns", "status")
        fact = repr([said[name] for name in carried if name not in _LEFT_OUT])
        key = symbols[row["instrument_id"]], kind
        return Row(row["seq"], kind, key, fact, Origin(row["origin"]), marks, row)


def _told(rows):
    """Quotes and bars that repeat what was said last are told once."""
    found, last = [], None
    for place, row in rows:
        says = repr(row.row) if row.kind is Kind.PRINT else _without_time(row)
        if row.kind is Kind.PRINT or says != last:
            found.append((place, row))
        last = says
    return found


def _without_time(row):
    return repr([value for name, value in row.row.items() if name.endswith(("_nano", "_steps"))])


def _symbols(log):
    return {row["instrument_id"]: row["symbol"] for row in _rows(log, [Kind.INSTRUMENT])}


def _rows(log, kinds):
    found = [
        {**row, "kind": block.kind}
        for batch in log.batches(kinds=kinds, what="inputs")
        for block in batch
        for row in block.rows()
    ]
    return sorted(found, key=lambda row: row["seq"])
