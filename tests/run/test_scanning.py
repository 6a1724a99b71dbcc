"""Scanning recorded sessions: at any moment, by presets, with a field of one's own, on real files, and in SQL."""

import csv
import importlib.util
import json
import math
import re
import textwrap
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from pipeline.block import Block, concat, cut, row_count
from pipeline.cli import main
from pipeline.codes import AssetClass, Kind
from pipeline.config import moment_ns, zone_named
from pipeline.core.hashing import packed_rows
from pipeline.errors import ConfigError, NotFoundError, StrategyError
from pipeline.feeds.merge import merged
from pipeline.log.reader import LogReader
from pipeline.log.seal import seal
from pipeline.log.store import Store
from pipeline.provenance import Mode
from pipeline.run.generating import record_generated
from pipeline.run.recording import opened, start_rows
from pipeline.run.scanners import load_scanner
from pipeline.run.scanning import scan
from pipeline.run.strategies import plan_of, strategy_file
from pipeline.run.verifying import verify
from pipeline.scanner.clocks import trading_day
from pipeline.simulator.days import DAYS, GeneratedMarket
from pipeline.simulator.generate import Day
from pipeline.units import DAY_NS, HOUR_NS, MINUTE_NS, NANO, SECOND_NS

ROOT = Path(__file__).resolve().parents[2]
PRESETS = ROOT / "scanners"
DAY = replace(DAYS["premarket"], starts_ns=1_793_801_700 * NANO, lasts_ns=25 * MINUTE_NS, quotes=2_500)
"""9:15 to 9:40 in New York."""

PREVIOUS_CLOSE = 4.0


def session_of(store, name, batches, starts_ns, *, is_sealed=True):
    """A session of these batches, each counting its `seq` from 1."""
    manifest = store.create_session(name, mode=Mode.IMPORT, created_ns=1)
    with opened(store, manifest, None) as recorder:
        recorder.session_ns = starts_ns
        recorder.say(start_rows({}, {}, seed=0))
        for batch in batches:
            recorder.take(batch)
    return seal(store.folder(manifest.id)) if is_sealed else manifest


def facts(ids, ts_ns, **values):
    rows = [
        {"instrument_id": id_, "field": name, "value": value, "ts_event_ns": ts_ns, "ts_recv_ns": ts_ns}
        for name, value in values.items()
        for id_ in ids
    ]
    known = {"known_at_ns": ts_ns - HOUR_NS, "as_of_ns": ts_ns - 16 * HOUR_NS, "provider": "test"}
    return [Block.from_rows(Kind.REFERENCE, [{"seq": seq, **row, **known} for seq, row in enumerate(rows, 1)])]


@pytest.fixture(scope="module")
def generated(tmp_path_factory):
    """A generated premarket day with yesterday's closes, floats and average volumes in front."""
    store = Store(tmp_path_factory.mktemp("store"))
    first, *rest = merged([GeneratedMarket(DAY)])
    told = facts(range(1, 13), DAY.starts_ns, previous_close=PREVIOUS_CLOSE, float_shares=5e6, average_daily_volume=4e5)
    definitions, after = _behind_definitions(first)
    session_of(store, "day", [definitions, told, after, *rest], DAY.starts_ns)
    return store


def _behind_definitions(batch):
    """The batch cut behind its last definition, both parts counting from 1."""
    last = max(int(block.number("seq")[-1]) for block in batch if block.kind is Kind.INSTRUMENT)
    return cut(batch, 0, last), cut(batch, last, row_count(batch))


def tape(store, *words):
    return CliRunner().invoke(main, ["--home", str(store.home), *words])


def ask(store, *words):
    result = tape(store, "scan", "day", "--json", *words)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout.splitlines()[-1])


