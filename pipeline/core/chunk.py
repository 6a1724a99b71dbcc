"""Chunk: a batch of blocks as events in `seq` order, converted a column at a time.

Python pays for each event; numpy, `zip` and `map` pay once a column. Sizes need the instrument's size step, which an
`instrument` event may define within the batch: so a batch is cut behind each of them.
"""

from collections.abc import Iterator, Mapping
from functools import partial
from itertools import repeat
from typing import Any, Final

import numpy as np

from pipeline.block import Block, Blocks, Numbers
from pipeline.codes import Kind
from pipeline.core import market
from pipeline.core.dialect import NANO_FLOAT
from pipeline.core.settings import EngineSettings
from pipeline.errors import LogError
from pipeline.units import ABSENT, NANO

EVENTS: Final[Mapping[Kind, Any]] = {
    Kind.INSTRUMENT: market.Definition,
    Kind.QUOTE: market.Quote,
    Kind.PRINT: market.Print,
    Kind.BAR: market.Bar,
    Kind.STATUS: market.Status,
    Kind.FEED: market.FeedNotice,
    Kind.TIMER: market.Timer,
    Kind.ACCOUNT: market.AccountStatement,
    Kind.REQUEST: market.Request,
    Kind.SESSION: market.SessionNotice,
    Kind.REFERENCE: market.ReferenceFact,
    Kind.ORDER: market.BrokerOrder,
    Kind.FILL: market.BrokerFill,
}
"""Kinds the engine looks into; the rest moves only the session time."""

_BORROWING: Final = frozenset(("easy_to_borrow", "shortable"))

PRICES: Final = {
    "bid": "bid_nano",
    "ask": "ask_nano",
    "price": "price_nano",
    "open": "open_nano",
    "high": "high_nano",
    "low": "low_nano",
    "close": "close_nano",
}
"""Prices a handler sees, by the column they come from."""

SIZES: Final = {
    "bid_size": "bid_size_steps",
    "ask_size": "ask_size_steps",
    "size": "size_steps",
    "volume": "volume_steps",
}
"""Sizes a handler sees, by the column they come from."""


COLUMNS: Final = tuple(
    {
        PRICES.get(name) or SIZES.get(name) or name: None
        for made in (*EVENTS.values(), market.Other)
        for name in made._fields
    }
)
"""All that events are made from, of whatever kind: the columns of inputs that a decision can depend on."""


def bearing_on(settings: EngineSettings) -> frozenset[str]:
    """The fields of reference facts that bear on orders. Each fact of them is interpreted: the less there are, the better."""
    sector = {"sector"} if settings.sector_instruments_max or settings.sector_notional_max else set()
    theme = {"theme"} if settings.theme_instruments_max or settings.theme_notional_max else set()
    return _BORROWING | sector | theme


def first_seq(batch: Blocks) -> int:
    """The smallest `seq` of blocks that all hold rows; asserts that they are a dense stretch of inputs."""
    count = sum(map(len, batch))
    starts = [int(block.number("seq")[0]) for block in batch]
    ends = [int(block.number("seq")[-1]) for block in batch]
    first = min(starts)
    assert max(ends) - first + 1 == count, f"seq {first} to {max(ends)} holds {count} inputs: not a dense stretch"
    return first


def stretches(batch: Blocks) -> Iterator[Blocks]:
    """The batch cut before and behind each run of `instrument` rows, so that definitions stand alone."""
    definitions = next((block for block in batch if block.kind == Kind.INSTRUMENT), None)
    if definitions is None:
        yield batch
        return
    seqs = definitions.number("seq")
    breaks = np.flatnonzero(np.diff(seqs) > 1)
    bounds = sorted({*seqs[np.r_[0, breaks + 1]].tolist(), *(seqs[np.r_[breaks, len(seqs) - 1]] + 1).tolist()})
    cuts = [[0, *np.searchsorted(block.number("seq"), bounds).tolist(), len(block)] for block in batch]
    for i in range(len(bounds) + 1):
        parts = [block.slice(cut[i], cut[i + 1]) for block, cut in zip(batch, cuts, strict=True) if cut[i] < cut[i + 1]]
        if parts:
            yield parts


def events_in_order(stretch: Blocks, size_step_nano: Numbers) -> Iterator[tuple[int, Any]]:
    """(kind, event) for each input of a dense stretch.

        size_step_nano    (n,) int64, by instrument_id; 0 where no instrument is defined

    Raises LogError when a market event names an instrument that no `instrument` event defined before it.
    """
    if len(stretch) == 1:
        (block,) = stretch
        kind = int(block.kind)
        return zip(repeat(kind), _events(block, size_step_nano))  # one side has no end
    first, count = first_seq(stretch), sum(map(len, stretch))
    kinds = np.empty(count, np.int8)
    events = np.empty(count, object)
    for block in stretch:
        index = block.number("seq") - first
        kinds[index] = block.kind
        events[index] = np.fromiter(_events(block, size_step_nano), object, len(block))
    return zip(kinds.tolist(), events.tolist(), strict=True)


def _events(block: Block, size_step_nano: Numbers) -> Iterator[Any]:
    made = EVENTS.get(block.kind, market.Other)
    columns = [_column(block, name, size_step_nano) for name in made._fields]
    return map(partial(tuple.__new__, made), zip(*columns, strict=True))


def _column(block: Block, name: str, size_step_nano: Numbers) -> list[Any]:
    if name in PRICES and PRICES[name] in block.columns:
        return _floats(block.number(PRICES[name]), NANO_FLOAT, 1.0)
    if name in SIZES and SIZES[name] in block.columns:
        return _floats(block.number(SIZES[name]), NANO_FLOAT, _steps(block, size_step_nano))
    column = block.columns[name]
    values: list[Any] = column.tolist() if isinstance(column, np.ndarray) else column
    return values


def _floats(integers: Numbers, divisor: float, factor: Any) -> list[float]:
    floats = integers.astype(np.float64) * factor / divisor
    floats[integers == ABSENT] = np.nan
    values: list[float] = floats.tolist()
    return values


def _steps(block: Block, size_step_nano: Numbers) -> Numbers:
    """The size step of each row. Raises LogError for an instrument that is not defined."""
    ids = block.number("instrument_id")
    is_known = (ids > 0) & (ids < len(size_step_nano))
    steps = np.where(is_known, size_step_nano[np.where(is_known, ids, 0)], 0)
    if not steps.all():
        row = int(np.flatnonzero(steps == 0)[0])
        raise LogError(
            f"seq {int(block.number('seq')[row])}: {block.kind.name.lower()} of instrument {int(ids[row])}, "
            "which no instrument event defined before"
        )
    return steps.astype(np.float64)


def with_step(size_step_nano: Numbers, instrument_id: int, step_nano: int) -> Numbers:
    """The table of size steps with one more entry."""
    if instrument_id >= len(size_step_nano):
        grown = np.zeros(2 * instrument_id + 2, np.int64)
        grown[: len(size_step_nano)] = size_step_nano
        size_step_nano = grown
    size_step_nano[instrument_id] = step_nano if step_nano > 0 else NANO
    return size_step_nano
