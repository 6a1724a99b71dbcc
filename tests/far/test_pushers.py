"""Real processes that push into one S3 server in the same moment: whatever is seen is whole, and who was told so is right."""

import json
import random
import signal
import subprocess
import sys
import time

import pytest
from blake3 import blake3

from pipeline.log import manifest
from pipeline.log.export import bring_in, export
from pipeline.log.far import Far, code_name, log_id_in, part_name
from pipeline.log.store import Store

ID = "generated-3"
PUSHERS = 6

PUSHER = """
import sys, time
from pathlib import Path
from pipeline.errors import ConfigError, TapeError
from pipeline.log.far import Far
from pipeline.log.pushing import push
from pipeline.log.store import Store

stores = [Store(Path(home)) for home in sys.argv[1:]]
print("ready", flush=True)
for line in sys.stdin:
    uri, number, at_ns = line.split()
    while time.time_ns() < int(at_ns):
        pass
    try:
        print("pushed" if push(stores[int(number)], "generated-3", Far(uri)).is_new else "there", flush=True)
    except ConfigError as error:
        print("refused", error, flush=True)
    except TapeError as error:
        print("failed", error, flush=True)
"""


class Crew:
    """Pushers, each a process; a killed one is replaced."""

    def __init__(self, homes):
        self.homes = homes
        self.processes = [self.started() for _ in range(PUSHERS)]
        for process in self.processes:
            assert process.stdout.readline() == "ready\n"

    def started(self):
        words = [sys.executable, "-c", PUSHER, *map(str, self.homes)]
        return subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def push(self, uri, stores, kill_after_s=None):
        """What each said of a push out of the store of this number, all begun in one millisecond; '' of a killed one."""
        at_ns = time.time_ns() + 5_000_000
        for process, store in zip(self.processes, stores, strict=True):
            process.stdin.write(f"{uri} {store} {at_ns}\n")
            process.stdin.flush()
        if kill_after_s is not None:
            time.sleep(kill_after_s)
            self.processes[0].send_signal(signal.SIGKILL)
        said = [process.stdout.readline().strip() for process in self.processes]
        if kill_after_s is not None:
            self.processes[0].communicate()
            self.processes[0] = self.started()
            assert self.processes[0].stdout.readline() == "ready\n"
        return said

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.processes:
            process.kill()
            process.communicate()


@pytest.fixture(scope="module")
def logs(recorded, tmp_path_factory):
    """Two stores with two logs of one name."""
    other = Store(tmp_path_factory.mktemp("other"))
    bring_in(other, export(recorded, ID, other.home / "copy"))
    manifest.update(other.folder(ID), log_id="f" * 32)
    return recorded, other


def check_whole(bucket, folder, of):
    """Every object of a log is there with the bytes it should have."""
    names = {part_name(of, part): part.blake3 for part in of.parts}
    for name, digest in names.items():
        assert blake3((folder / name).read_bytes()).hexdigest() == digest, name
    texts = json.loads((folder / code_name(of)).read_bytes())
    assert {name: blake3(text.encode()).hexdigest() for name, text in texts.items()} == of.code


@pytest.mark.parametrize("rounds", [18, pytest.param(1_000, marks=[pytest.mark.soak, pytest.mark.timeout(7_200)])])
def test_whatever_pushers_do_at_once_no_session_is_damaged(logs, bucket, rounds):
    """Of one log or of two, into nothing or beside what a dead one left, and now and then one is killed."""
    of = [store.manifest(ID) for store in logs]
    chance = random.Random(rounds)
    base, _, options = bucket.uri.partition("?")
    came, failed = {log.log_id: 0 for log in of}, 0
    with Crew([store.home for store in logs]) as crew:
        for number in range(rounds):
            uri, folder = f"{base}/{number}?{options}", bucket.folder / str(number)
            stores = [0] * PUSHERS if number % 2 else [chance.choice([0, 1]) for _ in range(PUSHERS)]
            if number % 3 == 0:
                leave_half(logs[0], Far(uri), chance)
            said = crew.push(uri, stores, chance.uniform(0.01, 0.3) if number % 6 == 5 else None)
            seen = {log_id_in(name) for name in Far(uri).listed("sessions")} - {""}
            assert len(seen) <= 1, (number, said)
            assert seen or len({*stores}) == 2, (number, said)  # of two logs both may be refused
            for store, told in zip(stores, said, strict=True):
                assert told in ("pushed", "there", "") or told.startswith(("refused", "failed")), (number, said)
                failed += told.startswith("failed")
                if told in ("pushed", "there"):
                    assert of[store].log_id in seen, (number, said)
                if "another log has this name there" in told:
                    assert of[store].log_id not in seen, (number, said)
            for log in of:
                if log.log_id in seen:
                    check_whole(bucket, folder, log)
                    came[log.log_id] += 1
    assert all(came.values())
    assert failed <= rounds // 20, "the server may lose its way between so many, seldom"


def leave_half(store, far, chance):
    """What a push leaves that was killed on its way: some parts, one of them damaged."""
    of = store.manifest(ID)
    for part in chance.sample(of.parts, 3):
        content = (store.folder(ID) / part.file).read_bytes()
        far.put(part_name(of, part), [content if chance.random() < 0.7 else bytes(len(content))])
