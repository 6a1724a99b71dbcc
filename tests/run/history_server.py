"""A server on loopback that speaks Databento's historical API as far as it is used here, and bills for what it sends."""

import base64
import json
import threading
from collections import deque
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit

import databento_dbn as dbn
import pyarrow as pa

from pipeline.units import DAY_NS, NANO

KEY = "db-test-key"
USD_A_RECORD = 0.0001


class Row(NamedTuple):
    """One record: the symbol it is of, its index time, its bytes."""

    symbol: str
    ts_ns: int
    record: bytes


class Fault(NamedTuple):
    """What goes wrong with the next answer of a method."""

    status: int = 200
    headers: object = ()
    body: object = None
    cut_at: float = 1.0
    """Share of the stream that is sent before the connection is cut."""
    stalls: bool = False
    """Nothing is cut: the rest never comes, until whoever waits for it is gone."""


class History:
    """What the server has, and what it was asked."""

    def __init__(self, rows, *, schema="trades", conditions=None):
        self.rows = {schema: sorted(rows, key=lambda row: row.ts_ns)}
        self.conditions = conditions or {}
        self.faults = {}
        self.asked = []
        """(method, form) of every question, in order."""
        self.sent = []
        """(schema, symbol, index time) of every record sent whole: what was billed."""
        self.warning = ""

    def fail(self, method, *faults):
        self.faults.setdefault(method, deque()).extend(faults)

    def forms(self, method):
        return [form for name, form in self.asked if name == method]

    def chosen(self, form):
        symbols = set(form["symbols"].split(","))
        first, last = int(form["start"]), int(form["end"])
        rows = self.rows.get(form["schema"], [])
        return [row for row in rows if row.symbol in symbols and first <= row.ts_ns < last]

    def answer(self, method, form):
        if method == "metadata.get_cost":
            return len(self.chosen(form)) * USD_A_RECORD
        if method == "metadata.get_record_count":
            return len(self.chosen(form))
        if method == "metadata.get_dataset_condition":
            return [
                {"date": day, "condition": self.conditions.get(day, "available"), "last_modified_date": "2026-11-21"}
                for day in days(form["start_date"], form["end_date"])
            ]
        return None

    def stream(self, form):
        rows = self.chosen(form)
        self.sent += [(form["schema"], row.symbol, row.ts_ns) for row in rows]
        return zstd(header(form, rows) + b"".join(row.record for row in rows))


def days(first, last):
    start, end = (datetime.fromisoformat(text).replace(tzinfo=UTC) for text in (first, last))
    return [
        f"{datetime.fromtimestamp(start.timestamp() + n * 86_400, UTC):%Y-%m-%d}" for n in range((end - start).days + 1)
    ]


def zstd(content):
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as out:
        out.write(content)
    return sink.getvalue().to_pybytes()


def header(form, rows):
    """Metadata with the symbols' numbers for the days asked."""
    first_ns, last_ns = int(form["start"]), int(form["end"])
    begin, end = (datetime.fromtimestamp(ns // NANO, UTC).date() for ns in (first_ns, last_ns + DAY_NS))
    numbers = {row.symbol: int.from_bytes(row.record[4:8], "little") for row in rows}
    mappings = [
        SimpleNamespace(
            raw_symbol=symbol,
            intervals=[SimpleNamespace(start_date=begin, end_date=end, symbol=str(number))],
        )
        for symbol, number in numbers.items()
    ]
    metadata = dbn.Metadata(
        form["dataset"],
        first_ns,
        dbn.SType.RAW_SYMBOL,
        dbn.SType.INSTRUMENT_ID,
        dbn.Schema(form["schema"]),
        symbols=form["symbols"].split(","),
        not_found=sorted(set(form["symbols"].split(",")) - set(numbers)),
        mappings=mappings,
        end=last_ns,
    )
    return bytes(metadata)


def trades(symbol, number, first_ns, count, *, step_ns=NANO, together=1):
    """So many trades; `together` of them share each moment."""
    return [
        Row(symbol, ts_ns, bytes(trade(number, ts_ns, rank)))
        for rank in range(count)
        for ts_ns in [first_ns + rank // together * step_ns]
    ]


def trade(number, ts_ns, rank):
    price = 4_000_000_000 + rank % 100 * 10_000_000
    return dbn.TradeMsg(
        2, number, ts_ns - 1_000, price, 100 + rank, dbn.Action.TRADE, dbn.Side.BID, 0, ts_ns, sequence=rank
    )


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        parts = urlsplit(self.path)
        self._serve(parts.path, {name: values[0] for name, values in parse_qs(parts.query).items()})

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self._serve(self.path, {name: values[0] for name, values in parse_qs(body).items()})

    def _serve(self, path, form):
        history = self.server.history
        method = path.removeprefix("/v0/")
        history.asked.append((method, form))
        if self.headers.get("Authorization") != f"Basic {base64.b64encode(f'{self.server.key}:'.encode()).decode()}":
            self._json(401, {"detail": "Authentication failed."})
            return
        waiting = history.faults.get(method)
        fault = waiting.popleft() if waiting else Fault()
        if fault.status != 200:
            self._json(fault.status, {"detail": f"fault {fault.status}"}, fault.headers)
        elif fault.body is not None:
            self._json(200, fault.body)
        elif method == "timeseries.get_range":
            self._stream(history, form, fault)
        else:
            self._json(200, history.answer(method, form))

    def _json(self, status, content, headers=()):
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        for name, value in dict(headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _stream(self, history, form, fault):
        body = history.stream(form)
        self.send_response(200)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Transfer-Encoding", "chunked")
        if history.warning:
            self.send_header("X-Warning", json.dumps([f"BentoWarning: {history.warning}"]))
        self.end_headers()
        end = int(len(body) * fault.cut_at)
        for start in range(0, end, 16_384):
            part = body[start : min(start + 16_384, end)]
            self.wfile.write(f"{len(part):x}\r\n".encode() + part + b"\r\n")
        if fault.stalls:
            self.connection.recv(1)  # nothing more is said until the other end goes
        if fault.cut_at < 1.0:
            self.close_connection = True
            return
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *_):
        pass


@contextmanager
def serving(history, key=KEY):
    """The server's address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.history, server.key = history, key
    thread = threading.Thread(target=server.serve_forever, args=[0.01])
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
