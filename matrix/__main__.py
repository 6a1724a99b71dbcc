"""Record sessions here, verify them in every environment that can be made, print the table; exit 1 on a difference."""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from matrix.environments import CHOICES, KEPT, ROOT, NotMadeError, found_python, made, said, versions
from matrix.sessions import Hashes, record
from matrix.table import WAYS, Cell, table
from pipeline.log.store import Store

PYTHONS = ("3.11", "3.12", "3.13", "3.14")
DATA = ROOT.parent / "shared" / "data"


def main() -> int:
    wanted, is_complete = sys.argv[1:] or PYTHONS, True
    cells: list[Cell] = []
    with TemporaryDirectory() as folder:
        home = Path(folder) / "here"
        recorded = record(Store(home), DATA)
        for version in wanted:
            if (python := found_python(version)) is None:
                _tell(f"Python {version}: there is none here")
                is_complete = is_complete and wanted is PYTHONS
                continue
            for choice in CHOICES:
                cells += _cells(python, choice, home, Path(folder) / f"{version}-{choice}", recorded)
    told, is_equal = table(cells, recorded)
    print(told)
    return 0 if is_equal and is_complete else 1


def _cells(python: str, choice: str, home: Path, there: Path, recorded: dict[str, Hashes]) -> list[Cell]:
    try:
        inside = made(there.name, python, choice)
        environment = versions(inside)
    except NotMadeError as error:
        return [Cell((there.name,), each, way, problem=str(error)) for way in WAYS for each in recorded]
    cells = []
    for number, way in enumerate(WAYS, 1):
        _tell(f"... {' '.join(environment)}: {way}")
        settings = {"PYTHONHASHSEED": str(4_711 * number), "TAPE_CACHE": str(KEPT / f"{there.name}-kernels")}
        words = [str(home), way, *recorded]
        if way == "recorded there":  # and read here
            said([inside, "-m", "matrix.worker", "record", str(there), str(DATA)], settings)
            inside, words = sys.executable, [str(there), "interpreted", *recorded]
        lines, problem = said([inside, "-m", "matrix.worker", "verify", *words], settings)
        answers = {each["session"]: each for each in lines}
        unsaid = {"problem": problem or "said nothing"}
        cells += [Cell(environment, way=way, **{"session": each, **answers.get(each, unsaid)}) for each in recorded]
    return cells


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
