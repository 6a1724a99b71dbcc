"""Databento's stream cut into messages, and the connection it comes on."""

import asyncio
import random
import struct
from collections import Counter
from socket import SO_LINGER, SOL_SOCKET

import anyio
import databento_dbn as dbn
import numpy as np
import pyarrow as pa
import pytest
from feed_samples import DATA, START_NS, needs_data, rows_of

from pipeline.codes import AssetClass, FeedAction, Kind, Origin
from pipeline.feeds.databento import vendor
from pipeline.feeds.databento_socket import LINE_BYTES_MAX, Cut, gateway_socket, may_speak_plainly
from pipeline.feeds.opening import open_socket
from pipeline.feeds.sockets import SocketError
from pipeline.normalize import databento_words as words
from pipeline.normalize.databento_live import DatabentoRecords
from pipeline.ports import Message


def records(message, rtype, count):
    made = np.zeros(count, np.dtype(message._dtypes))
    made["length"], made["rtype"] = made.itemsize // 4, rtype
    return made.tobytes()


TEXT = [b"lsg_version=0.7\n", b"cram=abc\n", b"success=1|session_id=5\n"]
HEADER = words.header("XNAS.ITCH", 1)
ACK, MAPPING = words.system_record(1, "ok", 5), words.mapping_record(1, "SPY", 5)
MARKET = records(dbn.MBP1Msg, 1, 3) + records(dbn.TradeMsg, 0, 2)
BEHIND = records(dbn.TradeMsg, 0, 1)
STREAM = b"".join([*TEXT, HEADER, ACK, MAPPING, MARKET, ACK, BEHIND])


def test_lines_header_and_control_records_stand_alone_and_market_records_together():
    assert Cut().messages(STREAM) == [*TEXT, HEADER, ACK, MAPPING, MARKET, ACK, BEHIND]


@pytest.mark.parametrize("size", [1, 7, 16, 81, 333])
def test_pieces_of_any_size_give_the_same_bytes_in_whole_messages(size):
    cut = Cut()
    found = [each for start in range(0, len(STREAM), size) for each in cut.messages(STREAM[start : start + size])]
    assert b"".join(found) == STREAM
    assert found[:6] == [*TEXT, HEADER, ACK, MAPPING]
    for payload in found[6:]:
        whole = 0
        while whole < len(payload):
            whole += payload[whole] * 4
        assert whole == len(payload)


@pytest.mark.parametrize("bad", [bytes(16), b"\x01\x00" + bytes(14), b"\x0d\x00" + bytes(50)])
def test_a_byte_that_begins_no_record_ends_the_stream(bad):
    cut = Cut()
    cut.messages(b"".join([*TEXT, HEADER, MARKET]))
    with pytest.raises(SocketError, match="can't be followed at byte") as failed:
        cut.messages(bad)
    assert not failed.value.is_fatal
    assert str(len(b"".join([*TEXT, HEADER, MARKET]))) in str(failed.value)


def test_a_type_from_the_future_is_passed_on():
    cut = Cut()
    cut.messages(HEADER)
    future = b"\x05\xf0" + bytes(18)
    assert cut.messages(future + MARKET) == [future + MARKET]


def test_a_line_without_end_and_a_header_without_measure_end_the_stream():
    with pytest.raises(SocketError, match="a line of more"):
        Cut().messages(b"x" * (LINE_BYTES_MAX + 1))
    with pytest.raises(SocketError, match="a header of"):
        Cut(1 << 20).messages(b"DBN\x03\xff\xff\xff\x7f")


@pytest.mark.parametrize("seed", range(40))
def test_noise_is_messages_or_the_end_of_the_stream(seed):
    chance = random.Random(seed)
    noise = bytearray(STREAM)
    for _ in range(chance.randint(1, 30)):
        noise[chance.randrange(len(noise))] = chance.randrange(256)
    cut = Cut()
    found = b""
    try:
        for start in range(0, len(noise), 50):
            found += b"".join(cut.messages(bytes(noise[start : start + 50])))
    except SocketError:
        pass
    assert bytes(noise).replace(b"\n", b"").startswith(found.replace(b"\n", b""))


@needs_data
def test_a_session_that_databento_published_is_read_as_the_replay_it_was():
    with pa.input_stream(
        str(DATA / "databento/databento-python/LIVE/test_data.live.dbn.zst"), compression="zstd"
    ) as stream:
        raw = stream.read()
    cut = Cut()
    payloads = [payload for start in range(0, len(raw), 777) for payload in cut.messages(raw[start : start + 777])]
    assert b"".join(payloads) == raw
    found = rows_of([DatabentoRecords().read([Message(START_NS, payload) for payload in payloads])])
    market = [row for row in found if row["kind"] in (Kind.QUOTE, Kind.PRINT, Kind.BAR)]
    assert Counter(row["kind"] for row in market) == {Kind.BAR: 4, Kind.PRINT: 2, Kind.QUOTE: 2}
    assert {row["origin"] for row in market} == {Origin.BACKFILL}
    (first, *_) = [row for row in found if row["kind"] is Kind.INSTRUMENT]
    assert (first["symbol"], first["venue"], first["asset_class"]) == ("ESZ4", "GLBX.MDP3", AssetClass.FUTURE)
    assert not [row for row in found if row["kind"] is Kind.FEED and row["action"] == FeedAction.REJECTED]


def on_a_server(talk, test):
    """A test of a gateway's socket against a server that talks."""

    async def talk_and_go(reader, writer):
        await talk(reader, writer)
        writer.close()

    async def main():
        server = await asyncio.start_server(talk_and_go, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        socket = await open_socket(vendor("key", url=f"tcp://127.0.0.1:{port}"))
        try:
            with anyio.fail_after(20):
                return await test(socket)
        finally:
            await socket.close()
            server.close()

    return asyncio.run(main())


async def everything(socket):
    """All messages until the end, and how it ended."""
    got = []
    while True:
        try:
            got += await socket.receive()
        except SocketError as error:
            return got, error


def test_a_polite_end_is_an_end_with_a_name():
    async def talk(_reader, writer):
        writer.write(STREAM)

    got, error = on_a_server(talk, everything)
    assert b"".join(got) == STREAM
    assert "closed without a word" in str(error)
    assert not error.is_fatal


def test_a_reset_is_an_end_with_a_name():
    async def talk(_reader, writer):
        writer.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    _, error = on_a_server(talk, everything)
    assert "broken" in str(error)


def test_what_is_said_arrives_and_after_the_close_nothing_can_be_said():
    async def talk(reader, writer):
        writer.write(await reader.readline())
        await writer.drain()

    async def test(socket):
        await socket.send(b"a line\n")
        got = await socket.receive()
        await socket.close()
        with pytest.raises(SocketError):
            await socket.send(b"more\n")
        with pytest.raises(SocketError):
            await socket.receive()
        return got

    assert on_a_server(talk, test) == [b"a line\n"]


@pytest.mark.parametrize(
    ("url", "is_fine"),
    [
        ("tcp://xnas-itch.lsg.databento.com:13000", True),
        ("tcp://127.0.0.1:9", True),
        ("tcp://lsg.databento.com.example:13000", False),
        ("tcp://example.com:13000", False),
    ],
)
def test_plain_text_is_for_databentos_gateways_and_this_machine(url, is_fine):
    assert may_speak_plainly(url) == is_fine


def test_an_address_that_is_no_gateway_is_fatal():
    feed = vendor("key", url="tcp://127.0.0.1")
    with pytest.raises(SocketError, match="no gateway") as failed:
        asyncio.run(gateway_socket(feed))
    assert failed.value.is_fatal
