"""`tape sql`: forms and files, hostile text, parameters, and the shell with its completion."""

import csv
import json
import os
import pty
import shutil
import subprocess
import sys

import click
import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from warehouse_samples import DECISIONS, INPUTS, written

from pipeline.cli import main
from pipeline.cli.sql_shell import Shell, completions
from pipeline.log import manifest
from pipeline.log.store import Store
from warehouse import connect, named_in
from warehouse.writing import inert


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = tmp_path_factory.mktemp("asked")
    written(home, [*INPUTS, *DECISIONS], state="sealed")
    return home


def tape(home, *words):
    return CliRunner().invoke(main, ["--home", str(home), "sql", *words])


FILLS = "select seq, symbol, price from fills order by seq"
ROWS = [{"seq": 7, "symbol": "ABCD", "price": 10.07}, {"seq": 18, "symbol": "ABCD", "price": 9.96}]


def read(path):
    """The rows of a file in any form."""
    match path.suffix:
        case ".parquet":
            return pq.read_table(path).to_pylist()
        case ".arrow":
            return pa.ipc.open_file(path).read_all().to_pylist()
        case ".json":
            return json.loads(path.read_text())
    head, *lines = path.read_text().splitlines()
    return [
        dict(zip(head.split(","), [int(a), b, float(c)], strict=True))
        for a, b, c in (line.split(",") for line in lines)
    ]


@pytest.mark.parametrize("form", ["csv", "json", "parquet", "arrow"])
def test_rows_go_into_a_file_of_the_form_that_its_name_says(home, tmp_path, form):
    path = tmp_path / f"fills.{form}"
    assert tape(home, FILLS, "--out", str(path)).exit_code == 0
    assert read(path) == ROWS
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("form", ["parquet", "arrow"])
def test_files_go_down_a_pipe_as_they_are(home, tmp_path, form):
    path = tmp_path / f"piped.{form}"
    path.write_bytes(tape(home, FILLS, "--format", form).stdout_bytes)
    assert read(path) == ROWS


def test_a_query_that_fails_halfway_leaves_no_file_and_one_line(home, tmp_path):
    failing = "select case when range < 20000 then range else error('at ' || range) end from range(30000)"
    told = tape(home, failing, "--out", str(tmp_path / "rows.csv"))
    assert told.exit_code == 2
    assert "at 20" in told.stderr
    assert list(tmp_path.iterdir()) == []


def test_text_that_looks_like_a_formula_is_inert_in_csv_and_numbers_stay(home):
    told = tape(home, "select tag, text, -1.5 as loss, '-' as \"=1\", ' =1' as space from notes", "--format", "csv")
    head, line = told.stdout.splitlines()
    assert head == "tag,text,loss,'=1,space"
    assert line == '\'=1+1,"\'+SUM(A1) ""late""",-1.5,\'-, =1'
    told = tape(home, "select distinct symbol from quotes where symbol <> 'ABCD'", "--format", "csv")
    assert told.stdout.splitlines() == ["symbol", "'=WXYZ"]


@pytest.mark.parametrize("text", ["=1", "+1", "-1", "@x", "\t=1", "\r=1", "\n=1", "\uff1d1", "\uff20x"])
def test_every_way_to_begin_a_formula_is_known(text):
    assert inert(text) == f"'{text}"
    assert inert("a" + text) == "a" + text


ODD = """select 1e-9::decimal(18, 9) as small, -2.50 as cost, 2::hugeint ** 100 as huge, 'nan'::double as none, null as nothing,
    timestamptz '2026-03-08 09:30:00.5-05' as zoned, timestamp_ns '2026-01-01 00:00:00.123456789' as exact,
    map {'gap': 1.5::double, 'float': 'nan'::double} as scan, 1 as a, 2 as a, 3 as a_1"""


def test_every_kind_of_value_keeps_its_meaning_in_json_and_csv(home):
    told = tape(home, ODD, "--format", "json").stdout
    assert '"small":1E-9,"cost":-2.50' in told
    assert json.loads(told) == [
        {
            "small": 1e-9, "cost": -2.5, "huge": float(2**100), "none": None, "nothing": None,
            "zoned": "2026-03-08T14:30:00.5Z", "exact": "2026-01-01T00:00:00.123456789Z",
            "scan": {"gap": 1.5, "float": None}, "a": 1, "a_1": 2, "a_1_1": 3,
        }
    ]  # fmt: skip
    head, line = csv.reader(tape(home, ODD, "--format", "csv").stdout.splitlines())
    found = dict(zip(head, line, strict=True))
    assert (found["small"], found["cost"], found["none"], found["nothing"]) == ("0.000000001", "-2.50", "nan", "")
    assert found["zoned"] == "2026-03-08T14:30:00.5Z"
    assert json.loads(found["scan"]) == {"gap": 1.5, "float": None}
    assert head[-3:] == ["a", "a", "a_1"]


