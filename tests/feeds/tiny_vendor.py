"""A vendor that exists nowhere: JSON both ways, one key, a history by pages. Small enough to be read at once.

S {"hello": 1}    C {"auth": key}      S {"auth": true} | {"error": text, "code": n}
C {"sub": [t]}    S {"ok": [t]} | {"no": {t: why}}           t is "quotes:A"
C {"unsub": [t]}  S {"bye": [t]}
S {"t": "quotes:A", "ns": 1, "n": 7}                         an event; "n" numbers them; with "snap" it is of a snapshot
"""

import json
from collections.abc import Sequence
from urllib.parse import parse_qs, urlsplit

from pipeline.block import Blocks
from pipeline.codes import FeedAction, Kind, Mark
from pipeline.feeds.dialogue import DialogueError
from pipeline.feeds.vendor import Question, Vendor
from pipeline.instruments import WHOLE_STEP_NANO, Instrument
from pipeline.normalize.rows import Rows
from pipeline.ports import Answer, Channel, Message, Topic
from pipeline.units import NANO

KEY = "sesame"
KINDS = {Channel.QUOTES: Kind.QUOTE, Channel.PRINTS: Kind.PRINT}


def word(topic: Topic) -> str:
    return f"{topic.channel}:{topic.symbol}"


def topic_of(text: str) -> Topic:
    channel, _, symbol = text.partition(":")
    return Topic(Channel(channel), symbol)


def bytes_of(value) -> bytes:
    return json.dumps(value).encode()


class TinyDialogue:
    def __init__(self):
        self.is_ready = False
        self.acknowledged = set()
        self.refused = {}
        self._asked = set()

    def connected(self):
        return []

    def concerns(self, payload):
        return not payload.startswith(b'{"t"')

    def hear(self, payload):
        match json.loads(payload):
            case {"hello": _}:
                return [bytes_of({"auth": KEY})]
            case {"auth": True}:
                self.is_ready = True
            case {"error": text, **rest}:
                raise DialogueError(
                    f"tiny: {text}",
                    is_fatal=rest.get("fatal", False),
                    floor_s=rest.get("floor_s", 0.0),
                    code=rest.get("code", 0),
                )
            case {"ok": words}:
                self.acknowledged |= {topic_of(text) for text in words}
            case {"bye": words}:
                self.acknowledged -= {topic_of(text) for text in words}
            case {"no": reasons}:
                self.refused |= {topic_of(text): why for text, why in reasons.items()}
        return []

    def want(self, topics):
        if not self.is_ready:
            return []
        new, old = topics - self._asked, self._asked - topics
        self._asked = set(topics)
        said = [{"unsub": sorted(map(word, old))}] * bool(old) + [{"sub": sorted(map(word, new))}] * bool(new)
        return list(map(bytes_of, said))


class TinyNormalizer:
    def __init__(self):
        self.trouble = ""
        self._ids = {}

    def connected(self):
        self.trouble = ""

    def read(self, messages: Sequence[Message]) -> Blocks:
        rows = Rows()
        for message in messages:
            rows.ts_recv_ns = message.ts_recv_ns
            self._read(message.payload, rows)
        return rows.batch()

    def read_history(self, answers: Sequence[Answer]) -> Blocks:
        rows = Rows()
        for answer in answers:
            rows.ts_recv_ns = answer.ts_recv_ns
            for event in json.loads(answer.payload)["events"]:
                self._add(event, rows)
        return rows.batch()

    def _read(self, payload, rows):
        try:
            said = json.loads(payload)
        except ValueError:
            rows.add_feed(FeedAction.REJECTED, f"no JSON: {payload[:20]!r}")
            return
        if "t" in said:
            self._add(said, rows)

    def _add(self, event, rows):
        topic = topic_of(event["t"])
        if topic.symbol not in self._ids:
            self._ids[topic.symbol] = len(self._ids) + 1
            rows.add_instrument(self._ids[topic.symbol], Instrument(topic.symbol, "TINY", WHOLE_STEP_NANO))
        values = {"instrument_id": self._ids[topic.symbol], "ts_event_ns": event["ns"], "vendor_seq": event["n"]}
        values["marks"] = int(Mark.SNAPSHOT if event.get("snap") else Mark.NONE)
        if topic.channel is Channel.QUOTES:
            rows.add(Kind.QUOTE, bid_nano=NANO, ask_nano=2 * NANO, bid_size_steps=1, ask_size_steps=1, **values)
        else:
            rows.add(Kind.PRINT, price_nano=NANO, size_steps=1, **values)


def pages(topic, from_ns, to_ns):
    """Asks for page after page; the answer names the next one."""
    url = f"https://tiny.test/{word(topic)}?from={from_ns}&to={to_ns}"
    while url is not None:
        body = yield Question(url, {"key": KEY})
        url = json.loads(body)["next"]


def asked_for(question: Question):
    """Topic, begin, end and place of a question, for who answers it."""
    parts = urlsplit(question.url)
    query = {name: int(values[0]) for name, values in parse_qs(parts.query).items()}
    return topic_of(parts.path[1:]), query["from"], query["to"], query.get("at", 0)


def tiny(**changes) -> Vendor:
    """Quotes of what is wanted."""
    values = {
        "name": "tiny",
        "url": "wss://tiny.test/stream",
        "dialogue": TinyDialogue,
        "normalizer": TinyNormalizer,
        "channels": {Channel.QUOTES},
        "topics": lambda symbols: frozenset(Topic(Channel.QUOTES, symbol) for symbol in symbols),
        "calendar": "24/7",
        "quiet_s": {Channel.QUOTES: 10.0},
        "history": pages,
    }
    return Vendor(**(values | changes))
