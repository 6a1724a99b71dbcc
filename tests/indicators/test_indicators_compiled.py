"""The same functions compiled by numba and interpreted: the same bytes after every row, whatever comes in."""

import sys
from types import FunctionType, ModuleType

import numpy as np
import pytest
from indicator_rows import all_indicators, params_of, rows_of

numba = pytest.importorskip("numba")
jit = numba.njit(boundscheck=True, error_model="python", no_cfunc_wrapper=True)


def compiled(module, twins):
    """A copy of a module and of all of ours that it calls, with every function compiled."""
    if module in twins:
        return twins[module]
    twin = twins[module] = ModuleType(module.__name__)
    for name, value in vars(module).items():
        if isinstance(value, ModuleType) and value.__name__.startswith("pipeline."):
            twin.__dict__[name] = compiled(value, twins)
        elif isinstance(value, FunctionType) and value.__module__ == module.__name__:
            twin.__dict__[name] = jit(FunctionType(value.__code__, twin.__dict__, name))
        elif isinstance(value, FunctionType) and value.__module__.startswith("pipeline."):
            twin.__dict__[name] = vars(compiled(sys.modules[value.__module__], twins))[value.__name__]
        elif not name.startswith("__"):
            twin.__dict__[name] = value
    return twin


@pytest.fixture(scope="module")
def twins():
    return {}


@pytest.mark.parametrize("indicator", **all_indicators())
def test_compiled_and_interpreted_leave_the_same_bytes(indicator, twins):
    twin = compiled(sys.modules[indicator.update.__module__], twins)
    given = params_of(indicator)
    record = indicator.record(given)
    for edges in (0.0, 0.1):
        group = record.new()
        packed = np.frombuffer(record.pack(group), record.dtype).copy()
        for i, row in enumerate(rows_of(indicator, 400, seed=1, edges=edges)):
            indicator.update(group, *row, *given)
            twin.update(packed[0], *row, *given)
            assert record.pack(group) == record.pack(record.unpack(packed.tobytes())), (i, row)
            assert indicator.ready(group, *given) == twin.ready(packed[0], *given)
        indicator.reset(group)
        twin.reset(packed[0])
        assert record.pack(group) == record.pack(record.unpack(packed.tobytes()))
