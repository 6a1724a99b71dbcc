"""Databento's history over HTTP, by its own client: what an order costs, what it holds, and its records as a file.

The client asks metadata and streams alike with `requests`. It takes no plain address but rewrites it to https; a server on
this machine, which speaks plainly, is set behind its back.
"""

import math
import time
import warnings
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

from pipeline.errors import ConfigError, FeedError
from pipeline.feeds.sockets import is_loopback
from pipeline.log.purchases import Order
from pipeline.units import NANO

SYMBOLS_MAX: Final = 2_000
"""The most that one request may name."""

TRIES: Final = 5
WAIT_S_MAX: Final = 120.0
_TRY_AGAIN: Final = frozenset((408, 425, 429))
_AVAILABLE: Final = "available"
_COST_USD_MAX: Final = 1e6
"""A larger price is no price of an order that anybody makes here."""

T = TypeVar("T")


class Told(NamedTuple):
    """What the vendor says of an order before it is bought."""

    cost_nano: int
    """1e-9 USD, rounded up."""
    records: int
    conditions: dict[str, str]
    """By day of UTC, where the data are not simply available: degraded, pending, missing."""


class Came(NamedTuple):
    """How a download went. `problem` tells why it was cut, or never began, '' when all came."""

    problem: str
    warnings: tuple[str, ...]


class DatabentoHistory:
    """The historical API for one key."""

    def __init__(self, key: str, *, url: str | None = None, sleep: Callable[[float], None] = time.sleep) -> None:
        """`url` names a server on this machine instead of the vendor's. Raises ConfigError for any other, or a key that is none."""
        import databento  # noqa: PLC0415 - it imports pandas: a second that only this command has to pay

        if url is not None and not is_loopback(url):
            raise ConfigError(f"--url {url}: accepted is an address of this machine, like http://127.0.0.1:9000")
        try:
            self._client = databento.Historical(key)
        except ValueError:
            raise ConfigError("DATABENTO_API_KEY is no key") from None
        if url is not None:
            for group in ("timeseries", "metadata"):
                getattr(self._client, group)._base_url = f"{url.rstrip('/')}/v0/{group}"  # noqa: SLF001 - see above
        self._sleep = sleep

    def told(self, order: Order) -> Told:
        """Price, number of records and condition of an order. Raises FeedError."""
        return Told(self.cost_nano(order), self._records(order), self._conditions(order))

    def cost_nano(self, order: Order) -> int:
        """The price of an order, asked with exactly the arguments that will buy it; 1e-9 USD, rounded up. Raises FeedError."""
        cost = self._asked("get_cost", lambda: self._client.metadata.get_cost(**_arguments(order)))
        if isinstance(cost, bool) or not isinstance(cost, (int, float)) or not 0 <= cost <= _COST_USD_MAX:
            raise FeedError("databento", "get_cost", f"{str(cost)[:60]!r} is no price: nothing was bought")
        return math.ceil(cost * NANO)

    def download(self, order: Order, path: Path) -> Came:
        """Buy an order into a new file. What came before a cut is in it; it may not be there when nothing came.

        Raises FeedError when the vendor refuses, which costs nothing.
        """
        from databento.common.error import BentoError  # noqa: PLC0415 - as above
        from databento_dbn import DBNError  # noqa: PLC0415 - as above
        from requests import RequestException  # noqa: PLC0415 - as above

        told: list[str] = []

        def ask() -> str:
            path.unlink(missing_ok=True)
            try:
                self._client.timeseries.get_range(**_arguments(order), path=path)
            except BentoError as error:
                if hasattr(error, "http_status"):
                    raise
                return _line(error)  # the answer had begun
            except RequestException as error:
                return _line(error)  # nobody knows whether the question was heard
            except (DBNError, RuntimeError, ValueError) as error:
                if not path.exists():
                    raise
                return _line(error)  # the client can't read the header of what it has just downloaded
            return ""

        problem = self._asked("get_range", ask, told)
        return Came(problem, tuple(dict.fromkeys(told)))

    def _records(self, order: Order) -> int:
        count = self._asked("get_record_count", lambda: self._client.metadata.get_record_count(**_arguments(order)))
        if isinstance(count, bool) or not isinstance(count, int) or count < 0:
            raise FeedError("databento", "get_record_count", f"{str(count)[:60]!r} is no number of records")
        return count

    def _conditions(self, order: Order) -> dict[str, str]:
        first, last = (_day(ts_ns) for ts_ns in (order.from_ns, order.until_ns - 1))
        days = self._asked(
            "get_dataset_condition",
            lambda: self._client.metadata.get_dataset_condition(order.dataset, start_date=first, end_date=last),
        )
        try:
            return {str(day["date"]): str(day["condition"]) for day in days if day["condition"] != _AVAILABLE}
        except (TypeError, KeyError):
            raise FeedError("databento", "get_dataset_condition", f"no conditions: {str(days)[:60]!r}") from None

    def _asked(self, what: str, ask: Callable[[], T], told: list[str] | None = None) -> T:
        """The answer, after as many tries as make sense. Raises FeedError."""
        from databento.common.error import BentoHttpError, BentoWarning  # noqa: PLC0415 - as above
        from requests import RequestException  # noqa: PLC0415 - it comes with the client

        for tries in range(1, TRIES + 1):
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                try:
                    answer = ask()
                except BentoHttpError as error:
                    if tries == TRIES or not (error.http_status >= 500 or error.http_status in _TRY_AGAIN):
                        raise FeedError("databento", what, _line(error)) from None
                    wait_s = _wish_s(error.headers, tries)
                except RequestException as error:  # no connection, or no JSON
                    if tries == TRIES:
                        raise FeedError("databento", what, _line(error)) from None
                    wait_s = _wish_s({}, tries)
                except ValueError as error:  # the client takes the arguments, or a header of the answer, for none
                    raise FeedError("databento", what, _line(error)) from None
                else:
                    if told is not None:
                        told += [str(each.message) for each in caught if issubclass(each.category, BentoWarning)]
                    return answer
            self._sleep(wait_s)
        raise AssertionError  # the last try returned or raised


def _arguments(order: Order) -> dict[str, Any]:
    """Of an order, the same for its price and for its purchase."""
    return {
        "dataset": order.dataset,
        "schema": order.schema,
        "symbols": list(order.symbols),
        "stype_in": "raw_symbol",
        "start": order.from_ns,
        "end": order.until_ns,
    }


def _wish_s(headers: Mapping[str, Any], tries: int) -> float:
    """How long the vendor wishes to be left alone, else a little longer each time."""
    wish = str(headers.get("Retry-After", ""))
    return min(float(wish), WAIT_S_MAX) if wish.isascii() and wish.isdigit() else float(2 ** (tries - 1))


def _line(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]


def _day(ts_ns: int) -> str:
    return f"{datetime.fromtimestamp(ts_ns // NANO, UTC):%Y-%m-%d}"
