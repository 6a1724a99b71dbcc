"""The walk as machine code, kept beside the kernels, which other threads may run at once: nothing of it is written twice."""

import ctypes
from collections.abc import Callable
from functools import cache
from typing import Any, Final, cast, get_type_hints

import numpy as np

from pipeline.kernel.build import address_of
from pipeline.reports import normal_quantile, philox, walk
from pipeline.reports.walk import Given, Traded, Walked

_FUNCTIONS: Final[tuple[Any, ...]] = (
    philox.philox,
    *(normal_quantile.central, normal_quantile.middle, normal_quantile.far, normal_quantile.normal_quantile),
    *(walk.uniform, walk.cost, walk.day_counted, walk.picked, walk.outcome, walk.follow, walk.walk),
)
"""Each behind those that it calls."""

Walk = Callable[[int, int, Given, Traded, Walked], None]


@cache
def compiled_walk() -> Walk:
    """`walk.walk`, compiled; the same numbers to the last bit. Compiles it if nobody did. Raises ConfigError."""
    numbers: dict[type, Any] = {int: ctypes.c_int64, float: ctypes.c_double}
    given = [numbers[hint] for hint in get_type_hints(Given).values()]
    addresses = [ctypes.c_void_p] * (len(Traded._fields) + len(Walked._fields))
    made = ctypes.CFUNCTYPE(
        ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64, *given, *addresses
    )
    entry = made(address_of(_FUNCTIONS))

    def run(first: int, stop: int, given: Given, traded: Traded, walked: Walked) -> None:
        _check(stop, given, traded, walked)
        result = (ctypes.c_int64 * 2)()  # where a failure's cause would go, too: each call has its own
        place = ctypes.addressof(result)
        columns = [cast("Any", column).ctypes.data for column in (*traded, *walked)]
        status = entry(place, place, first, stop, *given, *columns)
        assert status == 0, f"walk of paths {first} to {stop}: {status}"

    return run


def _check(stop: int, given: Given, traded: Traded, walked: Walked) -> None:
    """What compiled code does not: that every place it will touch is there."""
    assert all(column.dtype == np.float64 and column.flags.c_contiguous for column in (*traded, *walked))
    assert all(len(column) >= given.trades for column in traded[:-1])
    assert len(traded.samples) >= given.cost_count + given.worse_count + given.gap_count
    assert all(len(column) >= stop for column in walked[:-1])
    assert len(walked.curves) >= min(stop, given.drawn_paths) * (given.marks + 1)
    assert given.order in {walk.AS_TRADED, walk.IID, walk.BLOCKS}
    assert 0 < given.marks <= given.trades
