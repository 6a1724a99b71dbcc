"""`python tests/trials crash ...`: the long trials, each going on where the last stint ended."""

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROOMS = [ROOT / "tests" / room for room in ("log", "execution", "normalize", "feeds")]
sys.path[:0] = [str(ROOT), *map(str, ROOMS)]

import stints  # noqa: E402 - the rooms of the tests are found first
import totals  # noqa: E402 - same


def crash(options: argparse.Namespace) -> None:
    """Power cuts, kills and errors on a simulated disk; a seed is a life."""
    from worlds import World  # noqa: PLC0415 - what is not asked for is not loaded

    stint(options, "crash", lambda seed: World(seed).run() or 1, "crash --seeds 1")


def kill(options: argparse.Namespace) -> None:
    """Real processes that write a log on this disk and are killed; a seed is a log and 20 kills."""
    from kills import Kills  # noqa: PLC0415 - same

    with Kills() as kills:
        stint(options, "kill", kills.life, "kill --seeds 1")


def fuzz(options: argparse.Namespace) -> None:
    """Broken messages for the decoders; a seed is a hundred of them."""
    from decoders import DECODERS  # noqa: PLC0415 - same
    from fuzzing import Fuzzing  # noqa: PLC0415 - same

    stopped: list = []
    for name in options.names or DECODERS:
        if name not in DECODERS:
            raise SystemExit(f"decoder {name!r} is unknown; accepted are {', '.join(DECODERS)}")
        with Fuzzing(name) as fuzzing:
            stint(options, f"fuzz {name}", fuzzing.life, f"fuzz {name} --seeds 1", stopped)
        if stopped:
            return


def episodes(options: argparse.Namespace) -> None:
    """Orders at a broker where everything goes wrong; a seed is an episode."""
    from test_broker_episodes import CHUNKS, episode  # noqa: PLC0415 - same

    def life(seed: int) -> int:
        episode(("alpaca", "coinbase")[seed // CHUNKS % 2], seed).check()
        return 1

    stint(options, "episodes", life, "episodes --seeds 1")


def recording(options: argparse.Namespace) -> None:
    """A sender and a recorder for a long time: nothing lost, and what its memory does."""
    import recording as long  # noqa: PLC0415 - same

    long.keep(long.run(options.minutes, options.rate, options.speed))


def mutants(options: argparse.Namespace) -> None:
    """Safety rules taken out of a copy one by one; the tests named for each must fail."""
    import mutants as taken_out  # noqa: PLC0415 - same

    taken_out.run(options.names, again=options.again)


def total(options: argparse.Namespace) -> None:
    """Write what the ledgers add up to into docs/reliability.md, as every trial does when it ends."""


def stint(options, name, life, again, stopped=None):
    first = stints.next_seed(name) if options.first is None else options.first
    stints.live(
        name,
        life,
        first,
        options.seeds,
        again=f"just {again} --first {{seed}}",
        is_kept=options.first is None,
        until_s=options.minutes * 60,
        stopped=stopped,
    )


SEEDS = {"crash": 10_000, "kill": 50, "fuzz": 1_000, "episodes": 1_000}


def main() -> int:
    parser = argparse.ArgumentParser(prog="trials", description=__doc__)
    rooms = parser.add_subparsers(required=True)
    for room in (crash, kill, fuzz, episodes, recording, mutants, total):
        of = rooms.add_parser(room.__name__, help=room.__doc__)
        of.set_defaults(room=room)
        if room in (fuzz, mutants):
            of.add_argument("names", nargs="*", help="these only")
        if room is mutants:
            of.add_argument("--again", action="store_true", help="those too that were caught with the code as it is")
        elif room is recording:
            of.add_argument("--minutes", type=float, default=30, help="of the virtual clock")
            of.add_argument("--rate", type=int, default=20_000, help="messages a second of it")
            of.add_argument("--speed", type=float, default=1, help="of the virtual clock")
        elif room is not total:
            of.add_argument("--first", type=int, help="live this seed again and write nothing down")
            of.add_argument("--seeds", type=int, default=SEEDS[room.__name__])
            of.add_argument("--minutes", type=float, default=60 * 24, help="begin no seed after so many")
    options = parser.parse_args()
    try:
        options.room(options)
    except Exception:  # noqa: BLE001 - told with its seed already
        return 1
    finally:
        totals.write()
    return 0


if __name__ == "__main__":
    sys.exit(main())