def test_at_a_moment_it_tells_the_list_and_why_not_the_others(generated):
    found = ask(generated, "--config", str(PRESETS / "gappers.toml"), "--at", "09:24", "--all")
    assert found["at"] == "2026-11-04T14:24:00.000000000Z"
    assert found["looked_at"] == len(found["candidates"]) == 12
    picked = [each for each in found["candidates"] if each["in_list"]]
    assert [each["symbol"] for each in picked] == found["listed"]
    assert 0 < len(picked) < 12
    for each in found["candidates"]:
        fields = each["fields"]
        if fields["last"] is not None:
            assert fields["gap_pct"] == pytest.approx((fields["last"] / PREVIOUS_CLOSE - 1) * 100)
        passes = all(verdict["passed"] for verdict in each["filters"])
        assert passes or each["verdict"] != "not_ranked"
        assert (each["rank"] > 0) == passes


def test_what_it_sees_at_a_moment_is_what_it_wrote_then(generated):
    """The table recomputed up to T is the candidates that a whole scan wrote at T."""
    scanner = load_scanner(PRESETS / "gappers.toml")
    made = concat(row for batch in _batches(generated) for row in scanner.update(batch))
    zone = zone_named("America/New_York")
    until_ns = moment_ns("09:20:02", day_ns=DAY.starts_ns, zone=zone)
    again = load_scanner(PRESETS / "gappers.toml")
    found = scan(generated, "day", again, until_ns=until_ns)
    written = {
        (row["instrument_id"], row["field_id"]): row["value"]
        for block in made if block.kind is Kind.CANDIDATE
        for row in block.rows() if row["evaluation"] == found.evaluations and row["instrument_id"]
    }  # fmt: skip
    place = {name: number for number, name in enumerate(again.definition.fields, 1)}
    ids = {symbol: id_ for id_, symbol in again.state.symbols.items()}
    candidates = {ids[each.symbol]: each for each in found.candidates}
    assert written
    assert {id_ for id_, _ in written} <= candidates.keys()
    for (id_, number), value in written.items():
        name = next(name for name, each in place.items() if each == number)
        seen = candidates[id_].fields[name]
        assert math.isnan(value) if seen is None else seen == value


def _batches(store):
    return LogReader(store.folder("day")).batches()


def test_the_whole_session_in_batches_of_any_size_is_one(generated):
    found = []
    for rows in (1_000, 65_536):
        scanner = load_scanner(PRESETS / "premarket.toml")
        made = [row for batch in LogReader(generated.folder("day")).batches(rows=rows) for row in scanner.update(batch)]
        found.append(([packed_rows(block) for block in concat(made)], scanner.digest()))
    assert found[0] == found[1]


@pytest.mark.parametrize("path", sorted(PRESETS.glob("*.toml")), ids=lambda path: path.stem)
def test_every_preset_scans_the_day(generated, path):
    found = ask(generated, "--config", str(path))
    shares = path.stem != "crypto"
    assert found["scanner"] == path.stem
    if path.stem == "after_hours":
        assert found["evaluations"] == 0
    else:
        assert found["looked_at"] == (12 if shares else 0)


def test_words_for_people(generated):
    config = str(PRESETS / "gappers.toml")
    told = tape(generated, "scan", "last", "--config", config, "--at", "09:24").output
    assert "gappers over day at 2026-11-04 09:24:00 America/New_York" in told
    assert "in the list of 12" in told
    funnel = tape(generated, "scan", "last", "--config", config, "--funnel").output
    assert re.search(r"gap_pct >= 3 +\d+ +\d+ +\d+ +\d+", funnel)
    symbol = ask(generated, "--config", config)["candidates"][0]["symbol"]
    one = tape(generated, "scan", "last", "--config", config, "--symbol", symbol).output
    assert f"{symbol} at 2026-11-04 09:40" in one
    assert "passes  last >= 1" in one
    assert "known at 2026-11-04T" in one
    before = tape(generated, "scan", "last", "--config", str(PRESETS / "after_hours.toml")).output
    assert "no evaluation up to there" in before


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            ["--config", str(PRESETS / "gappers.toml")],
            "--feed: whose market? Name massive or alpaca, or keep MASSIVE_API_KEY, or APCA_API_KEY_ID and APCA_API_SECRET_KEY",
        ),
        (["day", "--config", "nowhere.toml"], "nowhere.toml: no such file"),
        (["day", "--config", str(PRESETS / "gappers.toml"), "--symbol", "NONE"], "no symbol 'NONE' is in this session"),
        (["day", "--config", str(PRESETS / "gappers.toml"), "--at", "01:00"], "is before the first input of day"),
        (["other", "--config", str(PRESETS / "gappers.toml")], "other"),
        (
            ["day", "--config", str(PRESETS / "gappers.toml"), "--every", "5s"],
            "--every is for a scan of now, and day was recorded",
        ),
        (["--config", str(PRESETS / "gappers.toml"), "--at", "08:00"], "--at: a scan of now has no other moment"),
        (
            ["--config", str(PRESETS / "gappers.toml"), "--feed", "coinbase", "--symbols", "BTC-USD"],
            "massive and alpaca can",
        ),
    ],
)
def test_what_is_wrong_is_one_sentence(generated, words, told, monkeypatch):
    for name in ("MASSIVE_API_KEY", "APCA_API_KEY_ID", "APCA_API_SECRET_KEY"):
        monkeypatch.delenv(name, raising=False)
    result = tape(generated, "scan", *words)
    assert result.exit_code == 2
    assert told in result.output
    assert len(result.output.splitlines()) == 1


