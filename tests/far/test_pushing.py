"""Into a far store: seen when it is whole, whatever happens to those who push."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from object_server import flip

from pipeline.errors import ConfigError, CorruptError, FarError, LogError
from pipeline.log import manifest, pushing
from pipeline.log.export import bring_in, export
from pipeline.log.far import Far, Object, claim_name, claimed_by, log_id_in
from pipeline.log.pulling import pull
from pipeline.log.pushing import push
from pipeline.log.store import Store
from pipeline.log.visiting import visit
from pipeline.provenance import Mode
from pipeline.run.verifying import verify

ID = "generated-3"


def ids(uri):
    """What is seen in a far store."""
    return sorted(id_ for _, id_ in Far(uri).manifests())


def test_what_was_pushed_comes_back_byte_for_byte(recorded, bucket, tmp_path):
    first = push(recorded, ID, Far(bucket.uri))
    assert first.is_new
    written = {name: path for name, path in bucket.files.items() if "pushing-" not in name}
    assert first.objects == len(written) == len(bucket.files) - 1
    assert first.bytes == sum(path.stat().st_size for path in written.values())
    store, there = Store(tmp_path / "home"), Store(visit(bucket.uri))
    assert pull(store, there, ID).is_new
    assert not pull(store, there, ID).is_new
    ours, theirs = recorded.folder(ID), store.folder(ID)
    files = [path.relative_to(ours) for path in ours.rglob("*") if path.is_file() and "journal" not in path.parts]
    assert len(files) > len(first)
    assert all((ours / file).read_bytes() == (theirs / file).read_bytes() for file in files)
    assert verify(store, ID).identical


def test_what_is_there_is_left_out_and_damage_there_is_written_over(recorded, folder):
    far = Far(folder)
    push(recorded, ID, far)
    assert push(recorded, ID, far)[1:4] == (False, 0, 0)
    (name,) = (name for name in far.listed("sessions") if "kind=quote" in name)
    path = Path(far.place.removeprefix("file://"), name)
    whole = path.read_bytes()
    flip(path)
    push(recorded, ID, far, again=True)
    assert path.read_bytes() == whole


def test_what_an_interrupted_push_left_damaged_is_written_over(recorded, folder, tmp_path):
    far = Far(folder)
    push(recorded, ID, far)
    far.drop(*far.manifests().values())
    (name,) = (name for name in far.listed("sessions") if "kind=quote" in name)
    flip(Path(far.place.removeprefix("file://"), name))
    done = push(recorded, ID, far)
    assert (done.is_new, done.objects) == (True, 2)
    assert done.skipped > 2
    assert pull(Store(tmp_path / "home"), Store(visit(folder)), ID).is_new


KILLED = """
import sys, time
from pathlib import Path
from pipeline.log.far import Far, Object
from pipeline.log.pushing import push
from pipeline.log.store import Store

far = Far(sys.argv[2])
def half():
    yield bytes(12 << 20)
    raise KeyboardInterrupt
try:
    far.put("sessions/given-up", half())
except KeyboardInterrupt:
    print("given up", flush=True)
if sys.argv[3] == "killed":
    def stuck():
        yield bytes(12 << 20)
        print("in the middle", flush=True)
        time.sleep(300)
    seen = []
    def arrived(size):
        seen.append(size)
        if len(seen) == 3:
            far.put("sessions/stuck", stuck())
    push(Store(Path(sys.argv[1])), "generated-3", far, arrived=arrived)
