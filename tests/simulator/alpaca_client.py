"""Run by the environment of Alpaca's official client: what it receives, as JSON lines.

stream PORT raw|parsed COUNT SYMBOL...     the first so many events of every channel
history PORT trades|quotes|bars SYMBOL...  all pages
"""

import json
import sys
from datetime import UTC, datetime

from alpaca.data.historical import StockHistoricalDataClient
from alpaca.data.live import StockDataStream
from alpaca.data.requests import StockBarsRequest, StockQuotesRequest, StockTradesRequest
from alpaca.data.timeframe import TimeFrame


def plain(value):
    """Timestamps as nanoseconds, models as their fields."""
    if hasattr(value, "to_unix_nano"):
        return value.to_unix_nano()
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    return str(value)


def tell(what) -> None:
    sys.stdout.write(json.dumps(what, default=plain) + "\n")


def stream(port, mode, count, *symbols):
    client = StockDataStream("key", "secret", raw_data=mode == "raw", url_override=f"ws://127.0.0.1:{port}/v2/sip")
    left = int(count)

    async def heard(event):
        nonlocal left
        left -= 1
        if left >= 0:
            tell(event if mode == "raw" else {"model": type(event).__name__, **event.model_dump(mode="json")})
        if left == 0:
            await client.stop_ws()

    client.subscribe_trades(heard, *symbols)
    client.subscribe_quotes(heard, *symbols)
    client.subscribe_bars(heard, *symbols)
    client.subscribe_updated_bars(heard, *symbols)
    client.subscribe_daily_bars(heard, *symbols)
    client.subscribe_trading_statuses(heard, *symbols)
    client.register_trade_corrections(heard)
    client.register_trade_cancels(heard)
    client.run()


def history(port, what, *symbols):
    client = StockHistoricalDataClient("key", "secret", url_override=f"http://127.0.0.1:{port}", raw_data=True)
    span = {
        "symbol_or_symbols": list(symbols),
        "start": datetime(2026, 11, 1, tzinfo=UTC),
        "end": datetime(2026, 11, 30, tzinfo=UTC),
    }
    asked = {
        "trades": lambda: client.get_stock_trades(StockTradesRequest(**span)),
        "quotes": lambda: client.get_stock_quotes(StockQuotesRequest(**span)),
        "bars": lambda: client.get_stock_bars(StockBarsRequest(timeframe=TimeFrame.Minute, **span)),
    }
    tell(asked[what]())
    typed = StockHistoricalDataClient("key", "secret", url_override=f"http://127.0.0.1:{port}")
    client = typed
    tell({symbol: len(rows) for symbol, rows in asked[what]().data.items()})


if __name__ == "__main__":
    {"stream": stream, "history": history}[sys.argv[1]](*sys.argv[2:])
