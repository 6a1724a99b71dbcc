"""Venues: which protocols a day can be served over, by the name that people write."""

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from pipeline.errors import ConfigError
from pipeline.simulator import alpaca, coinbase_advanced, databento, massive
from pipeline.simulator.doors import Door
from pipeline.simulator.venue import History, Venue


class Offer(NamedTuple):
    """How a venue is made for a history; `refusing` is one that lets nobody in. `is_tcp`: it speaks plain TCP."""

    make: Callable[[History], Venue]
    refusing: Callable[[History], Venue] | None = None
    is_tcp: bool = False


_NOBODYS_KEY: Final = "no key is this one"

VENUES: Final[Mapping[str, Offer]] = {
    "massive": Offer(lambda _: massive.MassiveVenue(), lambda _: massive.MassiveVenue(key=_NOBODYS_KEY)),
    "alpaca": Offer(lambda _: alpaca.AlpacaVenue(), lambda _: alpaca.AlpacaVenue(alpaca.Words(keys={}))),
    "coinbase": Offer(
        lambda history: coinbase_advanced.CoinbaseVenue(history=history),
        lambda history: coinbase_advanced.CoinbaseVenue(coinbase_advanced.Rules(refuses_auth=True), history),
    ),
    "databento": Offer(
        lambda history: databento.DatabentoVenue(history=history),
        lambda _: databento.DatabentoVenue(key=_NOBODYS_KEY),
        is_tcp=True,
    ),
}


def doors_of(protocols: tuple[str, ...], history: History, first_port: int) -> list[Door]:
    """A door for each protocol (all there are when none is named), on ports one after the other; 0: any that are free.

    Raises ConfigError for a protocol that there is not, or that is named twice.
    """
    names = protocols or tuple(VENUES)
    for name in names:
        if name not in VENUES or names.count(name) > 1:
            raise ConfigError(f"protocol {name!r}: accepted are {', '.join(VENUES)}, each once")
    return [
        _door(name, VENUES[name], history, first_port + place if first_port else 0) for place, name in enumerate(names)
    ]


def _door(protocol: str, offer: Offer, history: History, port: int) -> Door:
    refusing = offer.refusing(history) if offer.refusing else None
    return Door(protocol, offer.make(history), port, refusing, offer.is_tcp)
