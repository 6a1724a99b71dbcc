"""`python tests/trials crash ...`: the long trials, each going on where the last stint ended."""

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "log")]

import stints  # noqa: E402 - the rooms of the tests are found first


def crash(options: argparse.Namespace) -> None:
    """Power cuts, kills and errors on a simulated disk."""
    from worlds import World  # noqa: PLC0415 - what is not asked for is not loaded

    stint(options, "crash", lambda seed: World(seed).run() or 1, options.seeds, "crash --seeds 1")


def stint(options, name, life, count, again):
    first = stints.next_seed(name) if options.first is None else options.first
    is_kept = options.first is None
    stints.live(name, life, first, count, again=f"just {again} --first {{seed}}", is_kept=is_kept)


def main() -> int:
    parser = argparse.ArgumentParser(prog="trials", description=__doc__)
    rooms = parser.add_subparsers(required=True)
    for room in (crash,):
        of = rooms.add_parser(room.__name__, help=room.__doc__)
        of.set_defaults(room=room)
        of.add_argument("--first", type=int, help="live this seed again and write nothing down")
    rooms.choices["crash"].add_argument("--seeds", type=int, default=10_000)
    options = parser.parse_args()
    try:
        options.room(options)
    except Exception:  # noqa: BLE001 - told with its seed already
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
