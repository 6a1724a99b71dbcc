"""A manifest that somebody wrote to do harm: its hash is right, and what it says is not believed."""

import os
from pathlib import Path

import msgspec
import pytest

from pipeline.errors import CorruptError, SchemaError, TapeError
from pipeline.log import manifest
from pipeline.log.far import CHUNK_BYTES, Far, folder_of, manifest_name
from pipeline.log.pulling import pull
from pipeline.log.pushing import push
from pipeline.log.store import Store
from pipeline.log.visiting import visit

ID = "generated-3"
RUN = "r-ema_cross-generated-3"
UP = "/".join([".."] * 6)


def with_part(of, **changes):
    """The manifest with its first part changed."""
    return manifest.replaced(of, parts=(msgspec.structs.replace(of.parts[0], **changes), *of.parts[1:]))


EVIL = {
    "code_hash": lambda of: manifest.replaced(of, code_hash=f"{'a' * 16}/../{UP}/harmed"),
    "hash of a part": lambda of: with_part(of, blake3=f"{UP}/precious"),
    "path of a part": lambda of: with_part(of, file=f"{UP}/harmed.parquet"),
    "folder of a part": lambda of: with_part(of, file=f"events/kind={of.parts[1].kind}/part-00001.parquet"),
    "dots in a part": lambda of: with_part(of, file=f"events/kind={of.parts[0].kind}/../part-00001.parquet"),
    "hash of a piece": lambda of: with_part(of, pieces=(msgspec.structs.replace(of.parts[0].pieces[0], blake3="a"),)),
    "chain": lambda of: with_part(of, chain_in="a/.."),
    "log": lambda of: manifest.replaced(of, log_id="F" * 32),
    "line behind a hash": lambda of: manifest.replaced(of, code_hash=of.code_hash + "\n"),
    "name of a source": lambda of: manifest.replaced(of, code={"../x.py": "0" * 64}),
    "hash of a source": lambda of: manifest.replaced(of, code={"x.py": ""}),
}


@pytest.mark.parametrize("how", EVIL)
def test_a_text_that_is_not_spelled_as_it_should_is_refused(recorded, tmp_path, how):
    of = recorded.manifest(ID)
    assert manifest.decode(manifest.encode(of), tmp_path) == of
    with pytest.raises(SchemaError):
        manifest.decode(manifest.encode(EVIL[how](of)), tmp_path)
    with pytest.raises(SchemaError):
        manifest.save(tmp_path, EVIL[how](of))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("how", ["code_hash", "hash of a part", "path of a part"])
def test_no_text_of_a_manifest_is_a_path_out_of_the_store(recorded, folder, tmp_path, monkeypatch, how):
    deep = tmp_path / "a" / "b" / "c"  # what would get out stays in here
    monkeypatch.setenv("XDG_CACHE_HOME", str(deep / "user-cache"))
    push(recorded, ID, Far(folder))
    (name,) = Far(folder).manifests().values()
    Far(folder).drop(name)
    evil = EVIL[how](recorded.manifest(ID))
    content = manifest.encode(evil)
    Far(folder).put(manifest_name(evil, content), [content])
    place = Path(folder.removeprefix("file://"), folder_of(evil), "code")
    for path in list(place.iterdir()):
        path.rename(place / f"{evil.code_hash[:16]}.json")
    store, objects = Store(deep / "home"), deep / "home" / "cache" / "far" / "objects"
    objects.mkdir(parents=True)
    for part in recorded.manifest(ID).parts:  # as an interrupted pull leaves them
        (objects / part.blake3).write_bytes((recorded.folder(ID) / part.file).read_bytes())
    precious = (objects / f"{UP}/precious").resolve()
    precious.write_text("precious")
    kept = sorted(objects.iterdir())
    shown = Store(visit(folder))
    assert ID in shown.unreadable()
    with pytest.raises(TapeError):
        pull(store, shown, ID)
    assert precious.read_text() == "precious"
    assert not list(tmp_path.rglob("harmed*"))
    assert sorted(objects.iterdir()) == kept
    assert not store.folder(ID).exists()


def test_no_more_is_taken_than_there_should_be(recorded, folder, tmp_path, monkeypatch):
    push(recorded, ID, Far(folder))
    there = Path(folder.removeprefix("file://"))
    part = max(there.rglob("*.parquet"), key=lambda path: path.stat().st_size)
    os.truncate(part, 1 << 30)
    taken, chunks = [], Far.chunks

    def counted(far, name):
        for chunk in chunks(far, name):
            if part.name in name:
                taken.append(len(chunk))
            yield chunk

    monkeypatch.setattr(Far, "chunks", counted)
    store, shown = Store(tmp_path / "home"), Store(visit(folder))
    with pytest.raises(CorruptError, match=f"{part.name}.*more bytes where the manifest says"):
        pull(store, shown, ID)
    assert sum(taken) <= CHUNK_BYTES
    push(recorded, RUN, Far(folder))
    os.truncate(there / Far(folder).manifests()["runs", RUN], 1 << 34)
    shown = Store(visit(folder))
    assert [log.id for log in shown.sessions()] == [ID]
    assert RUN in shown.unreadable()
