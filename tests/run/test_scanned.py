"""Backtests over what was picked on past days: from a pick's moment until it leaves and never before, each day once."""

import dataclasses
import shutil
from datetime import date, timedelta
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from pipeline.block import cut
from pipeline.cli import main
from pipeline.codes import Kind
from pipeline.errors import ConfigError
from pipeline.feeds.files import feed_of
from pipeline.log.backtests import backtests
from pipeline.log.reader import LogReader
from pipeline.log.store import Store
from pipeline.run.backtesting import Overnight, backtest
from pipeline.run.fold import Speed
from pipeline.run.generating import record_generated
from pipeline.run.importing import import_files
from pipeline.run.picking import import_picks, picked, picks
from pipeline.run.recording import Recorder
from pipeline.run.replaying import replay
from pipeline.run.scanned import listed_days
from pipeline.run.strategies import hearing, plan_of, strategy_file
from pipeline.run.sweeping import grid_of
from pipeline.run.verifying import verify
from pipeline.scanner_codes import UniverseAction
from pipeline.simulator.generate import Day
from pipeline.units import DAY_NS, MINUTE_NS, iso_from_ns
from warehouse import connect

FILES = [strategy_file("ema_cross")]
PARAMS = ["fast=5", "slow=20", "notional=1000"]
RANGE = "2026-11-03..2026-11-06"
DAY = Day(seed=3, quotes=1_200, starts_ns=Day().starts_ns + 50 * MINUTE_NS, lasts_ns=30 * MINUTE_NS)
"""From 3:50 in New York: a pick without a time counts from 4:00."""

ROWS_KEPT = 4_000
NOVEMBER_4TH = (date(2026, 11, 4), date(2026, 11, 4))


@pytest.fixture(scope="module")
def busy():
    return Path(__file__).resolve().parents[1] / "busy.toml"


@pytest.fixture(scope="module")
def two_days(tmp_path_factory):
    """Two days without any scanner: half an hour of the 4th and of the 5th of November 2026."""
    store = Store(tmp_path_factory.mktemp("days") / "store")
    for number in (0, 1):
        day = dataclasses.replace(DAY, seed=number + 1, starts_ns=DAY.starts_ns + number * DAY_NS)
        record_generated(store, day, plan_of([], [], []), [], created_ns=number + 1)
    return store


@pytest.fixture
def store(two_days, tmp_path):
    return Store(shutil.copytree(two_days.home, tmp_path / "store"))


def lists(store, tmp_path, text, name="mine"):
    path = tmp_path / f"{name}.csv"
    path.write_text(f"date,symbol,time\n{text}")
    import_picks(store, path, list_name=name, now_ns=1)


def run(store, *, days=RANGE, names=(), sweeps=(), speed=Speed.INTERPRETED, **options):
    chosen = listed_days(store, days, names=names)
    grid = grid_of(FILES, [each for each in PARAMS if not sweeps or not each.startswith("fast")], (), sweeps)
    return backtest(
        store, [], grid, FILES, created_ns=1, workers=1, listed=chosen.days, speed=speed, **options
    )  # fmt: skip


def rows(store, id_, kind):
    batches = LogReader(store.folder(id_)).batches(kinds=[kind], what="derived")
    return [row for batch in batches for block in batch for row in block.rows()]


def symbols_of(store):
    manifest = store.sessions()[0]
    batches = LogReader(store.folder(manifest.id)).batches(kinds=[Kind.INSTRUMENT])
    return {row["symbol"]: row["instrument_id"] for batch in batches for block in batch for row in block.rows()}


def moment(store, share, session=0):
    """A moment in a session, and New York's clock of it."""
    manifest = store.sessions()[session]
    now_ns = manifest.first_ts_ns + int((manifest.last_ts_ns - manifest.first_ts_ns) * share)
    return now_ns, iso_from_ns(now_ns)


