"""Dying at every call: a piece of work on a log's folder that may die anywhere, and every row is there before and after the next try."""

import shutil

import pytest
from crashing_disk import CrashingDisk, Died
from store_samples import rows_of

from pipeline.log import manifest
from pipeline.log.disk import RealDisk
from pipeline.log.reader import LogReader
from pipeline.log.seal import unnamed


def everything(folder):
    return rows_of([block for batch in LogReader(folder).batches(what="all") for block in batch])


def rehearsed(tmp_path, origin, work):
    """The calls of the disk that the work makes."""
    rehearsal = tmp_path / "a" / "b" / "c" / "rehearsal"
    shutil.copytree(origin, rehearsal)
    whole = CrashingDisk()
    work(rehearsal, whole)
    return whole.calls


def die_at(calls, tmp_path, origin, work, expected, *, share, has_power_cut):
    """Let the work die at each `share`-th of its calls, with a power cut or without, and be done again."""
    for call in range(has_power_cut, len(calls), share):
        folder = tmp_path / "a" / "b" / f"c{call}" / "session"
        shutil.copytree(origin, folder)
        disk = CrashingDisk(dies_at=call)
        with pytest.raises(Died):
            work(folder, disk)
        if has_power_cut:
            disk.power_cut(seed=call)
        assert everything(folder) == expected, calls[call]
        work(folder, RealDisk())
        assert everything(folder) == expected, calls[call]
        assert unnamed(folder, manifest.load(folder), RealDisk()) == []
        shutil.rmtree(folder.parent)
