"""Names: what generated instruments are called, and how their prices and sizes are counted."""

from typing import Final

import numpy as np

from pipeline.block import Block
from pipeline.codes import AssetClass, Kind
from pipeline.instruments import COIN_STEP_NANO, WHOLE_STEP_NANO
from pipeline.simulator.ticks import Stock
from pipeline.units import ABSENT, NANO

VENUE: Final = "GENERATED"
COINS: Final = (
    ("BTC-USD", 91_000.0, NANO // 100),
    ("ETH-USD", 3_100.0, NANO // 100),
    ("SOL-USD", 160.0, NANO // 100),
    ("XRP-USD", 2.4, NANO // 10_000),
    ("DOGE-USD", 0.17, NANO // 100_000),
    ("ADA-USD", 0.55, NANO // 10_000),
    ("AVAX-USD", 18.0, NANO // 100),
    ("LINK-USD", 15.0, NANO // 1_000),
    ("LTC-USD", 95.0, NANO // 100),
    ("BCH-USD", 510.0, NANO // 100),
    ("UNI-USD", 7.0, NANO // 1_000),
    ("DOT-USD", 3.1, NANO // 1_000),
)
"""Symbol, price to begin at, tick; places as Coinbase's products have them."""

SHARES_MAX: Final = 5_000
"""How many shares there can be; no more than American ones."""

_CENT_NANO: Final = NANO // 100
_LETTERS: Final = 26


def share(index: int) -> Stock:
    """The `index`-th share, from 0."""
    return Stock(index + 1, _CENT_NANO, WHOLE_STEP_NANO, is_share=True)


def coin(index: int) -> Stock:
    """The `index`-th coin, from 0."""
    return Stock(index + 1, COINS[index][2], COIN_STEP_NANO, is_share=False)


def share_symbol(index: int) -> str:
    """Four letters, others for every share.

    >>> [share_symbol(index) for index in range(3)]
    ['IQAH', 'XIMH', 'MBYH']
    """
    number = (index * 7_919 + 123_456) % _LETTERS**4  # 7,919 is prime: no two are alike
    letters = []
    for _ in range(4):
        number, letter = divmod(number, _LETTERS)
        letters.append(chr(ord("A") + letter))
    return "".join(letters)


def instruments(stocks: list[Stock], ts_ns: int) -> Block:
    """Their definitions, as of a moment."""
    count, is_shares = len(stocks), stocks[0].is_share
    return Block.of(
        Kind.INSTRUMENT,
        count,
        seq=np.arange(1, count + 1),
        ts_event_ns=ts_ns,
        ts_recv_ns=ts_ns,
        instrument_id=[stock.instrument_id for stock in stocks],
        symbol=[share_symbol(index) if is_shares else COINS[index][0] for index in range(count)],
        venue=VENUE,
        asset_class=int(AssetClass.EQUITY if is_shares else AssetClass.CRYPTO),
        currency="USD",
        tick_nano=[stock.tick_nano for stock in stocks],
        tick_below_one_nano=_CENT_NANO // 100 if is_shares else ABSENT,
        size_step_nano=stocks[0].size_step_nano,
        lot_steps=100 if is_shares else ABSENT,
        multiplier_nano=NANO,
        calendar="XNYS" if is_shares else "24/7",
    )