def test_a_symbol_trades_from_its_pick_on_and_what_was_not_picked_not_at_all(store, tmp_path):
    now_ns, told = moment(store, 0.3)
    first, second, *_ = symbols_of(store)
    lists(store, tmp_path, f"2026-11-04,{first},{told}\n2026-11-05,{second},\n")
    outcome = run(store, keep_runs=True)
    assert [row.day for row in outcome.rows] == ["2026-11-04", "2026-11-05"]
    made, after = (rows(store, row.run, Kind.TRANSITION) + rows(store, row.run, Kind.INTENT) for row in outcome.rows)
    assert {row["instrument_id"] for row in made} == {symbols_of(store)[first]}
    assert {row["instrument_id"] for row in after} == {symbols_of(store)[second]}
    assert min(row["ts_recv_ns"] for row in made) >= now_ns > store.sessions()[0].first_ts_ns
    (entered,) = rows(store, outcome.rows[0].run, Kind.UNIVERSE)
    assert entered["action"] == UniverseAction.ADDED
    assert now_ns <= entered["ts_recv_ns"] <= now_ns + 1_000_000_000
    for row in outcome.rows:
        assert row.fills > 0
        assert verify(store, row.run).identical


def test_what_comes_after_a_pick_leaves_changes_nothing_of_what_was_before(store, tmp_path):
    """The tape up to a pick's moment decides nothing: as if the session had begun there."""
    early, late = moment(store, 0.3)[1], moment(store, 0.6)[1]
    name, *_ = symbols_of(store)
    lists(store, tmp_path, f"2026-11-04,{name},{early}\n", "early")
    lists(store, tmp_path, f"2026-11-04,{name},{late}\n", "late")
    (first,), (second,) = (run(store, names=[which], keep_runs=True).rows for which in ("early", "late"))
    assert first.key != second.key
    assert min(row["ts_recv_ns"] for row in rows(store, second.run, Kind.INTENT)) >= moment(store, 0.6)[0]
    assert min(row["ts_recv_ns"] for row in rows(store, first.run, Kind.INTENT)) < moment(store, 0.6)[0]
    (both,) = run(store).rows
    assert both.decisions_hash == first.decisions_hash  # picked twice is picked at the first of the two


def test_the_picks_of_a_recording_give_back_its_decisions(tmp_path, busy):
    """What was live comes out again: the symbols came and went as the scanner had it, recorded, and nothing else is known."""
    store = Store(tmp_path / "store")
    recorded = record_generated(store, DAY, plan_of(FILES, PARAMS, [], [busy]), FILES, created_ns=1)
    (row,) = run(store, names=["busy"]).rows
    assert (row.day, row.session) == ("2026-11-04", recorded.id)
    live, found = (
        [(each["seq"], each["instrument_id"], each["side"], each["price_nano"]) for each in rows(store, id_, Kind.FILL)]
        for id_ in (recorded.id, run(store, keep_runs=True).rows[0].run)
    )
    assert live
    assert found == live


def test_both_speeds_give_the_same_rows_and_nothing_runs_twice(store, tmp_path):
    first, second, *_ = symbols_of(store)
    lists(store, tmp_path, f"2026-11-04,{first},\n2026-11-04,{second},\n2026-11-05,{second},\n")
    plainly = run(store, sweeps=["fast=3,5"])
    again = run(store, sweeps=["fast=3,5"], speed=Speed.COMPILED)
    assert (len(plainly.rows), again.done_before, again.speed) == (4, 4, None)
    assert again.rows == plainly.rows
    (asked,) = backtests(store)
    assert asked.scanner == "picks of 2026-11-04..2026-11-05"
    grid = grid_of(FILES, PARAMS, (), ())
    for listed in listed_days(store, RANGE).days:
        plan = hearing(grid.plans[0], listed.scanner)
        assert plan.settings == grid.plans[0].settings | {"universe": 1}
        replayed = replay(store, listed.session.id, plan, FILES, created_ns=2, speed=Speed.COMPILED)
        (row,) = [row for row in plainly.rows if row.day == listed.day and row.params["fast"] == 5]
        assert (row.decisions_hash, row.state_hash) == (replayed.decisions_hash, replayed.state_hash)


def test_more_picks_on_one_day_are_another_cell_there_alone(store, tmp_path):
    first, second, *_ = symbols_of(store)
    lists(store, tmp_path, f"2026-11-04,{first},\n2026-11-05,{second},\n")
    before = run(store).rows
    lists(store, tmp_path, f"2026-11-04,{second},\n", "more")
    after = run(store)
    assert after.done_before == 1
    assert after.rows[1].key == before[1].key
    assert after.rows[0].key != before[0].key
    assert run(store, names=["mine"]).done_before == 2
    with pytest.raises(ConfigError, match="'mime': no list and no scanner of that name"):
        run(store, names=["mime"])


