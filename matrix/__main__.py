"""Record sessions here, verify them in every environment that can be made, print the table; exit 1 on a difference."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from matrix.sessions import record
from matrix.table import Cell, table
from pipeline.log.store import Store

ROOT = Path(__file__).resolve().parents[1]
KEPT = ROOT / "build" / "matrix"
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
CHOICES = ("lowest-direct", "highest")
"""Which versions of the packages in pyproject.toml: its lower bounds, or the newest."""


def main() -> int:
    wanted = sys.argv[1:] or PYTHONS
    cells: list[Cell] = []
    with TemporaryDirectory() as folder:
        store = Store(Path(folder))
        recorded = record(store, ROOT.parent / "shared" / "data")
        for version in wanted:
            for choice in CHOICES:
                cells += _verified(version, choice, folder, list(recorded))
    told, is_equal = table(cells, recorded)
    print(told)
    return 0 if is_equal else 1


def _verified(version: str, choice: str, home: str, sessions: list[str]) -> list[Cell]:
    try:
        python, name = _made(version, choice)
    except (OSError, subprocess.CalledProcessError) as error:
        reason = (getattr(error, "stderr", "") or str(error)).strip().splitlines()[-1]
        print(f"Python {version}, {choice}: not made: {reason}", file=sys.stderr, flush=True)
        return []
    cells = []
    for number, speed in enumerate(("interpreted", "compiled"), 1):
        print(f"... {name}, {speed}", file=sys.stderr, flush=True)
        mine = {"PYTHONHASHSEED": str(4_711 * number), "TAPE_CACHE": str(KEPT / f"{version}-{choice}-kernels")}
        done = subprocess.run(
            [python, "-m", "matrix.worker", home, speed, *sessions],
            cwd=ROOT, env={**os.environ, **mine}, check=False, capture_output=True, text=True,
        )  # fmt: skip
        said = {each["session"]: each for each in map(json.loads, done.stdout.splitlines())}
        broken = {"problem": (done.stderr.strip().splitlines() or ["said nothing"])[-1]}
        cells += [Cell(name, speed=speed, **{"session": each, **said.get(each, broken)}) for each in sessions]
    return cells


def _made(version: str, choice: str) -> tuple[str, str]:
    """The Python of an environment, and what it holds. Raises CalledProcessError, OSError when it can't be made."""
    folder = KEPT / f"{version}-{choice}"
    python, uv = str(folder / "bin" / "python"), [sys.executable, "-m", "uv"]
    if not (folder / "made").exists():
        shutil.rmtree(folder, ignore_errors=True)
        _run([*uv, "venv", "--quiet", "--no-project", "--no-python-downloads", "--python", version, str(folder)])
        install = ["pip", "install", "--quiet", "--python", python, "--only-binary", ":all:", "--resolution", choice]
        _run([*uv, *install, "-r", str(ROOT / "pyproject.toml")])
        (folder / "made").touch()
    asked = "import json; from pipeline.run.environment import packages; print(json.dumps(packages()))"
    found = json.loads(_run([python, "-c", asked]))
    names = ("python", "numpy", "numba", "pyarrow", "duckdb")
    return python, ", ".join(f"{'Python' if each == 'python' else each} {found[each]}" for each in names)


def _run(command: list[str]) -> str:
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    sys.exit(main())
