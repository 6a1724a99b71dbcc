"""By hand: `ema_cross` in C over the same columns, compiled here; what the kernel is held against."""

import ctypes
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

COLUMNS = ("ts_recv_ns", "instrument_id", "bid_nano", "ask_nano", "bid_size_steps", "ask_size_steps")
SOURCE = Path(__file__).with_name("ema_cross.c")


class ByHand:
    """The program over one block of quotes; `came_to` is cash, fills and orders at the end."""

    def __init__(self, rows, *, cash=100_000.0):
        self._columns = [rows.number(name) for name in COLUMNS]
        self._count = len(rows)
        self._cash = cash
        with tempfile.TemporaryDirectory() as folder:
            library = Path(folder, "ema_cross.so")
            subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-o", library, SOURCE, "-lm"], check=True)
            self._program = ctypes.CDLL(library)
        self._program.start.argtypes = [ctypes.c_double]
        self._program.run.argtypes = [ctypes.c_int64, *[ctypes.c_void_p] * len(COLUMNS)]

    def seconds(self):
        self._program.start(self._cash)
        started = time.thread_time()
        self._program.run(self._count, *(column.ctypes.data for column in self._columns))
        return time.thread_time() - started

    def came_to(self):
        cash, fills, orders = ctypes.c_double(), ctypes.c_int64(), ctypes.c_int64()
        self._program.told(ctypes.byref(cash), ctypes.byref(fills), ctypes.byref(orders))
        return cash.value, fills.value, orders.value


def has_compiler():
    return shutil.which("cc") is not None
