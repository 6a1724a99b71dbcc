"""Decoders: whatever reads bytes that a stranger wrote, or that a disk may have changed; how broken ones are drawn and put to it.

Each is made of a folder that it may use, and has `draw(rng)` and `check(messages)`, which raises where a decoder did
anything but decode or refuse with an error of ours.
"""

import numpy as np
from databento_samples import opened
from decoder_samples import (
    ALPACA_EVENTS,
    ALPACA_PAGES,
    ALPACA_SNAPSHOTS,
    BINANCE_LINES,
    BROKER_BODIES,
    COINBASE_LINES,
    COINBASE_MESSAGES,
    COINBASE_PAGES,
    CONFIG_WORDS,
    CSV,
    DBN_FILE,
    HYPERLIQUID_LINES,
    MANIFEST_TEXTS,
    MAPPING,
    MASSIVE_EVENTS,
    MASSIVE_PAGES,
    MASSIVE_SNAPSHOTS,
    PARQUET,
    PAYLOADS,
    RECORDS,
    REFERENCE_BODIES,
    SCANNERS,
    SEGMENT,
)
from mutations import Bytes, Texts

from pipeline.config import duration_ns, moment_ns, zone_named
from pipeline.errors import ConfigError, FeedError, LogError, SchemaError, TapeError
from pipeline.execution.alpaca import AlpacaTongue
from pipeline.execution.calls import Answer as Said
from pipeline.execution.coinbase import CoinbaseTongue
from pipeline.execution.tongue import StreamError
from pipeline.feeds.captures import CaptureFile
from pipeline.feeds.dbn import DbnFile
from pipeline.feeds.files import feed_of
from pipeline.feeds.merge import merged
from pipeline.feeds.tables import TableFile, mapping_from
from pipeline.log import manifest
from pipeline.log.codec import decode, decode_schemas, encode
from pipeline.log.scan import Scan
from pipeline.normalize import reference_bodies
from pipeline.normalize.alpaca import AlpacaMessages
from pipeline.normalize.alpaca_words import Encoding
from pipeline.normalize.coinbase_advanced import CoinbaseMessages
from pipeline.normalize.massive import MassiveMessages
from pipeline.ports import Answer, Channel, Message, Topic
from pipeline.scanner.fields import FIELDS
from pipeline.scanner.reading import definition_from, list_from
from pipeline.units import DAY_NS, TS_MAX_NS, TS_MIN_NS

RECV_NS = 1_788_877_047_310_000_000
READ_AS = mapping_from(MAPPING)


def proved(batch):
    """That a log could hold these rows: dense, one block a kind, and the same when they are read again."""
    if not batch:
        return
    seqs = np.sort(np.concatenate([block.number("seq") for block in batch]))
    assert np.array_equal(seqs, np.arange(1, len(seqs) + 1)), "seq is not dense"
    kinds = [block.kind for block in batch]
    assert len(set(kinds)) == len(kinds), "a kind has two blocks"
    for block in batch:
        times = block.number("ts_event_ns")
        assert ((times >= TS_MIN_NS) & (times < TS_MAX_NS)).all(), "a time that no event has"
    payload = encode(batch)
    again = decode(payload)
    assert [block.kind for block in again] == kinds
    assert encode(again) == payload


class Decoder:
    """One decoder. `mutations`: how its messages are broken."""

    mutations: Texts | Bytes
    messages = 100
    """In a seed."""

    def __init__(self, folder):
        self.folder = folder

    def draw(self, rng):
        return self.mutations.draw(rng)

    def check(self, messages):
        for message in messages:
            self.check_one(message)

    def check_one(self, message):
        raise AssertionError(f"{type(self).__name__} does not say how it reads {message!r}")


class Live(Decoder):
    """A vendor's messages, many at once as a session takes them."""

    def check(self, messages):
        found = self.normalizer().read([Message(RECV_NS + place, payload) for place, payload in enumerate(messages)])
        proved(found)


class Massive(Live):
    mutations = Texts(MASSIVE_EVENTS)
    normalizer = staticmethod(MassiveMessages)


class AlpacaText(Live):
    mutations = Texts(ALPACA_EVENTS[Encoding.JSON])
    normalizer = staticmethod(lambda: AlpacaMessages(encoding=Encoding.JSON))


