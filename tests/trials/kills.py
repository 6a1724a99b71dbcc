"""Real kills: a seed is the life of a log on a real disk, in which so many writers are killed with SIGKILL one after the other."""

import random
import shutil
import tempfile
from pathlib import Path

from killed_writers import Nursery

KILLS = 20


class Kills:
    """Lives of logs in a folder of their own. A context manager."""

    def __enter__(self):
        self._home = Path(tempfile.mkdtemp(prefix="kills-"))
        self._nursery = Nursery()
        self._nursery.__enter__()
        return self

    def __exit__(self, *_):
        self._nursery.__exit__()
        shutil.rmtree(self._home)

    def life(self, seed):
        """How many writers were killed. Raises AssertionError when a log lost something, or made something up."""
        folder = self._home / f"{seed}"
        self._nursery.life(folder, random.Random(seed), KILLS)
        shutil.rmtree(folder, ignore_errors=True)  # none is there when all died too early
        return KILLS