def test_a_session_of_two_days_is_gone_over_once_for_each(tmp_path):
    """What was picked on the first day leaves at its end, though the session goes on; on the second it is not heard of."""
    store = Store(tmp_path / "store")
    quotes = tmp_path / "quotes.csv"
    moments = [
        f"2026-11-{day:02}T{hour:02}:{minute:02}:00Z"
        for day in (4, 5)
        for hour in range(14, 21)
        for minute in range(60)
    ]
    lines = [f"{moment},{symbol},10.00,10.01,5000,5000" for moment in moments for symbol in ("AAA", "BBB")]
    quotes.write_text("\n".join(["time,symbol,bid,ask,bid_size,ask_size", *lines]) + "\n")
    import_files(store, [feed_of(quotes)], [quotes], name="both", created_ns=1)
    lists(store, tmp_path, "2026-11-04,AAA,10:30\n2026-11-05,BBB,11:30\n")
    file = strategy_file("hold")
    chosen = listed_days(store, RANGE)
    outcome = backtest(
        store, [], grid_of([file], (), (), ()), [file], created_ns=1, workers=1, listed=chosen.days, keep_runs=True
    )
    assert [(row.day, row.session) for row in outcome.rows] == [("2026-11-04", "both"), ("2026-11-05", "both")]
    told = [
        [(each.symbol, each.fills, each.trades, each.open_positions) for each in row.symbols] for row in outcome.rows
    ]
    assert told == [[("AAA", 2, 1, 0)], [("BBB", 1, 0, 1)]]
    bought, sold = rows(store, outcome.rows[0].run, Kind.FILL)
    assert iso_from_ns(bought["ts_recv_ns"])[:16] == "2026-11-04T15:30"  # 10:30 in New York
    assert iso_from_ns(sold["ts_recv_ns"])[:10] == "2026-11-05"  # with the first input behind New York's midnight
    for row in outcome.rows:
        assert verify(store, row.run, always_apart=True).identical


def test_rows_by_symbol_add_up_to_their_cells(store, tmp_path):
    first, second, *_ = symbols_of(store)
    lists(store, tmp_path, f"2026-11-04,{first},\n2026-11-04,{second},\n2026-11-05,{second},19:59\n")
    outcome = run(store, sweeps=["fast=3,5"])
    for row in outcome.rows:
        for name in ("intents", "refused", "fills", "trades", "open_positions", "net_profit_nano", "fees_nano"):
            assert sum(getattr(each, name) for each in row.symbols) == getattr(row, name)
    asked = "select day, symbol, params['fast'], count_fills from symbol_cells order by day, symbol, cell"
    found = connect(store.home).sql(asked).fetchall()
    assert [each[:3] for each in found] == [
        ("2026-11-04", symbol, fast) for symbol in sorted([first, second]) for fast in (3, 5)
    ]  # on the 5th it was picked after the session had ended
    assert sum(each[3] for each in found) == sum(row.fills for row in outcome.rows) > 0
    assert connect(store.home).sql("select distinct day from cells").fetchall() == [("2026-11-04",)]


def test_a_symbol_in_two_sessions_is_traded_in_the_one_made_last(store, tmp_path):
    first, *_ = symbols_of(store)
    twin = record_generated(store, dataclasses.replace(DAY, seed=9), plan_of([], [], []), [], created_ns=9)
    lists(store, tmp_path, f"2026-11-04,{first},\n")
    chosen = listed_days(store, "2026-11-04")
    assert [day.session.id for day in chosen.days] == [twin.id]
    assert chosen.told == [
        f"2026-11-04: several sessions hold {first}: the one made last is traded; name SESSIONS for others"
    ]
    older = listed_days(store, "2026-11-04", store.sessions()[:1])
    assert ([day.session.id for day in older.days], older.told) == ([store.sessions()[0].id], [])


def test_days_without_a_pick_or_without_data_are_told(store, tmp_path):
    first, *_ = symbols_of(store)
    lists(store, tmp_path, f"2026-11-04,{first},\n2026-11-04,NONE,\n2026-11-06,{first},\n2026-11-07,{first},\n")
    ran = CliRunner().invoke(
        main,
        ["--home", str(store.home), "backtest", "--strategy", "ema_cross", "--scanned", "2026-11-03..2026-11-07"],
    )
    assert ran.exit_code == 0, ran.output
    assert ran.stderr.splitlines() == [
        "  2026-11-03: nothing was picked",
        "  2026-11-04: no session holds NONE, of 2 that were picked",
        "  2026-11-05: nothing was picked",
        f"  2026-11-06: no session holds {first}, of 1 that were picked",
        f"  2026-11-07: no session holds {first}, of 1 that were picked",
    ]
    assert "1 x 1 cells" in ran.stdout


