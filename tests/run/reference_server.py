"""A server on loopback that answers as providers of reference data do, and what Massive says of one share."""

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self._answer("")

    def do_POST(self):
        self._answer(self.rfile.read(int(self.headers["Content-Length"])).decode())

    def _answer(self, form):
        self.server.asked.append((self.path, form, dict(self.headers)))
        waiting = self.server.statuses
        status = waiting.pop(0) if waiting else 200
        answer = self.server.answers.get(self.path.partition("?")[0])
        if callable(answer):
            answer = answer(self.path)
        body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(404 if answer is None else status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@contextmanager
def serving(answers, statuses=()):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.answers, server.statuses, server.asked = answers, list(statuses), []
    thread = threading.Thread(target=server.serve_forever, args=[0.01])
    thread.start()
    try:
        yield server, f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def split(ratio, day):
    return {"ticker": "ABCD", "execution_date": day, "split_to": ratio, "split_from": 1}


MASSIVE = {
    "/v3/reference/tickers/ABCD": {"results": {"ticker": "ABCD", "type": "CS", "share_class_shares_outstanding": 8e6}},
    "/stocks/vX/float": {"results": [{"ticker": "ABCD", "free_float": 4.2e6, "effective_date": "2026-11-13"}]},
    "/v3/reference/splits": lambda path: (
        {"results": [split(2, "2026-01-05")]}
        if "cursor=x" in path
        else {"results": [split(3, "2026-02-05")], "next_url": "https://evil.test/v3/reference/splits?cursor=x"}
    ),
    "/v2/aggs/ticker/ABCD/prev": {"results": [{"T": "ABCD", "c": 4.1, "t": 1763586000000}]},
}
