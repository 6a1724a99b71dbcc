"""Simulations: what was asked of Monte Carlo and what came of it, kept so that it can be had again.

    montecarlo/<id>.json    one simulation, proved by the hash in front of it

The id is made of all that the numbers depend on: the trades by their hash, the knobs, the seed, the code. Who asks the same
finds the same. `again` walks all paths once more and compares every number that they left, to the last bit.
"""

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
from blake3 import blake3

from pipeline.errors import NotFoundError
from pipeline.log import proved
from pipeline.log.disk import publish
from pipeline.log.store import SIMULATIONS, Store
from pipeline.names import did_you_mean, listed
from pipeline.reports import compiled_walk, knobs, montecarlo, normal_quantile, philox, walk
from pipeline.reports.montecarlo import Asked
from pipeline.reports.outcomes import Outcome
from pipeline.reports.pieces import pieces
from pipeline.reports.round_trips import RoundTrips
from pipeline.reports.walk import Walked

_ID_CHARS: Final = 12


class Simulation(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The manifest of a simulation."""

    id: str
    created_ns: int
    logs: tuple[str, ...]
    """Whose trades."""
    where: str
    """A condition in SQL over `trades`; `true` for all of them."""
    trades: int
    trades_hash: str
    asked: Asked
    """Seed, paths, knobs; a sample is kept as its numbers."""
    code_hash: str
    packages: dict[str, str]
    platform: str
    """Numbers are promised equal within one of these: logarithms differ in the last bit between others."""
    paths_hash: str
    """Of all that the paths left."""
    outcome: Outcome


def simulation_of(
    trips: RoundTrips,
    asked: Asked,
    walked: Walked,
    outcome: Outcome,
    *,
    logs: Sequence[str],
    where: str,
    created_ns: int,
    packages: dict[str, str],
    platform: str,
) -> Simulation:
    """A simulation's manifest."""
    facts: dict[str, Any] = {
        "logs": tuple(logs),
        "where": where,
        "trades_hash": trips.hash,
        "asked": asked,
        "code_hash": code_hash(),
        "platform": platform,
        "packages": packages,
    }
    digest = blake3(msgspec.json.encode(facts, order="deterministic")).hexdigest()
    return Simulation(
        id=f"mc-{digest[:_ID_CHARS]}",
        created_ns=created_ns,
        trades=len(trips),
        paths_hash=paths_hash(walked),
        outcome=outcome,
        **facts,
    )


def code_hash() -> str:
    """One hash of the code that the numbers come from."""
    modules = (philox, normal_quantile, walk, compiled_walk, knobs, montecarlo)
    sources = [Path(str(module.__file__)).read_bytes() for module in modules]
    return blake3(b"\0".join(sources)).hexdigest()


def paths_hash(walked: Walked) -> str:
    """One hash of all that the paths left."""
    digest = blake3()
    for column in walked:
        for piece in pieces(column):
            digest.update(piece.tobytes())
    return digest.hexdigest()


def keep(store: Store, simulation: Simulation) -> None:
    """Write it down, unless it stands there already. Raises OSError."""
    folder = store.home / SIMULATIONS
    store.disk.make_folder(folder)
    name = f"{simulation.id}.json"
    if name not in store.disk.names(folder):
        publish(store.disk, folder / name, proved.encoded(simulation))


def simulations(store: Store) -> list[Simulation]:
    """All that are kept, oldest first. Raises CorruptError."""
    kept = []
    for path in sorted((store.home / SIMULATIONS).glob("mc-*.json")):
        with contextlib.suppress(FileNotFoundError):  # another command forgets it
            kept.append(proved.read(path, Simulation))
    return sorted(kept, key=lambda each: (each.created_ns, each.id))


def forget(store: Store, id_: str) -> None:
    """Take away the simulation of exactly this id, durably. Raises OSError."""
    folder = store.home / SIMULATIONS
    store.disk.unlink(folder / f"{id_}.json")
    store.disk.sync_folder(folder)


def find_simulation(store: Store, text: str) -> Simulation:
    """The simulation of this id, the one whose id begins so, or the last one. Raises NotFoundError, CorruptError."""
    among = simulations(store)
    found = among[-1:] if text == "last" else [each for each in among if each.id.startswith(text)]
    if len(found) != 1:
        names = [each.id for each in among]
        raise NotFoundError(
            f"{text!r} names {len(found)} simulations; there is {listed(names[::-1])}{did_you_mean(text, names)}"
        )
    return found[0]