def test_many_days_without_a_pick_are_told_in_few_lines(store, tmp_path):
    first, *_ = symbols_of(store)
    lists(store, tmp_path, f"2026-11-04,{first},\n")
    words = ["backtest", "--strategy", "ema_cross", "--scanned", "2026-06-01..2026-11-20", "--workers", "1", "--json"]
    ran = CliRunner().invoke(main, ["--home", str(store.home), *words])
    assert ran.exit_code == 0, ran.output
    assert len(ran.stderr.splitlines()) == 21
    assert ran.stderr.splitlines()[-1].endswith("more lines like these")


@pytest.mark.parametrize(
    ("picked_then", "told"),
    [
        ("", "nothing was picked then; `tape import FILE --as candidates`"),
        ("2026-11-04,NONE,\n", "1 symbols were picked on 1 days, .*`tape fetch --from-scan 2026-11-03..2026-11-06"),
    ],
)
def test_a_range_with_nothing_says_what_to_do(store, tmp_path, picked_then, told):
    if picked_then:
        lists(store, tmp_path, picked_then)
    with pytest.raises(ConfigError, match=told):
        run(store)


def test_what_a_backtest_kept_is_no_scan(store, tmp_path, busy):
    first, *_ = symbols_of(store)
    lists(store, tmp_path, f"2026-11-04,{first},\n")
    outcome = run(store, keep_runs=True)
    assert "universe" in store.manifest(outcome.rows[0].run).kinds
    replay(store, store.sessions()[1].id, plan_of(FILES, PARAMS, [], [busy]), FILES, created_ns=3)
    day = store.sessions()[0].first_ts_ns
    assert list(picked(store, *(iso_day(day, each) for each in (-3, 3)))) == [iso_day(day, 0)]


def iso_day(ts_ns, days):
    from pipeline.run.trading_days import SHARES, day_of  # noqa: PLC0415 - beside its only use

    return day_of(ts_ns, SHARES) + timedelta(days=days)


def test_a_scanner_is_tested_together_with_a_strategy(store, busy):
    words = ["backtest", "all", "--strategy", "ema_cross", "--scanner", str(busy), "--workers", "1", "--json"]
    words += ["--sweep", "fast=3,5", "--param", "slow=20", "--param", "notional=1000"]
    ran = CliRunner().invoke(main, ["--home", str(store.home), *words])
    assert ran.exit_code == 0, ran.output
    found = msgspec.json.decode(ran.stdout.splitlines()[-1])["rows"]
    assert len(found) == 4
    for row in found[:2]:
        plan = plan_of(FILES, [f"fast={row['params']['fast']}", *PARAMS[1:]], [], [busy])
        replayed = replay(store, row["session"], plan, FILES, created_ns=2)
        assert (row["decisions_hash"], row["state_hash"]) == (replayed.decisions_hash, replayed.state_hash)
    assert sum(row["fills"] for row in found) > 0
    assert backtests(store)[0].scanner == "busy"


def test_positions_are_not_carried_from_list_to_list(store, tmp_path):
    first, *_ = symbols_of(store)
    lists(store, tmp_path, f"2026-11-04,{first},\n")
    with pytest.raises(ConfigError, match="--overnight carry goes with no scanner and no picks"):
        run(store, overnight=Overnight.CARRY)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "say which SESSIONS, or --scanned"),
        (["--scanned", RANGE, "--scanner", "x.toml"], "say one of them"),
        (["all", "--picks", "mine"], "--picks goes with --scanned"),
    ],
)
def test_words_that_do_not_go_together_are_refused(store, words, told):
    ran = CliRunner().invoke(main, ["--home", str(store.home), "backtest", "--strategy", "ema_cross", *words])
    assert ran.exit_code == 2
    assert told in ran.output