class AlpacaPacked(Live):
    mutations = Bytes(ALPACA_EVENTS[Encoding.MSGPACK])
    normalizer = staticmethod(lambda: AlpacaMessages(encoding=Encoding.MSGPACK))


class Coinbase(Live):
    mutations = Texts(COINBASE_MESSAGES)
    normalizer = staticmethod(CoinbaseMessages)


class Databento(Live):
    mutations = Bytes(RECORDS)
    normalizer = staticmethod(lambda: opened("SPY", "QQQ"))


class Pages(Decoder):
    """A vendor's answers to questions about the past."""

    channels = (Channel.PRINTS, Channel.QUOTES, Channel.BARS_1M, Channel.STATUSES)

    def check(self, messages):
        answers = [
            Answer(Topic(self.channels[place % len(self.channels)], "AAPL"), RECV_NS + place, body)
            for place, body in enumerate(messages)
        ]
        proved(self.normalizer().read_history(answers))


class MassivePages(Pages):
    mutations = Texts(MASSIVE_PAGES)
    normalizer = staticmethod(MassiveMessages)


class AlpacaPages(Pages):
    mutations = Texts(ALPACA_PAGES)
    normalizer = staticmethod(AlpacaMessages)


class CoinbasePages(Pages):
    mutations = Texts(COINBASE_PAGES)
    normalizer = staticmethod(CoinbaseMessages)
    channels = (Channel.PRINTS, Channel.BARS_5M)


class Snapshots(Decoder):
    """A vendor's answers to how the market stands."""

    def check(self, messages):
        topic = Topic(Channel.SNAPSHOTS, "")
        answers = [Answer(topic, RECV_NS + place * 10**9, body) for place, body in enumerate(messages)]
        proved(self.normalizer().read_snapshots(answers))


class MassiveSnapshots(Snapshots):
    mutations = Texts(MASSIVE_SNAPSHOTS)
    normalizer = staticmethod(MassiveMessages)


class AlpacaSnapshots(Snapshots):
    mutations = Texts(ALPACA_SNAPSHOTS)
    normalizer = staticmethod(AlpacaMessages)


class File(Decoder):
    """A file; `name` ends as such files do."""

    name = ""
    messages = 10

    def check_one(self, message):
        self._read(message, self.source)

    def _read(self, content, source):
        path = self.folder / self.name
        path.write_bytes(content)
        try:
            for batch in merged([source(path)], timer_interval_ns=None):
                assert batch
        except FeedError:
            return


class Capture(File):
    """Lines of a capture: those that are broken among them cost nobody else, so all are one file, behind a good one."""

    name = "x.cap"
    messages = 100
    source = staticmethod(CaptureFile)

    def check(self, messages):
        lines = [message.replace(b"\n", b" ") for message in messages]
        self._read(b"\n".join([self.first, *lines]), self.source)


class Binance(Capture):
    mutations = Texts(BINANCE_LINES)
    first = BINANCE_LINES[0]


class CoinbaseExchange(Capture):
    mutations = Texts(COINBASE_LINES)
    first = COINBASE_LINES[0]


class Hyperliquid(Capture):
    mutations = Texts(HYPERLIQUID_LINES)
    first = HYPERLIQUID_LINES[0]


class DatabentoFile(File):
    mutations = Bytes([DBN_FILE])
    name = "x.dbn"
    source = staticmethod(DbnFile)


class CsvTable(File):
    """Rows of a table, each between good ones: a file of which most can't be read is refused whole."""

    mutations = Texts(CSV.splitlines()[1:])
    name = "x.csv"
    messages = 100
    source = staticmethod(lambda path: TableFile(path, READ_AS))

    def check(self, messages):
        header, *good = CSV.splitlines()
        rows = [row for message in messages for row in (*good, message.replace(b"\n", b" "))]
        self._read(b"\n".join([header, *rows, b""]), self.source)


class ParquetTable(File):
    mutations = Bytes([PARQUET])
    name = "x.parquet"
    source = staticmethod(lambda path: feed_of(path, mapping=READ_AS))


