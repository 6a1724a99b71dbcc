"""Round trips: closed trades as columns, which is all that Monte Carlo knows of the log."""

from dataclasses import dataclass, fields
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from blake3 import blake3

from pipeline.errors import ConfigError
from pipeline.reports.walk import Floats

_ORDER: Final = ("closed_day", "closed_at_ns", "session", "strategy", "symbol", "venue", "trade_number")
"""Of what trades days at other hours, one may begin before another has ended: trades of one day stand together all the same."""

COLUMNS: Final = ("profit", "entry_value", "exit_value", "side", "risk", "slippage_bps", *_ORDER)
"""Of the view `trades`."""


@dataclass(frozen=True, slots=True)
class RoundTrips:
    """Closed trades in the order of their exits, (trades,) float64 each; money in one currency, NaN where it is not known.

    Raises ConfigError for none at all, and for what is no number where one is needed.
    """

    profit: Floats
    """Fees taken off."""
    entry_value: Floats
    exit_value: Floats
    """Price times quantity times multiplier."""
    sign: Floats
    """1 of a long trade, -1 of a short one."""
    risk: Floats
    """What is lost at the stop; NaN where there was none."""
    day: Floats
    """Number of the trading day of the exit: trades of one day stand together."""
    slippage_bps: Floats
    """What the recorded fills cost, of both values together; NaN where it is not known."""

    def __post_init__(self) -> None:
        if not len(self.profit):
            raise ConfigError("no closed trade: there is nothing to simulate")
        for name in ("profit", "entry_value", "exit_value", "sign", "day"):
            if not np.isfinite(getattr(self, name)).all():
                raise ConfigError(
                    f"trade {int(np.argmin(np.isfinite(getattr(self, name)))) + 1}: its {name} is no number"
                )

    def __len__(self) -> int:
        return len(self.profit)

    @property
    def hash(self) -> str:
        """One hash over all columns, to the last bit."""
        columns = [np.ascontiguousarray(getattr(self, each.name), "<f8").tobytes() for each in fields(self)]
        return blake3(b"".join(columns)).hexdigest()

    @property
    def known_slippage_bps(self) -> tuple[float, ...]:
        """Of the trades of which it is known."""
        return tuple(self.slippage_bps[np.isfinite(self.slippage_bps)].tolist())


def trips_of(table: pa.Table) -> RoundTrips:
    """The closed trades of a table with these `COLUMNS`, in any order. Raises ConfigError as `RoundTrips` does."""
    table = table.sort_by([(name, "ascending") for name in _ORDER])

    def column(name: str) -> Floats:
        return np.asarray(table[name].cast(pa.float64()).to_numpy(), dtype=np.float64)

    return RoundTrips(
        profit=column("profit"),
        entry_value=column("entry_value"),
        exit_value=column("exit_value"),
        sign=np.where(pc.equal(table["side"], "buy").to_numpy(), 1.0, -1.0),
        risk=column("risk"),
        day=np.asarray(table["closed_day"].cast(pa.date32()).cast(pa.int32()).to_numpy(), dtype=np.float64),
        slippage_bps=column("slippage_bps"),
    )