def test_two_scanners_each_with_its_own_strategies_are_backtested_as_they_would_be_recorded(store, tmp_path, busy):
    other = tmp_path / "other.toml"
    other.write_text('name = "other"\nsymbols = ["ABCD"]\n')
    words = [
        "backtest",
        "all",
        "--scanner",
        f"{busy}=ema_cross",
        "--scanner",
        f"{other}=hold",
        "--workers",
        "1",
        "--json",
    ]
    ran = CliRunner().invoke(main, ["--home", str(store.home), *words])
    assert ran.exit_code == 0, ran.output
    assert backtests(store)[0].scanner == "busy, other"
    refused = CliRunner().invoke(main, ["--home", str(store.home), *words[:6], "--strategy", "hold"])
    assert refused.exit_code == 2


def interrupted(store, busy):
    """A session whose recorder was left by an error in the middle of its day, its scanner's picks with it."""
    take = Recorder.take

    def failing(recorder, batch):
        take(recorder, cut(batch, 0, ROWS_KEPT))
        recorder.flush()
        raise RuntimeError("power is gone")

    plan = plan_of(FILES, PARAMS, [], [busy])
    with pytest.MonkeyPatch.context() as patch, pytest.raises(RuntimeError, match="power"):
        patch.setattr(Recorder, "take", failing)
        record_generated(store, DAY, plan, FILES, created_ns=5)
    (manifest,) = [each for each in store.sessions() if each.state == "open"]
    return manifest


def test_picks_of_a_session_that_never_ended_are_traded_elsewhere_and_it_is_told_itself(store, busy):
    manifest = interrupted(store, busy)
    chosen = listed_days(store, RANGE, names=["busy"])
    assert [day.session.id for day in chosen.days] == [store.sessions()[0].id]
    told = f"{manifest.id}: not sealed, so it is left out; `tape sessions seal {manifest.id}` once nobody records it"
    assert told in chosen.told
    with pytest.raises(ConfigError, match=f"buys what is missing; {manifest.id} would, `tape sessions seal` it"):
        listed_days(store, RANGE, [manifest], names=["busy"])


def test_a_session_and_those_that_go_on_from_it_are_traded_each_for_its_own_time(tmp_path, busy):
    """Before the cut in the first, from there on in the second, though that begins at the very moment at which the first ended."""
    store = Store(tmp_path / "store")
    old = interrupted(store, busy)
    plan = plan_of(FILES, PARAMS, [])
    new = record_generated(store, DAY, plan, FILES, created_ns=6, continues=old.id)
    newest = record_generated(store, DAY, plan, FILES, created_ns=7, continues=new.id)
    old = store.manifest(old.id)
    assert old.last_ts_ns == new.first_ts_ns < new.last_ts_ns
    assert min(session.kinds["quote"] for session in (old, new)) > 500
    name, *_ = symbols_of(store)
    lists(store, tmp_path, f"2026-11-04,{name},03:55\n")
    found = listed_days(store, "2026-11-04", [old, new], names=["mine"])
    assert [each.session.id for each in found.days] == [old.id, new.id]
    late = msgspec.structs.replace(newest, first_ts_ns=old.first_ts_ns, kinds=new.kinds)
    for sessions in ([old, late], [new, late], [old, new, late]):  # whatever its inputs' times are
        chosen = listed_days(store, "2026-11-04", sessions, names=["mine"])
        assert (len(chosen.days), chosen.told) == (len(sessions), [])


def test_what_a_session_left_in_its_list_ends_with_it_where_another_goes_on(store, busy):
    old = interrupted(store, busy)
    (before,) = picks(store, *NOVEMBER_4TH, names=["busy"]).values()
    record_generated(store, DAY, plan_of(FILES, PARAMS, []), FILES, created_ns=6, continues=old.id)
    end_ns = store.manifest(old.id).last_ts_ns
    (after,) = picks(store, *NOVEMBER_4TH, names=["busy"]).values()
    assert max(pick.until_ns for pick in before) > end_ns  # as long as none went on, to the end of the day
    assert after == [pick._replace(until_ns=min(pick.until_ns, end_ns)) for pick in before]


def test_a_session_that_holds_nothing_to_trade_by_is_left_out(store, tmp_path):
    first, *_ = symbols_of(store)
    lists(store, tmp_path, f"2026-11-04,{first},\n")
    (chosen,) = listed_days(store, RANGE).days
    bare = msgspec.structs.replace(
        chosen.session, id="bare", created_ns=10**19 - 1, kinds={"snapshot": 5, "instrument": 1}
    )
    (again,) = listed_days(store, RANGE, [bare, *store.sessions()]).days
    assert again.session.id == chosen.session.id