"""


@pytest.mark.parametrize("end", ["killed", "ends"])
def test_who_is_killed_in_the_middle_leaves_nothing_that_is_seen(recorded, bucket, end):
    words = [sys.executable, "-c", KILLED, recorded.home, bucket.uri, end]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "given up\n"
        if end == "killed":
            assert process.stdout.readline() == "in the middle\n"
            process.send_signal(signal.SIGKILL)
        assert process.wait() == (-signal.SIGKILL if end == "killed" else 0)
    assert ids(bucket.uri) == []
    assert not {"sessions/given-up", "sessions/stuck"} & {*Far(bucket.uri).listed("sessions")}
    done = push(recorded, ID, Far(bucket.uri))
    assert done.is_new
    assert (done.skipped >= 3) == (end == "killed")
    assert ids(bucket.uri) == [ID]


def test_who_gives_up_waits_for_no_object_to_its_end(recorded, folder, monkeypatch):
    (largest,) = (part for part in recorded.manifest(ID).parts if part.kind == "quote")
    monkeypatch.setattr(pushing, "CHUNK_BYTES", 512)
    passed = []

    class Slow(Far):
        def put(self, name, chunks, *more):
            super().put(name, slowly(chunks) if "kind=quote" in name else chunks, *more)

    def slowly(chunks):
        for chunk in chunks:
            passed.append(chunk)
            time.sleep(0.05)
            yield chunk

    def given_up(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        push(recorded, ID, Slow(folder), arrived=given_up)
    assert sum(map(len, passed)) < largest.size
    assert Far(folder).manifests() == {}


def test_a_file_that_is_given_up_leaves_nothing_on_a_mounted_path(folder):
    def half():
        yield b"half"
        raise ValueError

    far = Far(folder)
    with pytest.raises(ValueError):
        far.put("sessions/x/half", half())
    assert far.listed("sessions") == {}
    far.put("sessions/x/whole", [b"who", b"le"])
    assert far.read("sessions/x/whole") == b"whole"
    with pytest.raises(FarError, match="gone: no such folder; is it mounted"):
        Far(folder + "/gone").put("x", [b"x"])


def test_many_push_one_session_at_once(recorded, bucket, tmp_path):
    together = threading.Barrier(4)

    def one(_):
        together.wait()
        return push(recorded, ID, Far(bucket.uri))

    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(one, range(4)))
    assert any(each.is_new for each in done)
    assert ids(bucket.uri) == [ID]
    store = Store(tmp_path / "home")
    pull(store, Store(visit(bucket.uri)), ID)
    assert verify(store, ID).identical


def another(recorded, home):
    """A store with another log of the same name."""
    store = Store(home)
    bring_in(store, export(recorded, ID, home / "copy"))
    manifest.update(store.folder(ID), log_id="f" * 32)
    return store


def test_another_log_of_one_name_is_refused(recorded, folder, tmp_path):
    push(recorded, ID, Far(folder))
    before = Far(folder).listed("sessions")
    with pytest.raises(ConfigError, match=f"sessions/{ID}: another log has this name there"):
        push(another(recorded, tmp_path / "other"), ID, Far(folder))
    assert Far(folder).listed("sessions") == before


def test_of_two_logs_of_one_name_pushed_at_once_the_second_takes_itself_back(recorded, folder, tmp_path):
    other, far, came = another(recorded, tmp_path / "other"), Far(folder), []

    def meanwhile(_):
        if not came:
            came.append(0)
            came[0] = push(other, ID, far)

    with pytest.raises(ConfigError, match="another log has this name there, ffff"):
        push(recorded, ID, far, arrived=meanwhile)
    (name,) = far.manifests().values()
    assert "f" * 32 in name


class Interrupted(Far):
    """A store in which something happens before or behind the moment in which an object comes, or its folder is listed."""

    before = after = staticmethod(lambda _: None)

    def put(self, name, *more):
        self.before(name.rpartition("/")[2].partition("-")[0])
        super().put(name, *more)
        return self.after(name.rpartition("/")[2].partition("-")[0])

    def listed(self, under):
        self.before("list")
        found = super().listed(under)
        self.after("list")
        return found


MOMENTS = [f"{when} {what}" for what in ("list", "part", "pushing", "manifest") for when in ("before", "after")]


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("ends", [True, False], ids=["whole", "killed"])
def test_at_no_moment_do_two_logs_of_one_name_come(recorded, folder, tmp_path, moment, ends):
    """Another one pushes a whole log, or is killed behind its claim, between any two steps of a push."""
    other, far, (when, what), came = another(recorded, tmp_path / "other"), Interrupted(folder), moment.split(), []

    class Killed(Far):
        def put(self, name, *more):
            if "manifest-" in name:
                raise KeyboardInterrupt
            super().put(name, *more)

    def meanwhile(step):
        if step == what:
            setattr(far, when, lambda _: None)
            with contextlib.suppress(ConfigError, KeyboardInterrupt):
                came.append(push(other, ID, (Far if ends else Killed)(folder)))

    setattr(far, when, meanwhile)
    is_ours, told = True, ""
    try:
        push(recorded, ID, far)
    except ConfigError as error:
        is_ours, told = False, str(error)
    logs = {log_id_in(name) for name in far.listed("sessions")} - {""}
    mine, theirs = recorded.manifest(ID).log_id, "f" * 32
    assert logs == ({mine} if is_ours else {theirs} if came else set())
    assert is_ours or "another log has this name there" in told or "being pushed in this moment" in told
    assert is_ours == (not came) or not ends
    assert not [name for name, about in far.listed("sessions").items() if claimed_by(name) == mine and about.size > 4]


def test_a_claim_of_a_killed_push_means_nothing_after_an_hour(recorded, folder, tmp_path):
    far, other = Far(folder), another(recorded, tmp_path / "other")
    claim = claim_name(other.manifest(ID), "0" * 16)
    far.put(claim, [b"f" * 32])
    with pytest.raises(ConfigError, match="another log of this name is being pushed in this moment, ffff"):
        push(recorded, ID, far)
    os.utime(Path(far.place.removeprefix("file://"), claim), (time.time() - 3_700,) * 2)
    assert push(recorded, ID, far).is_new


def test_a_claim_without_a_time_stands(recorded, folder, tmp_path):
    class Timeless(Far):
        def listed(self, under):
            theirs = claim_name(other.manifest(ID), "0" * 16)
            return {
                name: about._replace(written_ns=0) if name == theirs else about
                for name, about in super().listed(under).items()
            }

    other = another(recorded, tmp_path / "other")
    Far(folder).put(claim_name(other.manifest(ID), "0" * 16), [b"f" * 32])
    with pytest.raises(ConfigError, match="another log of this name is being pushed in this moment, ffff"):
        push(recorded, ID, Timeless(folder))


def test_who_slept_behind_his_claim_does_not_act_on_it(recorded, folder, monkeypatch):
    far = Interrupted(folder)

    def sleep(step):
        if step == "pushing":
            now_s = pushing._elapsed_s()
            monkeypatch.setattr(pushing, "_elapsed_s", lambda: now_s + 2_000)
            far.after = lambda _: None

    far.after = sleep
    with pytest.raises(FarError, match=r"this took so long .* push it again"):
        push(recorded, ID, far)
    assert far.manifests() == {}
    assert push(recorded, ID, far).is_new


def test_a_store_that_does_not_list_what_was_put_is_told(recorded, folder):
    class Late(Far):
        def listed(self, under):
            return {name: about for name, about in super().listed(under).items() if "pushing-" not in name}

    with pytest.raises(FarError, match="what was just put is not listed there"):
        push(recorded, ID, Late(folder))


@pytest.mark.parametrize(("size", "said"), [(3, "3 bytes of"), (None, "nothing arrived")])
def test_what_did_not_arrive_whole_is_seen_before_the_manifest_comes(recorded, folder, size, said):
    class Losing(Far):
        def listed(self, under):
            found = super().listed(under)
            for name in [name for name in found if "kind=quote" in name]:
                found[name] = Object(size, 0)
            return {name: about for name, about in found.items() if about.size is not None}

    with pytest.raises(FarError, match=rf"kind=quote.*{said}"):
        push(recorded, ID, Losing(folder))
    assert Far(folder).manifests() == {}
    assert push(recorded, ID, Far(folder)).is_new


def test_a_manifest_that_another_pushed_is_not_written_anew(recorded, folder):
    far, came = Interrupted(folder), []

    def meanwhile(_):
        if not came:
            came.append(0)
            push(recorded, ID, Far(folder))

    far.before = lambda step: pytest.fail("it is there") if step == "manifest" else None
    assert push(recorded, ID, far, arrived=meanwhile).is_new
    assert ids(folder) == [ID]


def test_only_what_is_sealed_and_sound_is_pushed(recorded, folder, tmp_path):
    store = Store(tmp_path / "store")
    made = store.create_session("day", mode=Mode.IMPORT, created_ns=5)
    with pytest.raises(LogError, match="day: only what is sealed can be pushed; `tape sessions seal day`"):
        push(store, made.id, Far(folder))
    bring_in(store, export(recorded, ID, tmp_path / "copy"))
    flip(next(store.folder(ID).glob("events/kind=quote/*.parquet")))
    with pytest.raises(CorruptError, match=r"kind=quote.*other bytes than were sealed; nothing was pushed"):
        push(store, ID, Far(folder))
    assert Far(folder).manifests() == {}
    assert not any("kind=quote" in name for name in Far(folder).listed("sessions"))


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("s3://key:secret@bucket/x", "keys come from the environment"),
        ("s3://key@bucket/x", "keys come from the environment"),
        ("gs://user:secret@bucket/x", "keys come from the environment"),
        ("s3://bucket/x?secret_key=1", "accepted there is endpoint_override, region, scheme"),
        ("s3://bucket/x?endpoint_override=key:secret@host&scheme=http", "keys come from the environment"),
        ("s3://bucket/x?endpoint_override=http%3A%2F%2Fkey:secret%40host", "keys come from the environment"),
        ("s3://bucket/x#secret@y", "s3://bucket/x#...: no store is asked for what is behind a #"),
        ("file:///mnt/a#", "in a path of file:// it is %23"),
        ("ftp://bucket/x", "ftp://: accepted are abfs://, file://, gs://, s3://"),
        ("file://mnt/x", "a mounted path has three slashes: file:///mnt/x"),
        ("file:data/x", "a mounted path has three slashes: file:///data/x"),
        ("s3:///x", "write s3://BUCKET/PATH"),
        ("s3:///key:secret@bucket/x", "s3://...: a secret in a URI"),
        ("s3:/key:secret@bucket/x", "s3://...: a secret in a URI"),
        ("gs:///secret@bucket/x", "gs://...: a secret in a URI"),
        ("s3://key:half/secret@bucket/x", "s3://...: a secret in a URI"),
        ("s3://key:half?secret@bucket/x", "s3://...: a secret in a URI"),
        ("s3://bucket/x?c2VjcmV0secret@", "s3://bucket/x?...: accepted there is"),
        ("s3://key:\N{DOUBLE QUESTION MARK}secret@bucket/x", "s3://...: it is no URI"),
        ("s3://[bucket/x", "s3://[bucket/x: it is no URI"),
    ],
)
def test_what_is_no_store_is_refused_before_anybody_is_asked(uri, said):
    with pytest.raises(ConfigError) as refused:
        Far(uri)
    assert said in str(refused.value)
    assert "secret@" not in str(refused.value)


def test_a_key_in_an_endpoint_of_the_environment_is_not_told(keys, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "key:secret@host")
    with pytest.raises(ConfigError, match="AWS_ENDPOINT_URL: no key goes into an endpoint") as refused:
        Far("s3://bucket/x").listed("sessions")
    assert "secret" not in str(refused.value)
