"""An indicator over a whole series, as charts, notebooks and tests want it: the same fold, run from the first row on."""

from collections.abc import Mapping
from operator import attrgetter
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.errors import ConfigError
from pipeline.indicators.indicator import Indicator


def over(
    indicator: Indicator, columns: Mapping[str, ArrayLike], given: Mapping[str, Any]
) -> dict[str, NDArray[np.float64]]:
    """Every value of an indicator after each row.

        columns     (n,) each, arrays or lists, by the names of the indicator's inputs; others are left alone
        given       parameters by name; what is missing takes its default
        returns     (n,) float64 for each value, NaN where there is none yet

    Raises ConfigError for a parameter that is not accepted, a column that is missing or of another length.

    >>> from pipeline.indicators import sma
    >>> over(sma.INDICATOR, {"close": np.array([1.0, 2.0, 4.0])}, {"length": 2})
    {'value': array([nan, 1.5, 3. ])}
    """
    params = indicator.Params.from_dict(given)
    rows = list(zip(*_inputs(indicator, columns), strict=True))
    group = indicator.record(params).new()
    values_of = [attrgetter(path) for path in indicator.values]
    made = np.empty((len(values_of), len(rows)))
    for i, row in enumerate(rows):
        indicator.update(group, *row, *params)
        for k, value_of in enumerate(values_of):
            made[k, i] = value_of(group)
    return dict(zip(indicator.values, made, strict=True))


def _inputs(indicator: Indicator, columns: Mapping[str, ArrayLike]) -> list[list[Any]]:
    """The columns an indicator takes, as plain Python numbers: what a handler gets, too."""
    missing = [name for name in indicator.inputs if name not in columns]
    if missing:
        raise ConfigError(
            f"{indicator.name}: no column {', '.join(missing)}; it takes {', '.join(indicator.inputs)}, given are "
            f"{', '.join(columns) or 'none'}"
        )
    taken = [np.asarray(columns[name]).tolist() for name in indicator.inputs]
    if len({len(column) for column in taken}) > 1:
        lengths = ", ".join(f"{name} {len(column)}" for name, column in zip(indicator.inputs, taken, strict=True))
        raise ConfigError(f"{indicator.name}: its columns differ in length: {lengths}")
    return taken