def test_what_was_kept_can_be_asked_in_sql(generated):
    store = generated
    found = ask(store, "--config", str(PRESETS / "gappers.toml"), "--keep")
    assert store.find_one(found["run"]).parents == ("day",)

    def rows(query):
        return json.loads(tape(store, "sql", query, "--format", "json").stdout)

    funnel = rows(f"select filter, count_left from funnel where evaluation = {found['evaluations']} order by filter_id")
    assert [(row["filter"], row["count_left"]) for row in funnel] == [(s["filter"], s["left"]) for s in found["funnel"]]
    live = rows(
        "select symbol from universe_changes group by symbol"
        " having count(*) filter (action = 'added') > count(*) filter (action = 'dropped')"
    )
    assert {row["symbol"] for row in live} == set(found["listed"])
    gaps = rows(
        "select symbol, value, threshold, is_passed, filter, unit from candidates"
        f" where field = 'gap_pct' and evaluation = {found['evaluations']}"
    )
    seen = {each["symbol"]: each["fields"]["gap_pct"] for each in found["candidates"]}
    assert gaps
    for row in gaps:
        assert row["value"] == pytest.approx(seen.get(row["symbol"], row["value"]))
        assert (row["filter"], row["unit"]) == ("gap_pct >= 3", "%")
        assert row["is_passed"] == (row["value"] >= row["threshold"])
    reasons = rows("select distinct reason, filter is null as bare from universe_changes where action = 'dropped'")
    assert all(row == {"reason": "filter", "bare": False} for row in reasons)


@pytest.mark.parametrize("words", [[], ["--at", "09:24"]])
def test_what_was_kept_is_verified_like_any_run(generated, tmp_path, words):
    (tmp_path / "list.toml").write_text('name = "list"\nsymbols = ["IQAH"]\n')
    for config in (PRESETS / "gappers.toml", own_files(tmp_path), tmp_path / "list.toml"):
        found = ask(generated, "--config", str(config), "--keep", *words)
        own_files(tmp_path, OWN.replace("* 100", "* 50"))
        for is_apart in (False, True):
            verdict = verify(generated, found["run"], always_apart=is_apart)
            assert verdict.identical, verdict.first_difference
            assert verdict.derived > 0 or config.stem == "list"
        own_files(tmp_path)


OWN = '''
"""Fields of my own."""

import numpy as np

from pipeline.codes import Kind
from pipeline.scanner.columns import COUNT
from pipeline.scanner.field import SHARES, Valued, field_of


def _count(state, segment):
    if Kind.PRINT in segment:
        prints = segment[Kind.PRINT]
        large = prints.number("size_steps") >= 400
        np.add.at(state.columns["blocks"], prints.number("instrument_id")[large], 1)


@field_of("block_trades", "count", "prints of 400 and more today", "prints", SHARES,
          columns={"blocks": COUNT}, daily=("blocks",), fold=_count)
def block_trades(view):
    return Valued(view["blocks"].astype(np.float64), view["ts_volume_ns"])


@field_of("range_pct", "%", "high less low of the day, over the low", "prints, bars")
def range_pct(view):
    high, low = view.of("hod"), view.of("lod")
    return Valued((high.value - low.value) / low.value * 100.0, high.known_ns)


FIELDS = (block_trades, range_pct)
'''
OWN_TOML = """
name = "own"
own_fields = "own.py"
show = ["block_trades", "hod", "lod"]
[schedule]
until = "16:00"
[[filters]]
field = "range_pct"
op = ">="
threshold = 1
"""


