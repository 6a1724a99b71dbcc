"""Two processes that want the same kernel at once: one compiles it, the other waits and loads it."""

import ctypes
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.kernel import build

SECOND = """
import ctypes
import sys
from pipeline.kernel import build
from test_compiled_once import call, twice

kept = build._kept

def told(path):
    found = kept(path)
    print("nothing there" if found is None else "there", flush=True)
    return found

build._kept = told
build._compiling = lambda: sys.exit("compiles")
print(call(build.address_of([twice]), 21), flush=True)
"""


def twice(value: int) -> int:
    return value + value


def call(address, value):
    """An entry called as numba calls its own."""
    result = (ctypes.c_int64 * 2)()
    place = ctypes.addressof(result)
    entry = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)(address)
    assert entry(place, place, value) == 0
    return result[0]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv(build.CACHE_VARIABLE, str(tmp_path))
    return build.cache_folder()


def test_the_second_waits_for_the_first_and_loads_what_it_made(folder, monkeypatch):
    compiling = build._compiling()
    second = []

    class Slow:
        """Compiles once another process has looked and found nothing there yet."""

        def function_object(self, functions, symbol):
            path = [str(Path(__file__).parent), *sys.path]
            second.append(
                subprocess.Popen(
                    [sys.executable, "-c", SECOND], stdout=subprocess.PIPE, text=True,
                    env={**os.environ, "PYTHONPATH": os.pathsep.join(path)},
                )
            )  # fmt: skip
            assert second[0].stdout.readline() == "nothing there\n"
            return compiling.function_object(functions, symbol)

    monkeypatch.setattr(build, "_compiling", Slow)
    assert call(build.address_of([twice]), 21) == 42
    told, _ = second[0].communicate()
    assert told.splitlines() == ["there", "42"]
    assert second[0].returncode == 0
    assert [path.suffix for path in folder.iterdir()] == [".o"], "no lock is left"


def test_what_could_not_be_compiled_keeps_nobody_out(folder, monkeypatch):
    monkeypatch.setattr(build, "_compiling", lambda: sys.exit("broken"))
    with pytest.raises(SystemExit):
        build.address_of([twice])
    assert [*folder.iterdir()] == []
