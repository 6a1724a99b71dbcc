"""Sealing dies at every single call, with and without a power cut: every row is there once, before and after the next try."""

import shutil

import pytest
from crashing_disk import CrashingDisk
from dying import die_at, everything, rehearsed
from store_samples import rows_of, write_few_kinds

from pipeline.log import manifest
from pipeline.log.seal import seal, seal_segment


def seal_all(folder, disk):
    seal_segment(folder, disk)
    return seal(folder, disk)


@pytest.fixture(params=[True, False], ids=["decided", "inputs alone"])
def origin_and_rows(store, begun, request):
    made, journal = begun(segment_bytes=10_000 if request.param else 4_000)
    written = write_few_kinds(journal, 4, is_decided=request.param)
    journal.close()
    folder = store.folder(made.id)
    manifest.update(folder, state="ended")
    assert len(list((folder / "journal").glob("*.seg"))) >= 3
    return folder, written


@pytest.mark.parametrize("has_power_cut", [False, True])
@pytest.mark.parametrize("share", [3, pytest.param(1, marks=pytest.mark.soak)])
def test_sealing_may_die_at_any_call(tmp_path, origin_and_rows, has_power_cut, share):
    origin, written = origin_and_rows
    calls = rehearsed(tmp_path, origin, seal_all)
    assert calls[-1].startswith("sync_folder")
    die_at(calls, tmp_path, origin, seal_all, rows_of(written), share=share, has_power_cut=has_power_cut)


@pytest.mark.parametrize("rule", ["sync", "sync_folder"])
def test_each_sync_of_sealing_is_needed(tmp_path, origin_and_rows, rule):
    """Without the syncs of files, or of folders, the very same simulation loses rows."""
    origin, written = origin_and_rows
    expected = rows_of(written)
    careless = type("Careless", (CrashingDisk,), {rule: lambda self, what: None})
    for seed in range(40):
        folder = tmp_path / "a" / "b" / f"c{seed}" / "session"
        shutil.copytree(origin, folder)
        disk = careless()
        seal(folder, disk)
        disk.power_cut(seed)
        try:
            if everything(folder) != expected:
                return
        except Exception:  # noqa: BLE001 - any failure to read is the loss that was looked for
            return
    pytest.fail("nothing was lost: the simulation sees nothing")