def own_files(folder, code=OWN):
    (folder / "own.py").write_text(code)
    (folder / "own.toml").write_text(OWN_TOML)
    return folder / "own.toml"


def test_a_field_of_ones_own_is_one_small_file(generated, tmp_path):
    scanner = load_scanner(own_files(tmp_path))
    found = scan(generated, "day", scanner)
    counts = dict.fromkeys(scanner.state.symbols, 0)
    for batch in _batches(generated):
        for block in (block for block in batch if block.kind is Kind.PRINT):
            for row in block.rows():
                counts[row["instrument_id"]] += row["size_steps"] >= 400 and row["ts_recv_ns"] <= found.at_ns
    ids = {symbol: id_ for id_, symbol in scanner.state.symbols.items()}
    assert sum(counts.values()) > 0
    for each in found.candidates:
        assert each.fields["block_trades"] == counts[ids[each.symbol]]
        high, low = each.fields["hod"], each.fields["lod"]
        assert each.fields["range_pct"] == pytest.approx((high - low) / low * 100)
    other = load_scanner(own_files(tmp_path))
    other.thaw(scanner.freeze())
    assert other.digest() == scanner.digest()


@pytest.mark.parametrize(
    ("code", "error", "told"),
    [
        ("FIELDS = ()", ConfigError, r"own\.py: a file of fields ends in `FIELDS"),
        ("x = 1\ny = x / 0", StrategyError, r"own\.py: line 2: ZeroDivisionError"),
        (OWN.replace("range_pct", "last"), ConfigError, r"own\.py: a field named 'last' is there already"),
    ],
)
def test_what_is_wrong_in_ones_own_fields_is_told(tmp_path, code, error, told):
    with pytest.raises(error, match=told):
        load_scanner(own_files(tmp_path, code))


def test_a_file_of_fields_that_is_not_there_is_told(tmp_path):
    (tmp_path / "x.toml").write_text('name = "x"\nown_fields = "gone.py"')
    with pytest.raises(NotFoundError, match=r"gone\.py: no such file"):
        load_scanner(tmp_path / "x.toml")


@pytest.mark.parametrize(
    ("key", "name", "accepted"),
    [
        ("own_fields", ".", "the name of a .py file"),
        ("own_fields", "own.txt", "the name of a .py file"),
        ("own_fields", "own\\u0000.py", "the name of a .py file"),
        ("symbols_file", ".", "the name of a file"),
        ("symbols_file", "..", "the name of a file"),
    ],
)
def test_what_names_no_file_beside_a_definition_is_told_with_its_key(tmp_path, key, name, accepted):
    path = tmp_path / "x.toml"
    path.write_text(f'name = "x"\n{key} = "{name}"\n')
    with pytest.raises(ConfigError) as refused:
        load_scanner(path)
    told = str(refused.value)
    assert told.startswith(f"{path}: {key}: ")
    assert told.endswith(f"accepted is {accepted} beside this one")
    assert len(told.splitlines()) == 1


def test_a_definition_that_is_a_folder_or_nearly_named_is_told(tmp_path):
    with pytest.raises(ConfigError, match="Is a directory; accepted is a file"):
        load_scanner(tmp_path)
    (tmp_path / "mine.csv").write_text("ABCD\n")
    (tmp_path / "x.toml").write_text('name = "x"\nsymbols_file = "mime.csv"')
    with pytest.raises(
        NotFoundError,
        match=r"mime\.csv: no such file, and symbols_file of x\.toml names it; did you mean .*mine\.csv\?",
    ):
        load_scanner(tmp_path / "x.toml")


def test_a_list_of_symbols_is_a_scanner_as_well(generated, tmp_path):
    symbols = ask(generated, "--config", str(PRESETS / "gappers.toml"), "--all")["candidates"]
    names = [symbols[3]["symbol"], symbols[0]["symbol"], "NOTHERE"]
    (tmp_path / "mine.csv").write_text("\n".join(names))
    (tmp_path / "mine.toml").write_text('name = "mine"\nsymbols_file = "mine.csv"')
    assert ask(generated, "--config", str(tmp_path / "mine.toml"))["listed"] == names[:2]
    assert "a list of 2: " in tape(generated, "scan", "day", "--config", str(tmp_path / "mine.toml")).output


# Real files.


@pytest.fixture(scope="module")
def low_float_rows(shared_data):
    path = shared_data / "equities" / "low-float-data" / "2026-09-09_rows_AACG-HYFM.csv"
    return list(csv.DictReader(path.read_text().splitlines()))


def test_a_real_table_of_low_floats_is_scanned_like_its_rows_are_sorted(tmp_path, low_float_rows):
    """Ignition Alerts' table of 2026-09-09 (CC BY 4.0): price and volume as one bar, float, cap and average as facts."""
    store, ts_ns = Store(tmp_path), 1_788_955_200 * NANO  # 2026-09-09T12:00:00Z, 8:00 in New York
    ids = range(1, len(low_float_rows) + 1)
    definitions = Block.of(
        Kind.INSTRUMENT, len(ids), seq=ids, ts_event_ns=ts_ns, ts_recv_ns=ts_ns, instrument_id=ids,
        symbol=[row["ticker"] for row in low_float_rows], asset_class=int(AssetClass.EQUITY), size_step_nano=NANO,
        multiplier_nano=NANO, calendar="XNYS",
    )  # fmt: skip
    told = []
    for id_, row in zip(ids, low_float_rows, strict=True):
        close = float(row["price"]) / (1 + float(row["change_pct"]) / 100)
        values = {
            "previous_close": close,
            "average_daily_volume": row["avg_volume"],
            "float_shares": row["float"],
            "market_cap": row["market_cap"],
        }
        told += [
            {"instrument_id": id_, "field": name, "value": float(value)}
            for name, value in values.items()
            if value != ""
        ]
    stamped = {
        "ts_event_ns": ts_ns,
        "ts_recv_ns": ts_ns,
        "known_at_ns": ts_ns,
        "as_of_ns": ts_ns - 16 * HOUR_NS,
        "provider": "ignition",
    }
    known = Block.from_rows(Kind.REFERENCE, [{"seq": seq, **stamped, **row} for seq, row in enumerate(told, 1)])
    prices = [round(float(row["price"]) * NANO) for row in low_float_rows]
    bars = Block.of(
        Kind.BAR, len(ids), seq=ids, ts_event_ns=ts_ns, ts_recv_ns=ts_ns + MINUTE_NS, instrument_id=ids, bar_length=MINUTE_NS,
        ts_close_ns=ts_ns + MINUTE_NS, open_nano=prices, high_nano=prices, low_nano=prices, close_nano=prices,
        volume_steps=[int(float(row["volume"])) for row in low_float_rows],
    )  # fmt: skip
    timer_ns = ts_ns + MINUTE_NS + SECOND_NS
    timer = Block.of(Kind.TIMER, 1, seq=1, ts_event_ns=timer_ns, ts_recv_ns=timer_ns, interval_ns=SECOND_NS)
    session_of(store, "low", [[definitions], [known], [bars], [timer]], ts_ns)
    (tmp_path / "low.toml").write_text(
        'name = "low"\nlimit = 1000\nsubscriptions_max = 5000\nshow = ["float_rotation", "vol_pct_adv"]\n'
        '[[filters]]\nfield = "float"\nop = "<"\nthreshold = 5_000_000\n[[rank]]\nfield = "change_pct"\n'
    )
    found = scan(store, "low", load_scanner(tmp_path / "low.toml"))
    assert found.looked_at == 249
    small = [row for row in low_float_rows if row["float"] and float(row["float"]) < 5e6]
    assert len(found.listed) == len(small) == 58
    changes = {row["ticker"]: float(row["change_pct"]) for row in low_float_rows}
    ranked = [changes[symbol] for symbol in found.listed]
    assert ranked == pytest.approx(sorted((changes[row["ticker"]] for row in small), reverse=True))
    rows = {row["ticker"]: row for row in low_float_rows}
    for each in found.candidates:
        row = rows[each.symbol]
        if row["float"]:
            assert each.fields["float_rotation"] == pytest.approx(int(float(row["volume"])) / float(row["float"]))
        else:
            assert each.fields["float"] is None
            assert not each.in_list


