"""Executions for tests of reports: rows as the warehouse gives them, made of a few numbers."""

import numpy as np

from pipeline.reports.executions import Executions

COLUMNS = {
    "trade": (np.int64, 0),
    "fill": (np.int64, None),
    "order": (np.int64, None),
    "sign": (np.float64, 1.0),
    "price": (np.float64, 10.0),
    "quantity": (np.float64, 100.0),
    "filled": (np.float64, None),
    "worth": (np.float64, None),
    "bid": (np.float64, np.nan),
    "ask": (np.float64, np.nan),
    "reference": (np.float64, np.nan),
    "is_made": (np.bool_, False),
    "is_taxed": (np.bool_, False),
    "ts_ns": (np.int64, 0),
    "fee": (np.float64, 0.0),
}


def executions(count, **given):
    """So many executions; each column as given, else as above. A fill and an order of its own each, whole, unless said."""
    made = {name: np.full(count, value, dtype) for name, (dtype, value) in COLUMNS.items() if value is not None}
    made |= {name: np.array(values, dtype=COLUMNS[name][0]) for name, values in given.items()}
    made.setdefault("fill", np.arange(count))
    made.setdefault("order", made["fill"])
    made.setdefault("filled", made["quantity"])
    made.setdefault("worth", made["quantity"])
    return Executions(**made)
