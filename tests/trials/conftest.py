"""Trials stand on what other rooms of tests have: worlds, samples and vendors' messages."""

import sys
from pathlib import Path

sys.path += [str(Path(__file__).parents[1] / room) for room in ("log", "execution", "normalize", "feeds")]
