"""Out of a far store: every byte proved as it comes, nothing seen before all is here."""

import shutil

import pytest
from object_server import flip

from pipeline.errors import ConfigError, CorruptError, FarError
from pipeline.log.check import check
from pipeline.log.far import Far
from pipeline.log.pulling import FOLDER, Pulled, pull
from pipeline.log.pushing import push
from pipeline.log.store import Store
from pipeline.log.visiting import visit
from pipeline.provenance import Mode

ID = "generated-3"


@pytest.mark.parametrize("kind", ["kind=quote", "/code/"])
def test_damage_there_is_refused_with_the_name_of_the_object(recorded, bucket, tmp_path, kind):
    push(recorded, ID, Far(bucket.uri))
    path = bucket.one(kind)
    flip(path)
    store = Store(tmp_path / "home")
    with pytest.raises(CorruptError) as refused:
        pull(store, Store(visit(bucket.uri)), ID)
    assert path.name in str(refused.value)
    assert "s3://" in str(refused.value)
    assert store.sessions() == []
    assert not store.unreadable()


def test_what_was_cut_off_is_seen_by_nobody_and_goes_on(recorded, bucket, tmp_path):
    push(recorded, ID, Far(bucket.uri))
    store, there, came = Store(tmp_path / "home"), Store(visit(bucket.uri)), []

    def arrived(size):
        came.append(size)
        if len(came) > 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pull(store, there, ID, arrived=arrived)
    assert store.sessions() == []
    assert not store.unreadable()
    kept = list((store.home / FOLDER / "objects").glob("[!.]*"))
    assert len(kept) >= 3
    flip(kept[0], 5)  # as a power cut may
    (store.home / FOLDER / f"making-{ID}" / "events").mkdir(parents=True)
    for each in kept[1:]:  # they are not asked for again
        flip(next(path for path in bucket.files.values() if each.name[:16] in path.name))
    assert pull(store, there, ID).is_new
    assert [session.id for session in store.sessions()] == [ID]
    assert not list((store.home / FOLDER / "objects").iterdir())


def test_a_log_of_another_name_here_is_left_alone(recorded, bucket, tmp_path):
    push(recorded, ID, Far(bucket.uri))
    store = Store(tmp_path / "home")
    mine = store.create_session(ID, mode=Mode.IMPORT, created_ns=5)
    with pytest.raises(ConfigError, match="another log has this name here"):
        pull(store, Store(visit(bucket.uri)), ID)
    assert store.sessions() == [mine]


def test_a_manifest_whose_content_is_gone_is_told_and_mended(recorded, folder, tmp_path):
    push(recorded, ID, Far(folder))
    store, far = Store(tmp_path / "home"), Far(folder)
    for part in ("kind=quote", "/code/"):
        (name,) = (name for name in far.listed("sessions") if part in name)
        far.drop(name)
        with pytest.raises(FarError, match=name):
            pull(store, Store(visit(folder)), ID)
        assert (store.sessions(), store.unreadable()) == ([], {})
        assert push(recorded, ID, far, again=True).objects > 1
    assert pull(store, Store(visit(folder)), ID).is_new


def test_what_is_damaged_here_comes_once_more(recorded, bucket, tmp_path):
    push(recorded, ID, Far(bucket.uri))
    store, there = Store(tmp_path / "home"), Store(visit(bucket.uri))
    assert pull(store, there, ID).is_new
    parts = {part.kind: part for part in store.manifest(ID).parts}
    paths = {kind: store.folder(ID) / part.file for kind, part in parts.items()}
    (source,) = (store.folder(ID) / "code").rglob("ema_cross.py")
    shutil.rmtree(paths["quote"].parent)
    paths["print"].write_bytes(paths["print"].read_bytes()[:-1])
    flip(paths["fill"])
    flip(source)
    before = identity(paths["order"])
    assert pull(store, there, ID) == Pulled(ID, is_new=False, bytes=parts["quote"].size + parts["print"].size)
    assert len(check(store).damage) == 2, "what has its length is only read when it is asked for"
    assert pull(store, there, ID, again=True) == Pulled(ID, is_new=False, bytes=parts["fill"].size)
    assert check(store).sound
    assert pull(store, there, ID, again=True).bytes == 0
    assert identity(paths["order"]) == before
    assert not list((store.home / FOLDER / "objects").iterdir())


def identity(path):
    """What changes where a file is written; when it was read last is none of it."""
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns
