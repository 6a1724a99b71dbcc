"""What was picked on which day: by lists that people kept, and by scanners that ran."""

from datetime import date

import msgspec
import pytest
from click.testing import CliRunner

from pipeline.block import Block
from pipeline.cli import main
from pipeline.codes import AssetClass, Kind, Origin
from pipeline.errors import ConfigError
from pipeline.feeds.files import feed_of
from pipeline.instruments import WHOLE_STEP_NANO, Instrument
from pipeline.log import manifest as manifests
from pipeline.log.check import check
from pipeline.log.frames import FrameKind
from pipeline.log.journal import Journal
from pipeline.log.reader import JOURNAL
from pipeline.log.seal import seal
from pipeline.log.store import Store
from pipeline.normalize.reference_tables import moment_of
from pipeline.provenance import Mode
from pipeline.run.fold import FoldPlan
from pipeline.run.following import ScannerPlan
from pipeline.run.generating import record_generated
from pipeline.run.importing import import_files
from pipeline.run.picking import days_of, import_picks, picked
from pipeline.run.picking import picks as picks_of
from pipeline.run.scanned import listed_days
from pipeline.run.scanners import load_scanner
from pipeline.run.scanning import scan
from pipeline.run.strategies import plan_of
from pipeline.run.wanting import wanted_of_scans
from pipeline.scanner_codes import UniverseAction
from pipeline.simulator.generate import Day
from pipeline.units import iso_from_ns
from warehouse import connect

LIST = "date,ticker,time,score\n2026-11-20,abcd,08:12,2\n2026-11-20,WXYZ,07:30,3\n2026-11-23,ABCD,,\n"
DAYS = (date(2026, 11, 1), date(2026, 11, 30))


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


@pytest.fixture
def picks(tmp_path):
    path = tmp_path / "picks.csv"
    path.write_text(LIST)
    return path


def test_lists_of_past_days_are_kept_once(store, picks):
    assert import_picks(store, picks, list_name="mine", now_ns=1).written == 3
    assert import_picks(store, picks, list_name="mine", now_ns=2)[:2] == (0, 3)
    assert picked(store, *DAYS) == {date(2026, 11, 20): ["WXYZ", "ABCD"], date(2026, 11, 23): ["ABCD"]}
    assert check(store).sound


def test_days_and_lists_can_be_chosen(store, picks):
    import_picks(store, picks, list_name="mine", now_ns=1)
    assert list(picked(store, date(2026, 11, 21), date(2026, 11, 23))) == [date(2026, 11, 23)]
    assert picked(store, *DAYS, names=["mine"]) == picked(store, *DAYS)
    with pytest.raises(ConfigError, match=r"--picks 'mime': no list .* there is mine; did you mean mine\?"):
        picked(store, *DAYS, names=["mime"])
    assert picked(Store(store.home / "none"), *DAYS) == {}
    with pytest.raises(ConfigError, match="the last day is before the first"):
        picked(store, *reversed(DAYS))


def scanned_session(store, rows, *, is_open=False, of=AssetClass.EQUITY):
    """A session into whose universe these (moment, symbol, action) came; one that is open has not ended yet, or was killed."""
    plan = FoldPlan((), {}, (ScannerPlan("mine.toml", 'name = "mine"\n'),))
    settings = {"plan": msgspec.to_builtins(plan)} if is_open else {}
    manifest = store.create_session("scanned", mode=Mode.PAPER, created_ns=1, settings=settings)
    symbols = sorted({symbol for _, symbol, _ in rows})
    ids = {symbol: number for number, symbol in enumerate(symbols, 1)}
    defined = [
        {"seq": ids[symbol], "instrument_id": ids[symbol], "ts_recv_ns": moment_of(rows[-(symbol == symbols[-1])][0])}
        | Instrument(symbol, "MASSIVE", WHOLE_STEP_NANO, of).row()
        for symbol in symbols
    ]
    universe = [
        {
            "seq": 1,
            "ord": rank,
            "scanner_id": 1,
            "ts_recv_ns": moment_of(at),
            "instrument_id": ids[symbol],
            "action": action,
            "origin": Origin.DERIVED,
        }
        for rank, (at, symbol, action) in enumerate(rows, 1)
    ]
    folder = store.folder(manifest.id)
    with Journal.create(folder / JOURNAL, log_id=bytes.fromhex(manifest.log_id)) as journal:
        journal.append(FrameKind.INPUTS, [Block.from_rows(Kind.INSTRUMENT, defined)])
        journal.append(FrameKind.DERIVED, [Block.from_rows(Kind.UNIVERSE, universe)])
    if is_open:
        return manifest
    manifests.update(folder, store.disk, state="ended")
    return seal(folder, store.disk)


def test_what_a_scanner_added_was_picked(store, picks):
    added, dropped = UniverseAction.ADDED, UniverseAction.DROPPED
    scanned_session(
        store,
        [
            ("2026-11-20T09:05:00Z", "SCAN", added),
            ("2026-11-20T10:00:00Z", "SCAN", dropped),
            ("2026-11-20T11:00:00Z", "ABCD", added),
            ("2026-11-21T00:30:00Z", "LATE", added),  # still the 20th in New York
        ],
    )
    assert picked(store, *DAYS) == {date(2026, 11, 20): ["SCAN", "ABCD", "LATE"]}
    import_picks(store, picks, list_name="mine", now_ns=1)
    assert picked(store, *DAYS)[date(2026, 11, 20)] == ["SCAN", "ABCD", "WXYZ", "LATE"]
    assert picked(store, *DAYS, names=["mine"])[date(2026, 11, 20)] == ["WXYZ", "ABCD"]


def test_what_a_session_that_is_still_open_picked_so_far_counts(store):
    added, dropped = UniverseAction.ADDED, UniverseAction.DROPPED
    rows = [
        ("2026-11-20T09:05:00Z", "SCAN", added),
        ("2026-11-20T10:00:00Z", "SCAN", dropped),
        ("2026-11-20T11:00:00Z", "ABCD", added),
    ]
    scanned_session(store, rows, is_open=True)
    assert picked(store, *DAYS, names=["mine"]) == {date(2026, 11, 20): ["SCAN", "ABCD"]}
    assert picked(store, *DAYS) == picked(store, *DAYS, names=["mine"])
    assert picked(store, date(2026, 10, 1), date(2026, 10, 31)) == {}


def test_lists_come_in_by_the_import_command(store, picks):
    ran = CliRunner().invoke(main, ["--home", str(store.home), "import", str(picks), "--as", "candidates"])
    assert ran.output == "list picks: 3 new picks of 2 symbols; 0 were known\n"
    rows = connect(store.home).sql("select day::varchar, symbol, list, score from picks order by picked_at").fetchall()
    assert rows == [
        ("2026-11-20", "WXYZ", "picks", 3.0),
        ("2026-11-20", "ABCD", "picks", 2.0),
        ("2026-11-23", "ABCD", "picks", None),
    ]


def test_a_row_that_is_no_pick_is_told(store, tmp_path):
    path = tmp_path / "picks.csv"
    path.write_text("date,symbol\n2026-11-20,ABCD\nsoon,ABCD\n2026-11-21,WXYZ\n")
    ran = CliRunner().invoke(
        main, ["--home", str(store.home), "import", str(path), "--as", "candidates", "--name", "mine"]
    )
    assert "row 2 refused: day: 'soon' is no date" in ran.output


@pytest.mark.parametrize("text", ["", "soon", "2026-11-20..soon", "2026-11-20-2026-11-21"])
def test_a_range_of_days_that_is_none_is_refused(text):
    with pytest.raises(ConfigError, match="write a day like 2026-11-20"):
        days_of(text)


def test_what_a_kept_scan_added_was_picked(store, tmp_path):
    definition = tmp_path / "any.toml"
    definition.write_text(
        'name = "any"\n[[filters]]\nfield = "last"\nop = ">="\nthreshold = 0.01\n[[rank]]\nfield = "volume"\n'
    )
    session = record_generated(store, Day(quotes=2_000), plan_of([], [], []), [], created_ns=1)
    assert picked(store, *DAYS) == {}
    found = scan(store, session.id, load_scanner(definition), until_ns=None, keep_ns=2)
    days = picked(store, *DAYS)
    assert list(days) == [date(2026, 11, 4)]
    assert found.listed
    assert set(found.listed) <= set(days[date(2026, 11, 4)])


def stays_of(store):
    """Day of the month, symbol, from, until: to the minute, of the month before."""
    return [
        (pick.day.day, pick.symbol, iso_from_ns(pick.from_ns)[8:16], iso_from_ns(pick.until_ns)[8:16])
        for of_day in picks_of(store, *DAYS).values()
        for pick in of_day
    ]


def test_what_stays_in_a_list_over_midnight_is_a_pick_of_each_day_that_it_is_in_it(store):
    added, dropped = UniverseAction.ADDED, UniverseAction.DROPPED
    rows = [
        ("2026-11-20T22:00:00Z", "LONG", added),
        ("2026-11-20T23:00:00Z", "EDGE", added),
        ("2026-11-21T00:00:05Z", "EDGE", dropped),  # the first look behind midnight
        ("2026-11-22T01:30:00Z", "LONG", dropped),
        ("2026-11-22T02:00:00Z", "KEPT", added),
        ("2026-11-23T02:00:00Z", "NEXT", added),
    ]
    scanned_session(store, rows, of=AssetClass.CRYPTO)
    assert stays_of(store) == [
        (20, "LONG", "20T22:00", "21T00:00"),
        (20, "EDGE", "20T23:00", "21T00:00"),
        (21, "LONG", "21T00:00", "22T00:00"),
        (22, "LONG", "22T00:00", "22T01:30"),
        (22, "KEPT", "22T02:00", "23T00:00"),
        (23, "KEPT", "23T00:00", "24T00:00"),
        (23, "NEXT", "23T02:00", "24T00:00"),
    ]


def test_shares_left_in_a_list_over_night_are_picks_of_days_in_whose_hours_they_were_in_it(store):
    """A list of premarket's finds is emptied when the next day's window opens, by then four hours of it are over."""
    added, dropped = UniverseAction.ADDED, UniverseAction.DROPPED
    rows = [
        ("2026-11-20T14:00:00Z", "SOON", added),
        ("2026-11-20T14:00:00Z", "LATE", added),
        ("2026-11-23T09:00:05Z", "SOON", dropped),  # Monday, 4:00 in New York, and there was a weekend
        ("2026-11-23T14:30:00Z", "LATE", dropped),
        ("2026-11-23T20:00:00Z", "LEFT", added),
        ("2026-11-24T07:00:00Z", "LEFT", dropped),
        ("2026-11-24T07:00:00Z", "OPEN", added),
    ]
    scanned_session(store, rows)
    assert stays_of(store) == [
        (20, "LATE", "20T14:00", "21T05:00"),
        (20, "SOON", "20T14:00", "21T05:00"),
        (23, "LATE", "23T05:00", "23T14:30"),
        (23, "LEFT", "23T20:00", "24T05:00"),
        (24, "OPEN", "24T07:00", "25T05:00"),
    ]


def test_the_data_of_later_days_of_a_list_are_found_and_asked_for(store, tmp_path):
    rows = [
        ("2026-11-20T22:00:00Z", "COIN", UniverseAction.ADDED),
        ("2026-11-23T22:00:00Z", "COIN", UniverseAction.DROPPED),
    ]
    scanned_session(store, rows, of=AssetClass.CRYPTO)
    quotes = tmp_path / "quotes.csv"
    quotes.write_text("time,symbol,bid,ask\n2026-11-22T10:00:00Z,COIN,1.00,1.01\n2026-11-22T11:00:00Z,COIN,1.00,1.01\n")
    import_files(store, [feed_of(quotes)], [quotes], name="sunday", created_ns=1)
    (found,) = listed_days(store, "2026-11-20..2026-11-30").days
    assert (found.session.id, found.day) == ("sunday", "2026-11-22")
    assert found.scanner.list_text == "2026-11-22T00:00:00.000000000Z..2026-11-23T00:00:00.000000000Z,COIN\n"
    wanted = wanted_of_scans(store, "2026-11-20..2026-11-30", "GLBX.MDP3")
    assert [(each.day, each.symbols) for each in wanted] == [(f"2026-11-{day}", ("COIN",)) for day in (20, 21, 22, 23)]
