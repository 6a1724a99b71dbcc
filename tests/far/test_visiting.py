"""A far store as a home: read like any other, its parts fetched when they are asked for."""

import json
import os
import shutil
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from click.testing import CliRunner
from object_server import flip

sys.path.insert(0, str(Path(__file__).parents[1] / "run"))
from commands import tape

from pipeline.cli import main
from pipeline.errors import FarError
from pipeline.log import manifest
from pipeline.log.arriving import mark_of
from pipeline.log.check import check_log
from pipeline.log.export import bring_in, export
from pipeline.log.far import Far, shown
from pipeline.log.pushing import push
from pipeline.log.store import Store
from pipeline.log.visiting import _make_room, cache_root, visit

ID = "generated-3"
RUN = "r-ema_cross-generated-3"


def objects():
    """What has arrived."""
    return [path.name for path in (cache_root() / "objects").glob("[!.]*")]


def test_a_life_by_commands(recorded, bucket, tmp_path, monkeypatch):
    monkeypatch.setenv("TAPE_FAR", bucket.uri)
    said = tape(recorded.home, "push", RUN)
    assert said.returncode == 0, said.stderr
    assert [line.partition(":")[0] for line in said.stdout.splitlines()] == [ID, RUN]
    assert tape(recorded.home, "push", RUN).stdout == f"{ID}: there already\n{RUN}: there already\n"
    assert tape(bucket.uri, "sessions", "list").stdout == tape(recorded.home, "sessions", "list").stdout
    assert objects() == []
    asked = "select count(*) as fills, sum(quantity) as quantity from fills"
    assert (
        tape(bucket.uri, "sql", asked, "--format", "json").stdout
        == tape(recorded.home, "sql", asked, "--format", "json").stdout
    )
    some = len(objects())
    assert 0 < some < sum(len(log.parts) for log in (*recorded.sessions(), *recorded.runs()))
    for name in (ID, RUN):
        assert "identical" in tape(bucket.uri, "verify", name).stdout
    pulled = json.loads(tape(tmp_path / "home", "pull", RUN, "--json").stdout)
    assert [each["id"] for each in pulled["pulled"]] == [ID, RUN]
    assert all(check_log(tmp_path / "home" / room / id_).sound for room, id_ in (("sessions", ID), ("runs", RUN)))
    made = tape(bucket.uri, "replay", ID, "--strategy", "ema_cross")
    assert made.returncode == 0, made.stderr
    assert f"{RUN}-2" in tape(bucket.uri, "runs", "list").stdout
    assert tape(bucket.uri, "sessions", "export", ID, tmp_path / "copy").returncode == 0


def test_what_writes_is_refused_in_one_line(recorded, bucket, tmp_path):
    tape(recorded.home, "push", ID, "--to", bucket.uri)
    for words in (["demo"], ["record"], ["sessions", "delete", ID, "--yes"], ["sessions", "restore", tmp_path]):
        said = tape(bucket.uri, *words)
        assert said.returncode == 2, words
        assert said.stderr.count("\n") == 1, words
    assert "to read from" in tape(bucket.uri, "demo").stderr
    said = tape(bucket.uri, "dashboard").stderr
    place = Far(bucket.uri).place
    assert said == (
        f"tape: {place} is a store to read from, and `tape dashboard` needs a folder: `tape --home FOLDER pull last --from "
        f"{place}?...` brings a session here, then `tape --home FOLDER dashboard`\n"
    )
    assert tape(bucket.uri, "sql", "--help").returncode == 0
    assert tape("s3://nowhere:x@bucket", "sql", "--help").returncode == 0


@pytest.mark.parametrize(
    "secret",
    [
        "s3://TESTKEY:TESTSECRET@bucket/x?endpoint_override=127.0.0.1:1&scheme=http",
        "s3://TESTKEY:a/TESTSECRET@bucket/x",
        "s3://bucket/x?secret_key=TESTSECRET",
        "https://TESTKEY:TESTSECRET@bucket/x",
        "s3:/TESTKEY:TESTSECRET@bucket/x",
        "s3:TESTKEY:TESTSECRET@bucket/x",
    ],
)
def test_no_command_tells_or_keeps_the_key_in_a_uri(recorded, keys, tmp_path, secret):
    asked = [[name] for name in main.list_commands(None)]
    asked += [["pull", ID, "--from", "file:///"], ["pull", ID, "--json", "--from", secret], ["strategies"]]
    said = [tape(secret, *words) for words in asked]
    said += [tape(recorded.home, "push", ID, "--to", secret), tape(tmp_path / "home", "pull", ID, "--from", secret)]
    assert sum(each.returncode == 2 for each in said) > len(said) - 5
    assert not [each.args for each in said if "TEST" in each.stdout + each.stderr]
    kept = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert not [path for path in kept if "TEST" in str(path) or b"TEST" in path.read_bytes()]


