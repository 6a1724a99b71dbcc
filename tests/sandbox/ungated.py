"""Run as a process: closes itself in as a worker does, and then lets attacks on DuckDB and on the system happen, without a gate.

Arguments: the store, a file that is outside of what may be read, a folder to write into, a port that listens, the pid of who asks.
A line of JSON in: statements; a line of JSON out: what became of each, and of what was tried of Python itself.
"""

import ctypes
import json
import os
import resource
import socket
import sys
from pathlib import Path

from pipeline.sandbox import closing


def tried(action):
    """`done`, or the sort of error that it met."""
    try:
        action()
    except Exception as error:  # noqa: BLE001 - any is an answer
        return type(error).__name__
    return "done"


def connected(port):
    with socket.socket() as connection:
        connection.settimeout(5)
        connection.connect(("127.0.0.1", port))


def main():
    home, outside, folder, port, parent = (
        Path(sys.argv[1]),
        sys.argv[2],
        Path(sys.argv[3]),
        int(sys.argv[4]),
        int(sys.argv[5]),
    )
    out = os.fdopen(os.dup(1), "w")
    threads = len(list(Path("/proc/self/task").iterdir()))
    protection = closing.close(home, memory=1 << 30)
    first = {
        "read a file outside": tried(lambda: Path(outside).read_bytes()),
        "read /etc/passwd": tried(lambda: Path("/etc/passwd").read_bytes()),
        "read its own environment": tried(lambda: Path("/proc/self/environ").read_bytes()),
        "read the environment of who asks": tried(lambda: Path(f"/proc/{parent}/environ").read_bytes()),
        "read the memory of who asks": tried(lambda: os.open(f"/proc/{parent}/mem", os.O_RDONLY)),
        "read an account": tried((home / "accounts" / "kept.csv").read_bytes),
        "list the folder of who asks": tried(lambda: list(folder.iterdir())),
        "write into the tape": tried(lambda: (home / "sessions" / "x").write_bytes(b"x")),
        "write elsewhere": tried(lambda: (folder / "x").write_bytes(b"x")),
        "make a folder": tried((folder / "x").mkdir),
        "remove a log": tried(next((home / "sessions").glob("*/manifest.json")).unlink),
        "cut a log": tried(lambda: os.truncate(next((home / "sessions").glob("*/manifest.json")), 0)),
        "run a program": tried(lambda: os.execv("/bin/true", ["true"])),
        "connect": tried(lambda: connected(port)),
        "speak to a neighbour": tried(lambda: socket.socket(socket.AF_UNIX).close()),
        "send a datagram": tried(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).close()),
        "listen": tried(lambda: socket.create_server(("127.0.0.1", 0)).close()),
        "signal who asks": tried(lambda: os.kill(parent, 0)),
    }
    from pipeline.sandbox import answering  # noqa: PLC0415 - behind the closing, as a worker does
    from pipeline.sandbox.speech import Limits  # noqa: PLC0415 - as above

    limits = Limits()
    connection = answering.over(home, ["day"], ["quotes", "fills"], limits)
    secret_frame = connection.sql("select 42 as canary_of_a_frame")  # what a replacement scan would find by its name
    outcomes = []
    for sql in json.loads(sys.stdin.readline()):
        connection.begin()  # what it does to the catalog in memory harms nobody, but for the attacks behind it
        try:
            rows = connection.execute(sql).fetchall()[:50]
        except Exception as error:  # noqa: BLE001 - any is an answer
            outcomes.append(["refused", type(error).__name__, str(error)])
        else:
            outcomes.append(["answered", "", repr(rows)])
        finally:
            tried(connection.rollback)
    settings = [
        "enable_external_access",
        "lock_configuration",
        "python_enable_replacements",
        "temp_directory",
        "threads",
        "memory_limit",
    ]
    told = {name: connection.execute("select current_setting($1)", [name]).fetchall()[0][0] for name in settings}
    still = connection.sql("select count(*), sum(bid) from quotes").fetchall()
    report = {
        "threads": threads, "protection": protection, "tried": first, "outcomes": outcomes, "settings": told, "still": still,
        "limits": {name: resource.getrlimit(getattr(resource, f"RLIMIT_{name}")) for name in ("FSIZE", "CORE", "DATA", "AS")},
        "no new privileges": ctypes.CDLL(None).prctl(39, 0, 0, 0, 0), "environment": dict(os.environ), "frame": secret_frame.columns,
    }  # fmt: skip
    print(json.dumps(report), file=out, flush=True)


main()
