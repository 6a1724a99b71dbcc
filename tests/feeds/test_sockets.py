"""The real WebSocket, over loopback."""

import http
import os

import anyio
import pytest
from socket_servers import connected, fin, flood, received, rst, run, served
from tiny_vendor import tiny

from pipeline.feeds.sockets import SocketError, is_loopback, refuse_plain_text, web_socket, without_query

MIB = 2**20


def ended(end, **options):
    """How a client sees a connection that a server ends."""

    async def handler(connection):
        await connection.send("first")
        await end(connection)

    async def main():
        async with connected(handler, **options) as socket:
            assert await received(socket, 1) == [b"first"]
            with pytest.raises(SocketError) as error:
                await socket.receive()
            with pytest.raises(SocketError):
                await socket.send(b"{}")
            return error.value

    return run(main)


@pytest.mark.parametrize("code", [1000, 1001, 1002, 1008, 1011, 1012, 4001])
def test_a_close_is_told_with_the_servers_code_and_reason(code):
    error = ended(lambda connection: connection.close(code, "so it is"))
    assert (error.code, str(error)) == (code, "closed: so it is")


@pytest.mark.parametrize("cut", [fin, rst])
def test_an_end_without_goodbye_is_told_as_such(cut):
    async def end(connection):
        cut(connection)

    error = ended(end)
    assert error.code == 1006
    assert str(error).startswith("no goodbye")
    assert not error.is_fatal


def test_messages_come_in_order_in_whatever_frames():
    sent = [f'{{"n": {n}}}'.encode() for n in range(2_000)]

    async def handler(connection):
        for n, payload in enumerate(sent):
            if n % 7 == 0:
                await connection.send([payload[:3], payload[3:4], payload[4:]])  # in fragments
            else:
                await connection.send(payload, text=bool(n % 2))
        await connection.wait_closed()

    async def main():
        async with connected(handler) as socket:
            return await received(socket, len(sent))

    assert run(main) == sent


def test_what_waits_is_taken_at_once():
    async def handler(connection):
        for n in range(500):
            await connection.send(b"%d" % n)
        await connection.wait_closed()

    async def main():
        async with connected(handler) as socket:
            await anyio.sleep(0.2)
            wakes, payloads = 0, []
            while len(payloads) < 500:
                payloads += await socket.receive()
                wakes += 1
            return wakes, payloads

    wakes, payloads = run(main)
    assert payloads == [b"%d" % n for n in range(500)]
    assert wakes < 100


def test_json_is_sent_as_text_and_everything_else_as_bytes():
    heard = []

    async def handler(connection):
        heard.extend([await connection.recv() for _ in range(3)])
        await connection.send(b"heard")

    async def main():
        async with connected(handler) as socket:
            for payload in (b'{"action": "auth"}', b'["a"]', b"\x81\xa6action\xa4auth"):
                await socket.send(payload)
            await received(socket, 1)

    run(main)
    assert heard == ['{"action": "auth"}', '["a"]', b"\x81\xa6action\xa4auth"]


def test_a_large_message_within_the_limit_comes_whole_and_one_above_it_ends_the_connection():
    payload = os.urandom(20 * MIB)

    async def handler(connection):
        await connection.send(payload)
        await connection.wait_closed()

    async def main(bytes_max):
        async with connected(handler, frame_bytes_max=bytes_max) as socket:
            return await received(socket, 1)

    assert run(lambda: main(32 * MIB)) == [payload]
    with pytest.raises(SocketError) as error:
        run(lambda: main(16 * MIB))
    assert error.value.code == 1009
    assert str(error.value).startswith("we closed: ")


async def sends_for_ever(connection):
    await flood(connection)


def test_a_close_under_load_comes_to_an_end():
    async def main():
        async with connected(sends_for_ever) as socket:
            await received(socket, 100)
            await socket.close()
            with pytest.raises(SocketError):
                while True:
                    await socket.receive()

    run(main)