def test_the_day_has_the_hours_that_leans_market_hours_have(shared_data):
    """QuantConnect's database of hours: premarket, market and after-hours of American shares, each weekday."""
    hours = json.loads((shared_data / "equities" / "lean" / "market-hours" / "market-hours-database.json").read_text())
    usa = hours["entries"]["Equity-usa-[*]"]
    assert usa["exchangeTimeZone"] == "America/New_York"
    zone = zone_named("America/New_York")
    for day, name in ((f"2026-0{3 if number < 6 else 7}-{number:02}", number) for number in (2, 3, 4, 5, 6, 9, 10)):
        at = lambda clock, day=day: moment_ns(f"{day}T{clock}", day_ns=0, zone=zone)  # noqa: E731 - a word for this loop
        weekday = ("monday", "tuesday", "wednesday", "thursday", "friday")[int((at("12:00:00") // DAY_NS + 3) % 7) % 5]
        states = {row["state"]: row for row in usa[weekday]}
        made = trading_day(1, at("12:00:00"))
        assert made.premarket_ns == at(states["premarket"]["start"][:8]), name
        assert (made.opens_ns, made.closes_ns) == (at(states["market"]["start"][:8]), at(states["market"]["end"][:8]))


def test_the_docs_show_a_field_of_ones_own_that_works(tmp_path, generated):
    text = (ROOT / "docs" / "scanners.md").read_text()
    blocks = [textwrap.dedent(block) for block in re.findall(r"(?:^    .*\n|^\n)+", text, re.MULTILINE)]
    code = next(block for block in blocks if "FIELDS = (" in block).strip("\n") + "\n"
    config = next(block for block in blocks if "own_fields" in block).strip("\n") + "\n"
    name = re.search(r'own_fields = "([^"]+)"', config)[1]
    (tmp_path / name).write_text(code)
    (tmp_path / "ranges.toml").write_text(config)
    assert scan(generated, "day", load_scanner(tmp_path / "ranges.toml")).evaluations > 0
    (tmp_path / "test_ranges.py").write_text(next(block for block in blocks if "def test_" in block))
    spec = importlib.util.spec_from_file_location("test_ranges", tmp_path / "test_ranges.py")
    shown = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(shown)
    shown.test_the_range_is_high_less_low_over_the_low()


def test_a_recorded_scanner_has_its_names_in_sql_and_a_later_scan_writes_the_same_rows(tmp_path):
    """Live rows stand between those of the strategy; but for their `ord` they are those of `tape scan --keep`, bit for bit."""
    store, config = Store(tmp_path), PRESETS / "gappers.toml"
    hold = [strategy_file("hold")]
    record_generated(
        store,
        Day(quotes=400, starts_ns=Day().starts_ns + HOUR_NS, lasts_ns=30 * MINUTE_NS),
        plan_of(hold, [], [], [config]),
        hold,
        created_ns=1,
    )
    found = json.loads(tape(store, "scan", "last", "--config", str(config), "--keep", "--json").stdout.splitlines()[-1])
    kept = [_candidates(store, name) for name in (found["session"], found["run"])]
    assert kept[0]
    assert kept[0] == kept[1]
    named = tape(store, "sql", "select distinct run is null as live, scanner, filter from funnel", "--format", "json")
    rows = json.loads(named.stdout)
    assert {row["scanner"] for row in rows} == {"gappers"}
    assert {row["filter"] for row in rows if row["live"]} == {step["filter"] for step in found["funnel"]}


def _candidates(store, name):
    batches = LogReader(store.folder(name)).batches(kinds=[Kind.CANDIDATE], what="derived")
    return b"".join(
        packed_rows(block.with_columns(ord=block.number("ord") * 0)) for batch in batches for block in batch
    )
