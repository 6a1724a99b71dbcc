"""A vendor of nothing but this test's: JSON arrays of events, one word to subscribe, one path for history."""

import json

import numpy as np

from pipeline.block import Block
from pipeline.codes import AssetClass, Kind
from pipeline.ports import Channel, Served, Topic
from pipeline.simulator.venue import HttpAnswer
from pipeline.units import MINUTE_NS, NANO

START_NS = 1_793_802_600 * NANO  # 2026-11-04T14:30:00Z: half past nine in New York
CHANNELS = {Kind.QUOTE: Channel.QUOTES, Kind.PRINT: Channel.PRINTS}


class TinyEncoder:
    def served(self, batch, symbols):
        rows = [(row["seq"], block.kind, row) for block in batch if block.kind in CHANNELS for row in block.rows()]
        for seq, kind, row in sorted(rows, key=lambda each: each[0]):
            symbol = symbols[row["instrument_id"]]
            fact = {"seq": seq, "kind": kind.name, "symbol": symbol, "ts": row["ts_event_ns"]}
            yield Served(Topic(CHANNELS[kind], symbol), seq, json.dumps(fact).encode())

    def frame(self, payloads):
        return b"[" + b",".join(payloads) + b"]"


class TinyConversation:
    def __init__(self, *, is_refusing=False):
        self.wanted = set()
        self.close_code = None
        self.is_refusing = is_refusing

    def connected(self):
        return [b'["hello"]']

    def hear(self, payload):
        said = json.loads(payload)
        if self.is_refusing:
            self.close_code = 1008
            return [b'["who are you"]']
        topics = {Topic(Channel(channel), symbol) for channel, symbol in said.get("want", [])}
        self.wanted = (self.wanted | topics) - {
            Topic(Channel(channel), symbol) for channel, symbol in said.get("drop", [])
        }
        return [json.dumps(["wanted", len(self.wanted)]).encode()]

    def too_slow(self):
        return [b'["too slow"]']


class TinyVenue:
    name = "tiny"
    path = "/tiny"
    channels = frozenset((Channel.QUOTES, Channel.PRINTS))

    def __init__(self, *, is_refusing=False):
        self.encoder = TinyEncoder()
        self.is_refusing = is_refusing

    def conversation(self, headers):
        return TinyConversation(is_refusing=self.is_refusing)

    def get(self, path, query, headers, history):
        channel, symbol = path.strip("/").split("/")
        blocks = history.rows(Topic(Channel(channel), symbol), int(query["from"]), int(query["to"]), int(query["max"]))
        rows = [[row["seq"], row["ts_event_ns"]] for block in blocks for row in block.rows()]
        return HttpAnswer(200, json.dumps(rows).encode(), {"Content-Type": "application/json"})


class TinyDay:
    """`count` events on three symbols, one a millisecond, each third a print, event times 5 ms before receive times."""

    def __init__(self, count, *, symbols=("AAA", "BBB", "CCC"), step_ns=1_000_000, batch_rows=1_000):
        self.name = "tiny day"
        self.count, self.symbols, self.step_ns, self.batch_rows = count, symbols, step_ns, batch_rows

    def events(self):
        count = len(self.symbols)
        yield [
            Block.of(
                Kind.INSTRUMENT,
                count,
                seq=np.arange(1, count + 1),
                ts_event_ns=START_NS,
                ts_recv_ns=START_NS,
                instrument_id=np.arange(1, count + 1),
                symbol=list(self.symbols),
                venue="TINY",
                asset_class=int(AssetClass.EQUITY),
                size_step_nano=NANO,
                calendar="XNYS",
            )
        ]
        for start in range(0, self.count, self.batch_rows):
            index = np.arange(start, min(start + self.batch_rows, self.count))
            is_print = index % 3 == 2
            blocks = []
            for kind, mine in ((Kind.QUOTE, ~is_print), (Kind.PRINT, is_print)):
                ts_recv_ns = START_NS + index[mine] * self.step_ns
                if mine.any():
                    blocks.append(
                        Block.of(
                            kind,
                            int(mine.sum()),
                            seq=index[mine] - start + 1,
                            ts_recv_ns=ts_recv_ns,
                            ts_event_ns=ts_recv_ns - 5_000_000,
                            instrument_id=index[mine] // 3 % count + 1,
                        )
                    )
            yield blocks


def minutes_ns(count):
    return START_NS + count * MINUTE_NS


class NumberedConversation(TinyConversation):
    """Numbers its own frames, beats, and waits half a second for a first wish: all that a conversation may do besides."""

    is_binary = True

    def __init__(self):
        super().__init__()
        self.number = 0
        self.beats = 0

    def frame(self, payloads):
        """One frame a channel, as some vendors have it."""
        events = [json.loads(payload) for payload in payloads]
        kinds = [[event for event in events if event["kind"] == kind] for kind in ("QUOTE", "PRINT")]
        return [self.numbered(found) for found in kinds if found]

    def size(self, payload):
        return len(payload)

    def numbered(self, events):
        self.number += 1
        return json.dumps({"number": self.number, "events": events}).encode()

    def waited(self, elapsed_s):
        if not self.wanted and elapsed_s > 0.5:
            self.close_code = 1008
            return [b'["nothing wanted"]']
        due = int(elapsed_s / 0.2) - self.beats
        self.beats += due
        return [self.numbered([]) for _ in range(due)]


class NumberedVenue(TinyVenue):
    def conversation(self, headers):
        return NumberedConversation()
