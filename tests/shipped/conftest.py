"""This folder is not called `strategies`: with `tests` on the import path it would hide the package of that name."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "core"))  # core_day, the hand-written day