@pytest.mark.parametrize("name", ["s3", "file"])
def test_a_folder_may_be_called_as_a_scheme_is(recorded, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    Path(name).symlink_to(recorded.home)
    said = tape(name, "sessions", "list")
    assert (said.returncode, said.stdout) == (0, tape(recorded.home, "sessions", "list").stdout), said.stderr
    assert shown(name) == name


def test_a_disk_that_fails_names_no_uri(monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pipeline.run.strategies.shipped", full)
    said = tape("s3://TESTKEY:TESTSECRET@bucket/x", "strategies")
    assert (said.returncode, said.stderr) == (2, "tape: [Errno 28] No space left on device\n")


def test_what_is_gone_there_is_gone_and_what_comes_there_comes(recorded, folder):
    assert tape(folder, "sessions", "list", "--json").stdout == '{"sessions":[],"unreadable":{}}\n'
    assert tape(folder, "runs", "list").stdout == f"nothing in {folder} yet: `tape push` puts finished sessions there\n"
    assert f"names nothing in {folder}; there is nothing" in tape(folder, "verify", "last").stderr
    tape(recorded.home, "push", ID, "--to", folder)
    home = visit(folder)
    assert mark_of(home / "sessions" / ID).uri == Far(folder).uri
    Far(folder).drop(*Far(folder).manifests().values())
    assert visit(folder) == home
    assert not (home / "sessions" / ID).exists()


def test_damage_is_refused_whoever_reads(recorded, bucket):
    tape(recorded.home, "push", ID, "--to", bucket.uri)
    path = bucket.one("kind=fill")
    flip(path)
    said = tape(bucket.uri, "sql", "from fills")
    assert (said.returncode, said.stderr.count("\n")) == (2, 1)
    assert path.name in said.stderr
    assert "kind=fill/part-00001.parquet" in tape(bucket.uri, "check").stdout
    assert tape(bucket.uri, "sql", "select count(*) from quotes").returncode == 0
    flip(path)
    assert check_log(visit(bucket.uri) / "sessions" / ID).sound
    flip(bucket.one("manifest-"), 300)
    visit(bucket.uri)
    assert f"{ID}  sealed" in tape(bucket.uri, "sessions", "list").stdout  # what was read of it before holds


def test_a_manifest_that_is_damaged_is_told(recorded, bucket):
    tape(recorded.home, "push", ID, "--to", bucket.uri)
    flip(bucket.one("manifest-"), 300)
    assert "DAMAGED" in tape(bucket.uri, "sessions", "list").stdout


def test_a_manifest_that_was_mended_there_is_read_anew(recorded, folder):
    push(recorded, ID, Far(folder))
    (name,) = Far(folder).manifests().values()
    flip(Path(folder.removeprefix("file://"), name), 300)
    assert ID in Store(visit(folder)).unreadable()
    push(recorded, ID, Far(folder), again=True)
    assert [log.id for log in Store(visit(folder)).sessions()] == [ID]
    other = manifest.encode(manifest.replaced(recorded.manifest(ID), seed=9))
    Far(folder).put(name, [other])  # sound, and not what the name says
    shutil.rmtree(cache_root())
    assert ID in Store(visit(folder)).unreadable()


def test_commands_at_once_may_make_room(keys, monkeypatch):
    monkeypatch.setenv("TAPE_FAR_GIB", "0")
    kept = cache_root() / "objects"
    kept.mkdir(parents=True)
    together = threading.Barrier(4)

    def one(_):
        together.wait()
        _make_room(kept)

    with ThreadPoolExecutor(4) as pool:
        for _ in range(5):
            for number in range(200):
                path = kept / f"{number:064x}"
                path.write_bytes(b"x")
                os.utime(path, (1, 1))
            list(pool.map(one, range(4)))
            assert objects() == []


def test_another_log_of_the_name_has_its_own_sources(recorded, folder, tmp_path):
    push(recorded, ID, Far(folder))
    home = visit(folder)
    other = Store(tmp_path / "other")
    bring_in(other, export(recorded, ID, tmp_path / "copy"))
    changed = {name: (recorded.folder(ID) / "code" / name).read_text() for name in recorded.manifest(ID).code}
    other.keep_code(ID, {**changed, "more.py": "more = 1\n"})
    theirs = manifest.update(other.folder(ID), log_id="f" * 32)
    Far(folder).drop(*Far(folder).manifests().values())
    push(other, ID, Far(folder))
    assert visit(folder) == home
    assert Store(home).manifest(ID) == theirs
    assert (home / "sessions" / ID / "code").resolve() == home / "code" / theirs.code_hash
    assert check_log(home / "sessions" / ID).sound


def test_what_arrived_and_was_not_used_lately_goes_first(recorded, bucket, monkeypatch):
    tape(recorded.home, "push", ID, "--to", bucket.uri)
    tape(bucket.uri, "verify", ID)
    kept = objects()
    assert len(kept) > 3
    monkeypatch.setenv("TAPE_FAR_GIB", "0")
    old = cache_root() / "objects" / kept[0]
    os.utime(old, (1, 1))
    visit(bucket.uri)
    assert sorted(objects()) == sorted(kept[1:])


def test_what_was_damaged_here_comes_once_more(recorded, folder, tmp_path):
    tape(recorded.home, "push", ID, "--to", folder)
    tape(folder, "verify", ID)
    for name in objects():
        flip(cache_root() / "objects" / name, 50)
    assert "identical" in tape(folder, "verify", ID).stdout
    home, elsewhere = Store(visit(folder)), tmp_path / "elsewhere"
    elsewhere.mkdir()
    for read in (
        lambda: check_log(home.folder(ID)).sound,
        lambda: export(home, ID, tmp_path / "copy"),
        lambda: push(home, ID, Far(f"file://{elsewhere}")).is_new,
    ):
        assert objects()
        for name in objects():
            flip(cache_root() / "objects" / name, 50)
        assert read()


def test_what_a_server_refuses_is_one_line(bucket, monkeypatch):
    said = tape(bucket.uri.replace("s3://tapes/", "s3://types/"), "sessions", "list")
    assert (said.returncode, said.stderr.count("\n")) == (2, 1)
    assert said.stderr.endswith(": there is no bucket types\n")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another-secret-key")
    said = tape(bucket.uri, "sessions", "list")
    assert (said.returncode, said.stderr.count("\n")) == (2, 1)
    assert "Check your key" in said.stderr


def test_a_far_store_is_no_place_to_pull_into(recorded, folder):
    tape(recorded.home, "push", ID, "--to", folder)
    said = tape(folder, "pull", ID, "--from", folder)
    assert said.returncode == 2
    assert "goes into a folder" in said.stderr
    assert tape(folder, "strategies").returncode == 0


def test_a_run_made_here_is_not_taken_for_one_that_comes_there(recorded, folder):
    home = visit(folder)
    shutil.copytree(recorded.folder(RUN), home / "runs" / RUN)
    mine = manifest.update(home / "runs" / RUN, log_id="f" * 32)
    tape(recorded.home, "push", RUN, "--to", folder)
    told = []
    assert visit(folder, told.append) == home
    assert manifest.load(home / "runs" / RUN) == mine
    theirs = recorded.manifest(RUN).log_id
    (line,) = told
    assert f"{'f' * 32}, and stays; {folder} has another log of this name, {theirs}" in line
    assert tape(folder, "runs", "list").stderr == f"tape: {line}\n"
    assert "another log has this name there" in tape(folder, "push", RUN, "--to", folder).stderr


def test_a_run_that_is_being_made_here_keeps_its_name(recorded, folder):
    home = visit(folder)
    push(recorded, ID, Far(folder))
    push(recorded, RUN, Far(folder))
    claimed = Store(home).claim(RUN)
    visit(folder)
    assert not list(claimed.iterdir())
    os.utime(claimed, (1, 1))  # whoever claimed it is gone
    visit(folder)
    assert mark_of(claimed)


def test_a_run_that_begins_while_manifests_come_keeps_its_name(recorded, folder, monkeypatch):
    push(recorded, ID, Far(folder))
    push(recorded, RUN, Far(folder))
    read = Far.read

    def meanwhile(far, name, *more):
        if "runs/" in name:
            claimed.append(Store(next(cache_root().glob("file-*"))).claim(RUN))
        return read(far, name, *more)

    claimed = []
    monkeypatch.setattr(Far, "read", meanwhile)
    home = visit(folder)
    assert claimed == [home / "runs" / RUN]
    assert not list(claimed[0].iterdir())


def test_one_name_at_two_endpoints_is_two_stores(recorded, bucket, monkeypatch):
    push(recorded, ID, Far(bucket.uri))
    uri, _, asked = bucket.uri.partition("?")
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{parse_qs(asked)['endpoint_override'][0]}")
    home = visit(uri)
    assert [log.id for log in Store(home).sessions()] == [ID]
    assert visit(uri) == home
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    assert Far(bucket.uri).identity.startswith("127.0.0.1:")
    assert "127.0.0.1:1 " not in Far(bucket.uri).identity, "what stands in the URI goes first"
    monkeypatch.setattr("pipeline.log.far._TRIES", 1)
    with pytest.raises(FarError):
        visit(uri)
    monkeypatch.setattr(Far, "manifests", lambda _: {})  # the other one answers, and has nothing
    assert Store(visit(uri)).sessions() == []
    assert [log.id for log in Store(home).sessions()] == [ID], "the other one is as it was"


def test_an_object_that_is_gone_is_damage_and_the_rest_is_checked(recorded, folder):
    push(recorded, ID, Far(folder))
    (gone,) = Path(folder.removeprefix("file://")).glob(f"sessions/{ID}*/**/kind=quote/*.parquet")
    gone.unlink()
    report = check_log(visit(folder) / "sessions" / ID)
    assert ["kind=quote" in damage.file for damage in report.damage] == [True]


@pytest.mark.parametrize("words", [["push", ID, "--to"], ["pull", ID, "--from"]])
def test_an_interrupt_says_that_the_same_command_goes_on(recorded, folder, tmp_path, monkeypatch, words):
    push(recorded, ID, Far(folder))

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(f"pipeline.log.{words[0]}ing.{words[0]}", interrupted)
    home = recorded.home if words[0] == "push" else tmp_path / "home"
    done = CliRunner().invoke(main, ["--home", str(home), *words, folder])
    assert done.exit_code == 130
    assert "the same command brings the rest" in done.stderr
