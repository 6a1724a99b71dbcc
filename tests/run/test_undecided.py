"""A session that was killed: what of it was decided is proved, what was not is told, and a hole is still a difference."""

import json
import signal
import subprocess
import sys
import textwrap

import pytest
from click.testing import CliRunner

from pipeline.cli import main
from pipeline.log.durable import FILE_NAME as DURABLE
from pipeline.log.frames import FrameKind
from pipeline.log.journal import Journal
from pipeline.log.reader import JOURNAL, LogReader
from pipeline.log.scan import Scan
from pipeline.log.store import Store
from pipeline.run.fold import LocalFold
from pipeline.run.generating import record_generated
from pipeline.run.recording import opened
from pipeline.run.strategies import plan_of, strategy_file
from pipeline.run.verifying import verify
from pipeline.simulator.generate import Day
from pipeline.units import MINUTE_NS

FILES = [strategy_file("ema_cross")]
PLAN = plan_of(FILES, ["fast=5", "slow=20"], [])
DAY = Day(quotes=400, instruments=2, lasts_ns=20 * MINUTE_NS)
ROWS = 200
"""Inputs a commit, but for the first, which has fewer."""

DECIDED = 9
"""Commits in front of one of which something is derived."""

DRIVER = textwrap.dedent("""
    import sys, threading
    from pathlib import Path
    sys.path[:0] = {path!r}
    from test_undecided import recorded_in_part
    from pipeline.log.store import Store

    def stops(fold):
        reduce, left = fold.reduce, [{commits}]
        def reduced(batch):
            if left[0] == 0:
                print("in the middle of a commit", flush=True)
                threading.Event().wait()
            left[0] -= 1
            return reduce(batch)
        fold.reduce = reduced

    recorded_in_part(Store(Path({source!r})), {whole!r}, Store(Path({home!r})), stops)
""")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    store = Store(tmp_path_factory.mktemp("whole"))
    return store, record_generated(store, DAY, PLAN, FILES, created_ns=1)


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "data")


def created(source, manifest, store):
    """A new, open session with the settings and the code of another."""
    facts = {name: getattr(manifest, name) for name in ("settings", "strategies", "packages")}
    copy = store.create_session("cut", mode=manifest.mode, created_ns=2, **facts)
    code = source.folder(manifest.id) / "code"
    return store.keep_code(copy.id, {name: (code / name).read_text() for name in manifest.code})


def recorded_in_part(source, name, store, prepared):
    """Record a session's inputs again, by commits of `ROWS`, with a fold that `prepared` changed."""
    manifest = source.manifest(name)
    copy = created(source, manifest, store)
    with LocalFold(PLAN, FILES) as fold, opened(store, copy, fold) as recorder:
        prepared(fold)
        for batch in LogReader(source.folder(name)).batches(rows=ROWS):
            first = min(int(block.number("seq")[0]) for block in batch)
            recorder.take([block.with_columns(seq=block.number("seq") - (first - 1)) for block in batch])
            recorder.flush()


def undecided(source, name):
    """The inputs of the commit behind `DECIDED` ones."""
    window = list(LogReader(source.folder(name)).windows(rows=ROWS))[DECIDED]
    return window.first_seq, window.last_seq


def told(store, *options):
    return CliRunner().invoke(main, ["--home", str(store.home), "verify", "cut", *options])


def test_a_log_cut_between_two_frames_is_identical_as_far_as_it_was_decided(whole, store):
    source, manifest = whole
    copy = created(source, manifest, store)
    folder = store.folder(copy.id)
    with pytest.raises(RuntimeError, match="power"):
        _abandoned(source, manifest, folder, copy)
    (segment,) = (folder / JOURNAL).glob("*.seg")
    content = segment.read_bytes()
    headers = [frame.header for frame in Scan(content)]
    (folder / JOURNAL / DURABLE).unlink()
    inputs, met = None, set()
    for place, header in enumerate(headers, 1):
        behind = next((each.kind for each in headers[place:] if each.kind is not FrameKind.SCHEMA), None)
        segment.write_bytes(content[: header.end])
        verdict = verify(store, copy.id)
        assert verdict.identical, header
        if header.kind is FrameKind.INPUTS:
            inputs = header.first_seq, header.last_seq
        is_cut_off = header.kind is not FrameKind.DERIVED and behind is FrameKind.DERIVED
        assert verdict.undecided == (inputs if is_cut_off else None)
        met.add(is_cut_off)
        if is_cut_off and header.first_seq < 5 * ROWS:
            done = told(store)
            assert done.exit_code == 3
            assert f"stopped before inputs {inputs[0]}..{inputs[1]} were decided" in done.stdout
            assert json.loads(told(store, "--json").stdout)["undecided"] == [*inputs]
    assert met == {True, False}


