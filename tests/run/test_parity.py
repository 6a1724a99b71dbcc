"""Parity of real logs: a cause that is put into a second recording of a day, or into a replay, is the one that is found."""

import json

import pytest
from click.testing import CliRunner

from pipeline.block import Block
from pipeline.cli import main
from pipeline.codes import FeedAction, Kind
from pipeline.errors import ConfigError
from pipeline.log import manifest as manifests
from pipeline.log.frames import FrameKind
from pipeline.log.journal import Journal
from pipeline.log.reader import JOURNAL, LogReader
from pipeline.log.store import Store
from pipeline.provenance import Mode
from pipeline.run.diffing import diff
from pipeline.run.generating import record_generated
from pipeline.run.parity import meaning_of, parity
from pipeline.run.replaying import replay
from pipeline.run.strategies import plan_of, strategy_file
from pipeline.simulator.generate import Day
from pipeline.units import SECOND_NS

FILE = strategy_file("ema_cross")
PARAMS = ["fast=10", "slow=40"]


def replayed(store, session, *params, file=FILE):
    return replay(store, session, plan_of([file], [*PARAMS, *params], []), [file], created_ns=2).run


@pytest.fixture(scope="module")
def day(tmp_path_factory):
    """A store, a session in which nobody decides, its inputs in order, a run over it, and the quote behind a wish of it."""
    store = Store(tmp_path_factory.mktemp("store"))
    session = record_generated(store, Day(quotes=400, instruments=2), plan_of([], [], []), [], created_ns=1)
    inputs = [
        (block.kind, row)
        for blocks in LogReader(store.folder(session.id)).batches()
        for block in blocks
        for row in block.rows()
    ]
    run = replayed(store, session.id)
    wishes = [
        row
        for blocks in LogReader(store.folder(run)).batches(kinds=[Kind.INTENT], what="derived")
        for block in blocks
        for row in block.rows()
        if row["action"] == 0
    ]
    in_order = sorted(inputs, key=lambda each: each[1]["seq"])
    return store, in_order, run, wishes[len(wishes) // 2]["seq"]


def recorded(store, inputs):
    """Another session of these inputs, in this order."""
    made = store.create_session("again", mode=Mode.IMPORT, created_ns=1)
    folder = store.folder(made.id)
    by_kind = {}
    for seq, (kind, row) in enumerate(inputs, 1):
        by_kind.setdefault(kind, []).append({**row, "seq": seq})
    with Journal.create(folder / JOURNAL, log_id=bytes.fromhex(made.log_id)) as journal:
        journal.append(FrameKind.INPUTS, [Block.from_rows(kind, rows) for kind, rows in sorted(by_kind.items())])
    times = [row["ts_recv_ns"] for _, row in inputs]
    manifests.update(folder, state="ended", first_ts_ns=min(times), last_ts_ns=max(times))
    return made.id


def lacking(inputs, seq):
    return [each for each in inputs if each[1]["seq"] != seq]


def changed(inputs, seq):
    return [
        (kind, row | {"bid_nano": row["bid_nano"] // 2}) if row["seq"] == seq else (kind, row) for kind, row in inputs
    ]


def with_a_gap(inputs, seq):
    """Nothing of ten seconds but the clock, and what a feed says of it."""
    at_ns = inputs[seq - 1][1]["ts_event_ns"]
    begins, ends = at_ns - 5 * SECOND_NS, at_ns + 5 * SECOND_NS
    kept = [
        (kind, row)
        for kind, row in inputs
        if kind not in (Kind.QUOTE, Kind.PRINT) or not begins <= row["ts_event_ns"] < ends
    ]
    place = next(i for i, (_, row) in enumerate(kept) if row["ts_recv_ns"] >= ends)
    told = {"from_ns": begins, "to_ns": ends, "ts_event_ns": ends, "ts_recv_ns": ends, "source": 1}
    opened, closed = (
        (Kind.FEED, told | {"action": int(each)}) for each in (FeedAction.GAP_OPENED, FeedAction.GAP_CLOSED)
    )
    return [*kept[:place], opened, closed, *kept[place:]]


def delayed(inputs, seq):
    """The quote comes behind the next of its symbol."""
    number = inputs[seq - 1][1]["instrument_id"]
    place = next(
        i for i in range(seq, len(inputs)) if inputs[i][0] is Kind.QUOTE and inputs[i][1]["instrument_id"] == number
    )
    return [*inputs[: seq - 1], *inputs[seq : place + 1], inputs[seq - 1], *inputs[place + 1 :]]


@pytest.mark.parametrize(
    ("change", "cause"), [(lacking, "data"), (changed, "data"), (with_a_gap, "gap"), (delayed, "timing")]
)
def test_what_differs_between_two_recordings_is_found(day, change, cause):
    store, inputs, run, seq = day
    other = replayed(store, recorded(store, change(inputs, seq)))
    found = parity(store, run, other)
    assert found.session_a != found.session_b
    assert found.differences, "the strategy decided otherwise"
    assert {each.cause for each in found.differences} == {cause}
    assert all(each.ts_ns >= inputs[seq - 1][1]["ts_recv_ns"] - 5 * SECOND_NS for each in found.differences)
    assert found.causes == {cause: len(found.differences)}


def test_the_same_inputs_recorded_twice_have_parity(day):
    store, inputs, run, _ = day
    other = recorded(store, inputs)
    assert parity(store, run, replayed(store, other)).differences == []
    assert parity(store, run, other).b.startswith("r-ema_cross-again"), "of a session in which nobody decided its run"


def test_another_parameter_is_a_setting_and_what_differs_is_what_diff_finds(day):
    store, _, run, _ = day
    other = replayed(store, "generated-7", "slow=45")
    found = parity(store, run, other)
    assert {each.cause for each in found.differences} == {"settings"}
    assert any("slow 40 -> 45" in each.evidence for each in found.differences)
    wishes = [each for each in found.differences if each.change != "filled"]
    assert sorted(
        (each.change, each.place_a and each.place_a[0], each.place_b and each.place_b[0]) for each in wishes
    ) == sorted((each.change, each.seq_a, each.seq_b) for each in diff(store, run, other).changes)
    assert parity(store, run).b == other, "the newest other run over the session"


def test_another_source_is_code_and_another_docstring_is_none(day, tmp_path):
    store, _, run, _ = day
    text = FILE.read_text()
    source = tmp_path / "ema_cross.py"
    source.write_text(text.replace("notional=p.notional", "notional=0.5 * p.notional"))
    assert source.read_text() != text
    found = parity(store, run, replayed(store, "generated-7", file=source))
    assert {each.cause for each in found.differences} == {"code"}
    assert "ema_cross.py" in found.differences[0].evidence
    assert meaning_of('"""One."""\nA = 1\n') == meaning_of('"""Two."""\n# three\nA = 1\n')
    assert meaning_of("A = 1\n") != meaning_of("A = 2\n")


def test_what_has_nothing_to_be_compared_with_is_said(day, tmp_path):
    store, inputs, run, _ = day
    with pytest.raises(ConfigError, match="compared with itself"):
        parity(store, run, run)
    lonely = recorded(store, inputs[:50])
    with pytest.raises(ConfigError, match=f"nobody decided anything in {lonely}"):
        parity(store, run, lonely)
    only = replayed(store, lonely)
    with pytest.raises(ConfigError, match=f"{lonely} has no other run to compare {only} with"):
        parity(store, only)


def test_the_command_tells_differences_and_exits_with_1(day):
    store, _, run, _ = day
    other, run_again = replayed(store, "generated-7", "slow=45"), replayed(store, "generated-7")

    def called(*words):
        return CliRunner().invoke(main, ["--home", str(store.home), "parity", run, "--against", other, *words])

    done = called("--show", "1")
    assert done.exit_code == 1, done.output
    assert "slow 40 -> 45" in done.output
    compared = json.loads(called("--against", run_again, "--json").stdout)["compared"]
    assert [(each["b"], list(each["causes"])) for each in compared] == [(other, ["settings"]), (run_again, [])]
    assert "accepted are data, gap" in called("--cause", "luck").output
    assert called("--cause", "luck").exit_code == 2
