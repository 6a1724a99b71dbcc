"""Fees after the fact: what other terms would have charged for the executions that were recorded.

The terms are the engine's settings without their `fee_` (see `core.fees`, whose assumptions hold here too): commission by
the unit and by the amount, less where a resting limit was filled, at least and at most so much an order, and what regulators
take of sales of American shares by the rates of the day. They replace the fees that were recorded.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from pipeline.core.fee_rates import activity_fee, section_31_rate
from pipeline.errors import ConfigError
from pipeline.hours import new_york_offset_ns
from pipeline.reports.executions import Executions, Floats, Integers
from pipeline.units import DAY_NS, HOUR_NS


class Terms(NamedTuple):
    """What is charged; each 0 unless it is said."""

    per_unit: float = 0.0
    """For each share, contract or coin."""
    bps: float = 0.0
    """On the amount, in hundredths of a percent."""
    maker_discount_bps: float = 0.0
    """Taken off where a resting limit was filled; more than that is a rebate."""
    least: float = 0.0
    """The least an order."""
    most_percent: float = 0.0
    """The most an order, in percent of its amount; 0: any."""
    regulatory: float = 0.0
    """1: what the SEC and FINRA take."""


ACCEPTED: Final = f"accepted are none, and NAME:NUMBER of {', '.join(Terms._fields)}"


def terms_of(texts: Sequence[str]) -> Terms:
    """Terms by their words, `per_unit:0.005`, or `none`. Raises ConfigError saying what is accepted."""
    said: dict[str, float] = {}
    for text in texts:
        name, _, rest = text.partition(":")
        if text == "none" and len(texts) == 1:
            continue
        try:
            number = float(rest)
        except ValueError:
            raise ConfigError(f"fees {text!r}: {ACCEPTED}") from None
        if name not in Terms._fields or name in said or not 0.0 <= number < np.inf:
            raise ConfigError(f"fees {text!r}: {ACCEPTED}, each once, numbers from 0 on")
        said[name] = number
    if said.get("regulatory", 0.0) not in (0.0, 1.0):
        raise ConfigError("fees regulatory: accepted are 0 and 1")
    return Terms(**said)


def charged(executions: Executions, prices: Floats, terms: Terms) -> Floats:
    """What each part of a fill is charged at these prices, (n,) each; a fill with two parts is shared by size."""
    _, first, place = np.unique(executions.fill, return_index=True, return_inverse=True)
    quantities = executions.filled[first]
    amounts = (prices * executions.worth / executions.quantity * executions.filled)[first]
    rates = np.where(executions.is_made[first], terms.bps - terms.maker_discount_bps, terms.bps) / 1e4
    fees = _bounded(quantities * terms.per_unit + amounts * rates, amounts, executions.order[first], terms)
    if terms.regulatory:
        fees += _regulatory(quantities, amounts, executions.ts_ns[first]) * executions.is_taxed[first]
    share: Floats = fees[place] * executions.quantity / executions.filled
    return share


def _bounded(plain: Floats, amounts: Floats, orders: Integers, terms: Terms) -> Floats:
    """What each fill is charged so that its order as a whole pays no less and no more than it should."""
    if not terms.least and not terms.most_percent:
        return plain
    by_order = np.argsort(orders, kind="stable")
    so_far = _running(plain[by_order], orders[by_order])
    whole = np.maximum(so_far, terms.least)
    if terms.most_percent:
        whole = np.minimum(whole, _running(amounts[by_order], orders[by_order]) * (terms.most_percent / 100.0))
    is_first = np.append(True, np.diff(orders[by_order]) != 0)[: len(orders)]
    before = np.where(is_first, 0.0, np.append(0.0, whole[:-1])[: len(orders)])
    fees = np.empty_like(plain)
    fees[by_order] = whole - before
    return fees


def _running(values: Floats, groups: Integers) -> Floats:
    """Sums so far within each group; groups stand together."""
    sums = np.cumsum(values)
    starts = np.flatnonzero(np.append(True, np.diff(groups) != 0)[: len(groups)])
    sizes = np.diff(np.append(starts, len(groups)))
    before: Floats = np.repeat(sums[starts] - values[starts], sizes)
    return sums - before


def _regulatory(quantities: Floats, amounts: Floats, moments: Integers) -> Floats:
    """What a sale pays to regulators: offsets change at full hours, so one a hour is asked for."""
    hours, places = np.unique(moments // HOUR_NS, return_inverse=True)
    offsets = np.array([new_york_offset_ns(int(hour) * HOUR_NS) for hour in hours], dtype=np.int64)
    days = (moments + offsets[places]) // DAY_NS if len(moments) else moments
    rates = {int(day): section_31_rate(int(day)) for day in np.unique(days)}
    of_amount = amounts * np.array([rates[int(day)] for day in days])
    shares = [activity_fee(int(day), float(quantity)) for day, quantity in zip(days, quantities, strict=True)]
    fees: Floats = of_amount + np.array(shares)
    return fees
