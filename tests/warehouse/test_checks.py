"""Checks: nothing is found where all is well, and each finds the wrong row that was planted for it."""

import json

import pytest
from click.testing import CliRunner
from warehouse_samples import DECISIONS, INPUTS, at, cents, decided, fill, written

from pipeline.cli import main
from pipeline.codes import Kind, Origin, Side, TradingStatus
from warehouse import connect
from warehouse.checking import offenders
from warehouse.views import checks, named_in

ROWS = [*INPUTS, *DECISIONS]


def changed(kind, seq, ord_, **fields):
    """The tape with other values in one row."""
    (place,) = (index for index, row in enumerate(ROWS) if row[:3] == (kind, seq, ord_))
    row = (*ROWS[place][:4], ROWS[place][4] | fields)
    return [*ROWS[:place], row, *ROWS[place + 1 :]]


def without(kind, seq, ord_):
    return [row for row in ROWS if row[:3] != (kind, seq, ord_)]


PLANTED = {
    "a cause behind its effect": (changed(Kind.TRANSITION, 18, 4, cause_seq=19), {"causes": [(18, 4)]}),
    "a cause at the same place": (changed(Kind.INTENT, 6, 2, cause_ord=2), {"causes": [(6, 2)]}),
    "a position that is not the sum": (changed(Kind.POSITION, 7, 4, quantity_steps=99), {"positions": [(7, 2)]}),
    "a fill without its position": (without(Kind.POSITION, 18, 3), {"positions": [(18, 1)]}),
    "cash that a cent is missing from": (changed(Kind.POSITION, 18, 3, cash=99_988.24), {"cash": [(18, 1)]}),
    "a profit that is too good": (changed(Kind.POSITION, 18, 3, realized=-10.99), {"profits": [(18, 1)]}),
    "a fee that was forgotten": (changed(Kind.POSITION, 18, 3, fees=0.5), {"profits": [(18, 1)]}),
    "an execution in a halt": (changed(Kind.STATUS, 10, 0, status=int(TradingStatus.QUOTING)), {"halts": [(18, 1)]}),
    "a broker's execution at a time when it was halted": (
        changed(Kind.FILL, 18, 1, origin=int(Origin.INPUT), ts_event_ns=at(3.5)),
        {"halts": [(18, 1)]},
    ),
}


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """Of each planted row, a session each beside one that is right, what all checks found: by session, by check."""
    home = tmp_path_factory.mktemp("planted")
    written(home, ROWS, name="right")
    for number, (rows, _) in enumerate(PLANTED.values()):
        written(home, rows, name=f"planted-{number}")
    connection = connect(home, asked=checks())
    found = {}
    for view in [view for view in checks() if view.name != "checks.gaps"]:
        place = "seq, 1" if view.name == "checks.profits" else "seq, ord"
        for session, seq, ord_ in connection.sql(f"select session, {place} from {view.name}").fetchall():
            found.setdefault(session, {}).setdefault(view.name.removeprefix("checks."), []).append((seq, ord_))
    return found


@pytest.mark.parametrize("name", PLANTED)
def test_a_wrong_row_is_found_by_its_check_alone(found, name):
    number = list(PLANTED).index(name)
    assert found[f"planted-{number}"] == PLANTED[name][1]


def test_nothing_is_found_where_all_is_well(found):
    assert "right" not in found


def test_every_check_has_a_row_planted_for_it():
    planted = {name for _, found in PLANTED.values() for name in found} | {"gaps"}
    assert planted == {view.name.removeprefix("checks.") for view in checks()}


def test_a_trade_in_a_gap_that_is_not_marked_is_found(tmp_path):
    written(tmp_path, ROWS)
    connection = connect(tmp_path, asked=named_in("from checks.gaps"))
    assert connection.sql("from checks.gaps").fetchall() == []
    connection.execute("create or replace view trades as select * replace (false as has_gap) from kept.trades")
    found = connection.sql("select symbol, trade_number, gap_seq from checks.gaps").fetchall()
    assert found == [("ABCD", 1, 15)]


def test_two_trades_turned_around_by_one_fill_are_right(tmp_path):
    """Sold 250 on 100 held: the first profit ends there, and the second trade begins with it."""

    def position(seq, quantity, cash, **fields):
        return decided(
            Kind.POSITION, seq, 2, seq, (seq, 1), quantity_steps=quantity, average_price=1.0, cash=cash, **fields
        )

    fills = [(11, Side.BUY, 100, 10.00), (18, Side.SELL, 250, 10.50), (21, Side.BUY, 150, 10.10)]
    rows = [
        fill(seq, 1, seq, (seq, 0), side, price, quantity_steps=steps, fill_id=seq, fee_nano=7)
        for seq, side, steps, price in fills
    ]
    rows += [
        position(11, 100, 0.0, fees=7e-9),
        position(18, -150, 2_625.0 - 7e-9, fees=14e-9, realized=50.0),
        position(21, 0, 1_110.0 - 14e-9, fees=21e-9, realized=110.0),
    ]
    written(tmp_path, [*INPUTS, *rows])
    assert [each.first for each in offenders(tmp_path) if each.count] == []


def test_a_generated_day_and_a_run_of_it_have_no_offenders(generated):
    assert [(each.check, each.first) for each in offenders(generated) if each.count] == []


def test_the_command_tells_of_offenders_and_of_none(tmp_path):
    written(tmp_path / "good", ROWS)
    told = CliRunner().invoke(main, ["--home", str(tmp_path / "good"), "check"])
    assert (told.exit_code, told.output.splitlines()[-1]) == (
        0,
        "consistent: nothing found by 6 checks: cash, causes, gaps, halts, positions, profits",
    )
    written(tmp_path / "bad", changed(Kind.POSITION, 18, 3, cash=99_988.24))
    told = CliRunner().invoke(main, ["--home", str(tmp_path / "bad"), "check", "day"])
    assert told.exit_code == 1
    assert "WRONG: cash: 1: one row per fill after which the cash is not" in told.output
    assert "seq 18, ord 1, cash 99988.24, recomputed 99988.25" in told.output
    told = CliRunner().invoke(main, ["--home", str(tmp_path / "bad"), "check", "--json"])
    assert json.loads(told.output.splitlines()[-1])["checks"]["cash"] == 1


def test_a_huge_price_is_recomputed_exactly(tmp_path):
    """A millionth of a cent in ninety thousand million would be lost in float64: it is allowed there, and not in the sum."""
    written(tmp_path, changed(Kind.FILL, 18, 1, price_nano=9_000_000_000_000_000_001, quantity_steps=10))
    found = connect(tmp_path, asked=checks()).sql("select recomputed::varchar from checks.cash").fetchall()
    assert found == [("90000098992.250000010",)]
    assert cents(9.96) != 9_000_000_000_000_000_001