def test_a_parameter_is_a_value_and_never_sql(home):
    asked = "select count(*) as n from fills where symbol = $symbol and seq < $until"
    told = tape(home, asked, "--param", "symbol=ABCD", "--param", "until=10", "--format", "json")
    assert json.loads(told.stdout) == [{"n": 1}]
    told = tape(home, asked, "--param", "symbol=' or 1=1 --", "--param", "until=10", "--format", "json")
    assert json.loads(told.stdout) == [{"n": 0}]
    assert tape(home, asked, "--param", "symbol=ABCD").exit_code == 2


def test_a_file_of_sql_is_asked(home, tmp_path):
    (tmp_path / "fills.sql").write_text(FILLS)
    assert json.loads(tape(home, str(tmp_path / "fills.sql"), "--format", "json").stdout) == ROWS


def test_a_journal_of_trades_for_other_programs(home, tmp_path):
    assert tape(home, "from journal", "--out", str(tmp_path / "trades.csv")).exit_code == 0
    head, line = (tmp_path / "trades.csv").read_text().splitlines()
    found = dict(zip(head.split(","), line.split(","), strict=True))
    assert (found["symbol"], found["acquired_date"], found["cost"], found["gain"]) == (
        "ABCD",
        "2026-11-04",
        "1007.75",
        "-11.75",
    )


def test_results_come_as_arrow_and_pandas_and_polars(home):
    relation = connect(home, asked=named_in(FILLS)).sql(FILLS)
    assert relation.to_arrow_table().to_pylist() == ROWS
    assert relation.df().to_dict("records") == ROWS
    pytest.importorskip("polars")
    assert relation.pl().to_dicts() == ROWS


COLUMNS = {"fills": ["fee", "price"], "trades": ["profit"], "staging.stg_fills": ["fee_nano"]}


@pytest.mark.parametrize(
    ("before", "found"),
    [
        ("select * from f", ["fills"]),
        ("select * from trades join ", ["fills", "staging.stg_fills", "trades"]),
        ("select * from staging.s", ["staging.stg_fills"]),
        ("from fills select p", ["partition", "price"]),
        ("select fills.f", ["fills.fee"]),
        ("sel", ["select"]),
        ("from fills\nwhere PR", ["price"]),
        ("select * from nothing", []),
    ],
)
def test_words_are_completed_by_where_they_stand(before, found):
    assert completions(before.replace("\\\n", "\n"), COLUMNS) == found


def test_the_shell_takes_statements_over_lines_goes_on_after_errors_and_obeys(home, capsys):
    shell = Shell(lambda: connect(home, asked=named_in("from fills")), lambda: click.echo("the answers"))
    for line in ("select symbol,", "  sum(quantity) as bought from fills", "where side = 'buy' group by all;"):
        shell.take(line)
    assert "200" not in capsys.readouterr().out
    for line in ("select nonsense from fills;", ".format csv", "select price from fills order by seq;"):
        shell.take(line)
    told = capsys.readouterr()
    assert told.out.split() == ["price", "10.07", "9.96"]
    assert 'column "nonsense" not found' in told.err
    for line in (".answers", ".columns fills", ".again", ".what"):
        shell.take(line)
    told = capsys.readouterr().out
    assert told.startswith("the answers\nsession, run, seq")
    assert ".columns NAME" in told
    shell.take("create table mine as select 1 as own;")
    shell.take(".columns mine")
    assert capsys.readouterr().out.endswith("\nown\n")


def test_the_shell_finds_rows_whose_files_were_put_together_meanwhile(home, tmp_path, capsys):
    store = Store(shutil.copytree(home, tmp_path / "copy"))
    shell = Shell(lambda: connect(store.home, asked=named_in("from fills")), lambda: None)
    asked = "select count(*) from fills;"
    shell.take(".format csv")
    shell.take(asked)
    before = capsys.readouterr().out
    for log in (*store.sessions(), *store.runs()):
        folder, parts = store.folder(log.id), []
        for part in log.parts:
            moved = msgspec.structs.replace(part, file=part.file.replace("part-00001", "part-000001000016"))
            (folder / part.file).rename(folder / moved.file)
            parts.append(moved)
        manifest.update(folder, parts=tuple(parts))
    shell.take(asked)
    told = capsys.readouterr()
    assert told.out == before
    assert told.err.startswith("connected again")
    for path in store.home.rglob("kind=fill/*.parquet"):
        path.unlink()
    shell.take(asked)
    assert "the file is missing" in capsys.readouterr().err


def test_on_a_terminal_words_are_completed_with_tab_and_kept_for_the_next_time(tmp_path):
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "pipeline.cli", "--home", str(tmp_path), "sql"]
    environment = {**os.environ, "TERM": "dumb", "INPUTRC": os.devnull}
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment) as process:
        os.close(theirs)
        said = b""

        def until(words):
            nonlocal said
            while words not in said:
                said += os.read(ours, 65_536)
            said = said.partition(words)[2]

        until(b"tape> ")
        os.write(ours, b"select count(*) + 41 as found from missed_m\t;\n")
        until(b"found from missed_moves")
        until(b"41")
        until(b"tape> ")
        os.write(ours, b".quit\n")
        assert process.wait(60) == 0
    os.close(ours)
    assert "missed_moves" in (tmp_path / "cache" / "sql_history").read_text()
