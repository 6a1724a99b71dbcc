"""Answers of a REST server on loopback."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from socket_servers import run

from pipeline.feeds import fetching as fetching_module
from pipeline.feeds.fetching import fetching
from pipeline.feeds.history import HistoryError
from pipeline.feeds.vendor import Question


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        status = int(self.path.strip("/").partition("?")[0] or 200)
        body = f"{self.path} {self.headers.get('Authorization')}".encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if status == 429:
            self.send_header("Retry-After", "7")
        if status == 302:
            self.send_header("Location", "http://evil.test/")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def address():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=[0.01])
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def fetched(url, headers=None):
    async def main():
        async with fetching() as fetch:
            return await fetch(Question(url, headers or {}))

    return run(main)


def test_the_body_of_an_answer_comes_as_it_is(address):
    assert fetched(f"{address}/200?a=1", {"Authorization": "Bearer k"}) == b"/200?a=1 Bearer k"


@pytest.mark.parametrize(
    ("status", "is_final", "wait_s"),
    [(302, True, 0), (401, True, 0), (404, True, 0), (429, False, 7), (500, False, 0), (503, False, 0)],
)
def test_a_status_tells_whether_asking_again_may_help(address, status, is_final, wait_s):
    with pytest.raises(HistoryError) as error:
        fetched(f"{address}/{status}?apikey=secret")
    assert (error.value.is_final, error.value.wait_s) == (is_final, wait_s)
    assert str(error.value) == f"{address}/{status}: HTTP status {status}"


def test_a_server_that_is_not_there_may_be_there_later():
    with pytest.raises(HistoryError, match=r"^http://127.0.0.1:9/x: ConnectError") as error:
        fetched("http://127.0.0.1:9/x?apikey=secret")
    assert not error.value.is_final


def test_plain_text_to_elsewhere_is_never_asked():
    with pytest.raises(HistoryError, match="plain text") as error:
        fetched("http://evil.test/x?apikey=secret", {"Authorization": "Bearer k"})
    assert error.value.is_final
    assert "secret" not in str(error.value)


def test_an_answer_without_end_is_left(address, monkeypatch):
    monkeypatch.setattr(fetching_module, "BODY_BYTES_MAX", 8)
    with pytest.raises(HistoryError, match="more than 8 bytes"):
        fetched(f"{address}/200")


def test_no_proxy_stands_between_us_and_this_machine(address, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert fetched(f"{address}/200") == b"/200 None"


@pytest.mark.parametrize(
    "headers", [{"Authorization": "Bearer topse\ncret"}, {"APCA-API-SECRET-KEY": "topse\ncret"}], ids=["bearer", "own"]
)
def test_a_key_that_can_not_be_sent_is_not_told(address, headers):
    with pytest.raises(HistoryError, match="LocalProtocolError") as error:
        fetched(f"{address}/200", headers)
    assert "cret" not in str(error.value)
    assert "***" in str(error.value)
