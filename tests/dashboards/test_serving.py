"""Serving: this machine alone, unless there is a password; and then nothing before it was said."""

import http.client
import os
import signal
import socket
import time
from contextlib import closing
from urllib.parse import urlsplit

import anyio
import pytest
from click.testing import CliRunner
from pages_served import RUN, Server
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from dashboards import gate
from dashboards.serving import PASSWORD, checked, options
from pipeline.cli import main
from pipeline.errors import ConfigError


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "localhost", "127.8.0.1"])
def test_this_machine_needs_no_password(address):
    assert checked(address, "")


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "192.168.1.7"])
def test_others_need_one(address):
    with pytest.raises(ConfigError, match=f"--address {address}: .* {PASSWORD}"):
        checked(address, "")
    assert not checked(address, "secret")


@pytest.mark.parametrize("password", ["\udcff", "a\n", "\x00"])
def test_a_password_that_nobody_can_type_is_refused(password):
    with pytest.raises(ConfigError, match=f"{PASSWORD}: accepted is text"):
        checked("127.0.0.1", password)
    assert checked("127.0.0.1", "schlüssel: 鍵")


def test_an_address_that_is_none_is_refused():
    with pytest.raises(ConfigError, match="accepted is an IP address"):
        checked("example", "secret")


def test_nothing_leaves_and_no_file_comes_in():
    told = options("127.0.0.1", 0, is_alone=True)
    assert told["browser.gatherUsageStats"] is False
    assert told["server.enableXsrfProtection"] is True
    assert told["server.allowedHosts"] == ["localhost", "127.0.0.1"]


@pytest.mark.parametrize("address", ["127.8.0.1", "::1"])
def test_an_address_of_this_machine_answers_by_its_own_name(address):
    assert options(address, 0, is_alone=True)["server.allowedHosts"] == ["localhost", "127.0.0.1", address]


def is_let_in(app, scope):
    """Whether a request comes through to what stands behind."""
    came = []

    async def behind(*_):
        came.append(True)

    async def told():
        async def send(_):
            pass

        async def receive():
            return {"type": "http.request", "body": b"", "more_body": False}

        await app(behind)(scope, receive, send)

    anyio.run(told)
    return came == [True]


@pytest.mark.parametrize(
    ("origin", "is_ours"),
    [
        ("http://localhost:8501", True),
        (None, True),
        ("http://localhost:9999", False),
        ("http://127.0.0.1:8501", False),
        ("https://evil.test", False),
        ("null", False),
    ],
)
def test_a_page_of_another_origin_opens_no_socket(origin, is_ours):
    headers = [(b"host", b"localhost:8501"), *([(b"origin", origin.encode())] if origin else [])]
    assert is_let_in(gate.SameOrigin, {"type": "websocket", "headers": headers}) is is_ours
    assert is_let_in(gate.SameOrigin, {"type": "http", "headers": headers})


@pytest.mark.parametrize("beside", ["", 'prefs={"a":1}; ', "a[b]=1; ", "odd; ", 'x="; ', "path=1; "])
def test_cookies_of_other_servers_of_this_machine_do_not_hide_ours(beside):
    shut = gate.Gate(None, "secret")
    cookie = f"{beside}{gate.COOKIE}={shut._token}".encode()
    assert shut._is_known({"headers": [(b"cookie", cookie)]})
    assert not shut._is_known({"headers": [(b"cookie", cookie + b"x")]})


def asked(server, method, path, body=None, **headers):
    with closing(http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=120)) as connection:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()


def test_an_address_that_others_reach_is_refused_in_one_line(home, monkeypatch):
    monkeypatch.delenv(PASSWORD, raising=False)
    told = CliRunner().invoke(main, ["--home", str(home), "dashboard", "--address", "0.0.0.0", "--no-browser"])
    assert told.exit_code == 2
    assert len(told.output.splitlines()) == 1


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_a_port_that_is_taken_is_told_in_one_line(home, address):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.create_server((address, 0), family=family) as taken:
        port = str(taken.getsockname()[1])
        words = ["dashboard", "--address", address, "--port", port, "--no-browser"]
        told = CliRunner().invoke(main, ["--home", str(home), *words])
    assert told.exit_code == 2
    assert told.output.startswith(f"tape: --port {port} at {address}: Address already in use")
    assert len(told.output.splitlines()) == 1


def test_ctrl_c_at_the_terminal_reaches_all_its_processes_and_ends_without_a_word(home, tmp_path):
    with (tmp_path / "told").open("w") as told:
        server = Server(home, stderr=told, start_new_session=True)
        time.sleep(1.0)  # the keeper is at work
        os.killpg(server.process.pid, signal.SIGINT)
        assert server.process.wait(60) == 0
        server.process.stdout.close()
    assert "Traceback" not in (tmp_path / "told").read_text()
    assert "leaked" not in (tmp_path / "told").read_text()


def test_behind_a_password_nothing_is_there_before_it_was_said(home):
    server = Server(home, "--session", "last-run", **{PASSWORD: "an odd one: &=%"})
    try:
        assert server.url.endswith(f"/?log={RUN}")
        for path in ("/", "/_stcore/health", "/app/static/lightweight-charts.mjs", "/sessions?log=x"):
            status, _, body = asked(server, "GET", path)
            assert (status, b"Password" in body) == (401, True), path
        with pytest.raises(InvalidStatus), connect(f"ws://{urlsplit(server.url).netloc}/_stcore/stream"):
            pass
        assert asked(server, "POST", "/", "password=wrong")[0] == 401
        status, headers, _ = asked(server, "POST", "//evil.test/x?log=a", "password=an+odd+one%3A+%26%3D%25")
        assert (status, headers["location"]) == (303, "/evil.test/x?log=a")
        cookie = headers["set-cookie"].split(";")[0]
        assert "HttpOnly; SameSite=Strict" in headers["set-cookie"]
        assert asked(server, "GET", "/app/static/lightweight-charts.mjs", Cookie=cookie)[0] == 200
        assert asked(server, "GET", "/", Cookie=cookie[:-1] + "x")[0] == 401
    finally:
        server.end()


def test_a_long_body_is_no_password():
    async def told(chunks):
        parts = iter(chunks)

        async def receive():
            return next(parts)

        return await gate._body(receive)

    rest = {"type": "http.request", "body": b"x" * 1_500, "more_body": True}
    assert anyio.run(told, [rest, rest]) == b""
    assert (
        anyio.run(
            told,
            [{"type": "http.request", "body": b"pass", "more_body": True}, {"type": "http.request", "body": b"word"}],
        )
        == b"password"
    )
    assert anyio.run(told, [{"type": "http.disconnect"}]) == b""
