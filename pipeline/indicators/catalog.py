"""Catalog: every indicator by its name. Write one, add its line here, and charts and the scanner have it.

It is not in the package itself, so that a log keeps the sources of the indicators its strategies use, and no others.
"""

from typing import Final

from pipeline.indicators import (
    adx,
    anchored_vwap,
    atr,
    bollinger,
    deviation,
    donchian,
    ema,
    gap,
    imbalance,
    macd,
    obv,
    opening_range,
    realized_volatility,
    regression,
    relative_volume,
    rma,
    rsi,
    seeded_ema,
    session_extremes,
    sma,
    spread,
    tick_rate,
    true_range,
    vwap,
    zscore,
)
from pipeline.indicators.indicator import Indicator

INDICATORS: Final[dict[str, Indicator]] = {
    "sma": sma.INDICATOR,
    "ema": ema.INDICATOR,
    "seeded_ema": seeded_ema.INDICATOR,
    "rma": rma.INDICATOR,
    "macd": macd.INDICATOR,
    "rsi": rsi.INDICATOR,
    "true_range": true_range.INDICATOR,
    "atr": atr.INDICATOR,
    "adx": adx.INDICATOR,
    "deviation": deviation.INDICATOR,
    "bollinger": bollinger.INDICATOR,
    "zscore": zscore.INDICATOR,
    "donchian": donchian.INDICATOR,
    "regression": regression.INDICATOR,
    "realized_volatility": realized_volatility.INDICATOR,
    "obv": obv.INDICATOR,
    "vwap": vwap.INDICATOR,
    "anchored_vwap": anchored_vwap.INDICATOR,
    "relative_volume": relative_volume.INDICATOR,
    "opening_range": opening_range.INDICATOR,
    "session_extremes": session_extremes.INDICATOR,
    "gap": gap.INDICATOR,
    "spread": spread.INDICATOR,
    "imbalance": imbalance.INDICATOR,
    "tick_rate": tick_rate.INDICATOR,
}