def _abandoned(source, manifest, folder, copy):
    """The frames of a recording as its recorder writes them, let go as a crash does."""
    with LocalFold(PLAN, FILES) as fold, Journal.create(folder / JOURNAL, log_id=bytes.fromhex(copy.log_id)) as journal:
        for batch in LogReader(source.folder(manifest.id)).batches(rows=ROWS):
            journal.append(FrameKind.INPUTS, batch)
            if derived := fold.reduce(batch):
                journal.append(FrameKind.DERIVED, derived)
        raise RuntimeError("power is gone")


@pytest.mark.parametrize("which", [0, 3, -1])
def test_decisions_missing_behind_a_commit_that_was_decided_are_a_difference(whole, store, which):
    """A row is taken out of a frame, first, middle or last: whatever stands behind it, nobody's crash explains that."""
    source, manifest = whole
    copy = created(source, manifest, store)
    folder = store.folder(copy.id)
    with LocalFold(PLAN, FILES) as fold:
        commits = [(batch, fold.reduce(batch)) for batch in LogReader(source.folder(manifest.id)).batches(rows=ROWS)]
    at = [number for number, (_, derived) in enumerate(commits) if derived][which]
    last_with_any = max(number for number, (_, derived) in enumerate(commits) if derived)
    with pytest.raises(RuntimeError), Journal.create(folder / JOURNAL, log_id=bytes.fromhex(copy.log_id)) as journal:
        for number, (inputs, derived) in enumerate(commits[: last_with_any + 1]):
            journal.append(FrameKind.INPUTS, inputs)
            kept = _without_last_row(derived) if number == at else derived
            if kept:
                journal.append(FrameKind.DERIVED, kept)
        raise RuntimeError
    verdict = verify(store, copy.id)
    assert not verdict.identical
    assert verdict.undecided is None
    assert verdict.first_difference.recorded is None
    done = told(store)
    assert done.exit_code == 1
    assert "NOT identical" in done.stdout


def _without_last_row(derived):
    """A frame that lacks its last row."""
    places = sorted(
        (int(s), int(o)) for block in derived for s, o in zip(block.number("seq"), block.number("ord"), strict=True)
    )
    assert len(places) > 1
    seq, ord_ = places[-1]
    kept = [block.take((block.number("seq") != seq) | (block.number("ord") != ord_)) for block in derived]
    return [block for block in kept if len(block)]


def test_a_recorder_killed_while_it_decides_says_so_and_goes_on(whole, store, tmp_path):
    source, manifest = whole
    here = [str(path) for path in (__file__.rpartition("/")[0], *sys.path) if path]
    script = DRIVER.format(path=here, commits=DECIDED, source=str(source.home), whole=manifest.id, home=str(store.home))
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "in the middle of a commit\n"
        process.send_signal(signal.SIGKILL)
        process.wait(60)
    verdict = verify(store, "cut")
    assert verdict.identical
    assert verdict.undecided == undecided(source, manifest.id)
    assert told(store).exit_code == 3
    with LocalFold(PLAN, FILES) as fold, opened(store, store.manifest("cut"), fold, is_resumed=True):
        pass
    verdict = verify(store, "cut")
    assert (verdict.identical, verdict.undecided) == (True, None)
    assert told(store).exit_code == 0


def test_what_is_resumed_twice_is_written_once(whole, store):
    """A crash while the state is folded again leaves the frame without its decisions, and the next one writes them all."""
    source, manifest = whole

    def prepared(fold):
        reduce, left = fold.reduce, [DECIDED]

        def reduced(batch):
            if not left[0]:
                raise RuntimeError("power is gone")
            left[0] -= 1
            return reduce(batch)

        fold.reduce = reduced

    with pytest.raises(RuntimeError, match="power"):
        recorded_in_part(source, manifest.id, store, prepared)
    for _ in range(2):
        with pytest.raises(RuntimeError, match="again"), LocalFold(PLAN, FILES) as fold:
            fold.reduce = _fails_again
            with opened(store, store.manifest("cut"), fold, is_resumed=True):
                pass
        assert verify(store, "cut").undecided == undecided(source, manifest.id)
    with LocalFold(PLAN, FILES) as fold, opened(store, store.manifest("cut"), fold, is_resumed=True):
        pass
    assert verify(store, "cut").identical


def _fails_again(_batch):
    raise RuntimeError("again")