class References(Decoder):
    """What providers say of instruments."""

    mutations = Texts([body for _, body in REFERENCE_BODIES])

    def check_one(self, message):
        for name in {name for name, _ in REFERENCE_BODIES}:
            try:
                facts = getattr(reference_bodies, name)(message, RECV_NS)
            except FeedError:
                continue
            assert all(fact.symbol and (fact.text or fact.value >= 0) for fact in facts)


class Broker(Decoder):
    """All that a broker answers and streams."""

    def check_one(self, message):
        tongue, said = self.tongue, Said(200, message)
        tongue.placed(said)
        tongue.placed(Said(422, message))
        tongue.cancelled(said)
        for talk in (tongue.find("c7", "v1", RECV_NS), tongue.orders(RECV_NS), tongue.standing()):
            next(talk)
            try:
                for _ in range(10):
                    talk.send(said)
            except StopIteration:
                continue
        conversation = tongue.conversation()
        conversation.opened()
        try:
            conversation.hear(message)
            conversation.hear(message)
        except StreamError:
            return


class AlpacaBroker(Broker):
    mutations = Texts(BROKER_BODIES["alpaca"])
    tongue = AlpacaTongue("key", "secret")


class CoinbaseBroker(Broker):
    mutations = Texts(BROKER_BODIES["coinbase"])
    tongue = CoinbaseTongue(lambda: "token")


class Frames(Decoder):
    """A journal's segment: of what was changed nothing is read."""

    mutations = Bytes([SEGMENT])

    def check_one(self, message):
        scan = Scan(message)
        for frame in scan:
            assert len(frame.payload) == frame.header.payload_bytes
        assert SEGMENT.startswith(message[: scan.place.offset]), "changed bytes were read"


class Payloads(Decoder):
    """What is in a frame, behind checksums that were right."""

    mutations = Bytes(PAYLOADS)

    def check_one(self, message):
        for read in (decode, decode_schemas):
            try:
                read(message)
            except SchemaError:
                continue


class Manifests(Decoder):
    """A manifest whose bytes were changed, and one whose text was, with its hash."""

    mutations = Texts(MANIFEST_TEXTS)

    def draw(self, rng):
        text = super().draw(rng)
        sealed = manifest._sealed(text)
        return self.mutations.draw(rng) if rng.random() < 0.2 else sealed

    def check_one(self, message):
        try:
            made = manifest.decode(message, self.folder / "manifest.json")
        except LogError:
            return
        manifest.encode(made)


class Definitions(Decoder):
    """Definitions of scanners and of lists."""

    mutations = Texts(SCANNERS)

    def check_one(self, message):
        text = message.decode("utf-8", "surrogateescape")
        for read in (lambda: definition_from(text, "x.toml", FIELDS), lambda: list_from(text, "x.toml", text)):
            told = ""
            try:
                read()
            except ConfigError as error:
                told = str(error)
            assert "\n" not in told, "a refusal of several lines"


class Words(Decoder):
    """What people write on a command line."""

    mutations = Texts(CONFIG_WORDS)

    def check_one(self, message):
        text = message.decode("utf-8", "surrogateescape")
        for read in (duration_ns, lambda text: moment_ns(text, day_ns=DAY_NS * 20_000), zone_named, mapping_from):
            try:
                read(text)
            except TapeError:
                continue


DECODERS = {
    "massive": Massive,
    "massive-pages": MassivePages,
    "massive-snapshots": MassiveSnapshots,
    "alpaca-json": AlpacaText,
    "alpaca-msgpack": AlpacaPacked,
    "alpaca-pages": AlpacaPages,
    "alpaca-snapshots": AlpacaSnapshots,
    "coinbase": Coinbase,
    "coinbase-pages": CoinbasePages,
    "coinbase-exchange": CoinbaseExchange,
    "databento-live": Databento,
    "databento-file": DatabentoFile,
    "binance": Binance,
    "hyperliquid": Hyperliquid,
    "csv": CsvTable,
    "parquet": ParquetTable,
    "references": References,
    "alpaca-broker": AlpacaBroker,
    "coinbase-broker": CoinbaseBroker,
    "frames": Frames,
    "payloads": Payloads,
    "manifest": Manifests,
    "definitions": Definitions,
    "words": Words,
}