def test_a_close_that_nobody_answers_comes_to_an_end():
    async def main():
        is_over = anyio.Event()

        async def handler(connection):
            connection.transport.pause_reading()
            await is_over.wait()

        async with served(handler) as url:
            socket = await web_socket(tiny(url=url))
            await socket.close()
            is_over.set()
            with pytest.raises(SocketError):
                await socket.receive()

    run(main)


def test_cancellation_under_load_comes_to_an_end():
    async def main():
        async with connected(sends_for_ever) as socket:
            with anyio.move_on_after(0.3) as scope:
                while True:
                    await socket.receive()
            return scope.cancelled_caught

    assert run(main)


@pytest.mark.parametrize(
    ("status", "headers", "is_fatal", "floor_s"),
    [
        (401, {}, True, 0.0),
        (403, {}, True, 0.0),
        (404, {}, False, 0.0),
        (429, {}, False, 10.0),
        (429, {"Retry-After": "30"}, False, 30.0),
        (429, {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}, False, 10.0),
        (429, {"Retry-After": "999999999"}, False, 3600.0),
        (503, {"Retry-After": "30"}, False, 0.0),
    ],
)
def test_a_refused_handshake_is_classified_by_its_status(status, headers, is_fatal, floor_s):
    def refuse(connection, _request):
        response = connection.respond(http.HTTPStatus(status), "no\n")
        for name, value in headers.items():
            response.headers[name] = value
        return response

    async def main():
        async with connected(sends_for_ever, process_request=refuse):
            raise AssertionError

    with pytest.raises(SocketError) as error:
        run(main)
    assert (error.value.code, error.value.is_fatal, error.value.floor_s) == (status, is_fatal, floor_s)


def test_a_server_that_speaks_no_websocket_is_an_error_of_the_feed():
    async def main():
        async def answer(stream):
            await stream.receive()
            await stream.send(b"SSH-2.0-OpenSSH\r\n")
            await stream.aclose()

        listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
        async with listener, anyio.create_task_group() as tasks:
            tasks.start_soon(listener.serve, answer)
            port = listener.extra(anyio.abc.SocketAttribute.local_port)
            try:
                with pytest.raises(SocketError, match="no WebSocket"):
                    await web_socket(tiny(url=f"ws://127.0.0.1:{port}/"))
            finally:
                tasks.cancel_scope.cancel()

    run(main)


def test_no_proxy_stands_between_us_and_this_machine(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "ws_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")

    async def handler(connection):
        await connection.send("here")
        await connection.wait_closed()

    async def main():
        async with connected(handler) as socket:
            return await received(socket, 1)

    assert run(main) == [b"here"]


@pytest.mark.parametrize(
    ("url", "is_ours"),
    [
        ("ws://127.0.0.1:9000/stocks", True),
        ("ws://127.8.9.1/", True),
        ("ws://[::1]:9000/", True),
        ("ws://localhost/", True),
        ("ws://localhost.evil.test/", False),
        ("ws://127.0.0.1.evil.test/", False),
        ("ws://10.0.0.1/", False),
        ("ws://0.0.0.0/", False),
        ("ws://user:127.0.0.1@evil.test/", False),
        ("ws:///nowhere", False),
    ],
)
def test_plain_text_is_spoken_to_this_machine_only(url, is_ours):
    assert is_loopback(url) is is_ours
    if is_ours:
        refuse_plain_text(url)
    else:
        with pytest.raises(SocketError, match="plain text") as error:
            refuse_plain_text(url)
        assert error.value.is_fatal
        refuse_plain_text(url.replace("ws:", "wss:"))


def test_an_address_is_told_without_what_may_be_secret():
    assert without_query("wss://me:word@h.test:8443/a/b?token=1#x") == "wss://h.test:8443/a/b"
    assert without_query("ws://[::1]:9/a?key=2") == "ws://[::1]:9/a"
