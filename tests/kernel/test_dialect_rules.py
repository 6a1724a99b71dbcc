"""The dialect's rules: each example of the page breaks the rule it stands for, and nothing that comes along breaks any."""

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from pipeline.cli import main
from pipeline.errors import StrategyError
from pipeline.kernel.rules import RULES
from pipeline.run.strategies import load_checked, plan_of, shipped, strategy_file
from pipeline.run.trying import try_strategy

PAGE = (Path(__file__).parents[2] / "docs" / "dialect.md").read_text()
EXAMPLES = {
    part.partition("\n")[0]: part.partition("```python\n")[2].partition("```")[0] for part in PAGE.split("\n### ")[1:]
}
HEAD = '''"""An example."""
from pipeline.core.params import param, params
from pipeline.core.state import FloatArray, array, state
from pipeline.core.strategy import Strategy
@params
class Params:
    size: int = param(1, low=0)
@state
class State:
    count: int
    phase: int
    level: float
    prices: FloatArray = array(float, 4)
'''
TAIL = '\nstrategy = Strategy("example", Params, State, on_quote=on_quote)\n'


def written(tmp_path, body):
    path = tmp_path / "example.py"
    path.write_text(HEAD + body + TAIL)
    return path


def marked(text):
    """(line, rule) of every arrow."""
    return {
        (number, rule)
        for number, line in enumerate(text.splitlines(), 1)
        if "# <- " in line
        for rule in line.partition("# <- ")[2].split()
    }


def test_every_rule_has_its_example():
    assert list(EXAMPLES) == list(RULES)
    for name, text in EXAMPLES.items():
        assert any(rule == name for _, rule in marked(text)), name


@pytest.mark.parametrize("rule", RULES)
def test_an_example_breaks_the_rules_at_its_arrows(rule, tmp_path):
    path = written(tmp_path, EXAMPLES[rule])
    trial = try_strategy(path)
    assert {(each.line, each.rule) for each in trial.breaches} == marked(path.read_text())
    assert not trial.sound
    for each in trial.breaches:
        assert each.is_refused_at_load == RULES[each.rule].is_kept_at_load
        assert each.accepted == RULES[each.rule].accepted
        assert each.file == str(path)


@pytest.mark.parametrize("rule", RULES)
def test_what_is_refused_at_load_is_refused_with_line_and_rule_and_the_rest_is_loaded(rule, tmp_path):
    path = written(tmp_path, EXAMPLES[rule])
    if not RULES[rule].is_kept_at_load:
        assert load_checked(path).name == "example"
        return
    first = min(line for line, each in marked(path.read_text()) if each == rule)
    with pytest.raises(StrategyError) as raised:
        plan_of([path], [], [])
    told = str(raised.value)
    assert told.startswith(f"{path}: line {first}: ")
    assert f"({rule}); accepted: {RULES[rule].accepted}" in told


ALLOWED = {
    "a set behind in": "NAMES = frozenset((1, 2))\ndef on_quote(s, quote, p, ctx):\n    if s.count in NAMES or s.count in {3, 4}:\n        s.count += 1\n",
    "a local list that is changed": "def on_quote(s, quote, p, ctx):\n    seen = []\n    seen.append(1)\n    seen[0] = 2\n",
    "a table that is only read": "LEVELS = {1: 2.0}\ndef on_quote(s, quote, p, ctx):\n    s.level = LEVELS.get(s.count, 0.0)\n",
    "a function named like a change": "class extremes:\n    @staticmethod\n    def update(s):\n        s.count += 1\ndef on_quote(s, quote, p, ctx):\n    extremes.update(s)\n",
    "imports for types alone": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import random\ndef on_quote(s, quote, p, ctx):\n    s.count += 1\n",
    "a name of one's own that is a builtin's": "def id(x):\n    return x\ndef on_quote(s, quote, p, ctx):\n    s.count = id(s.count)\n",
    "a print to look at": "def on_quote(s, quote, p, ctx):\n    print(quote.bid)\n",
    "its own row beside a price": "def both(s, c):\n    return c.bid, s\ndef on_quote(s, quote, p, ctx):\n    price, own = both(s, ctx)\n    own.level = price\n",
    "the shared State's members": "def on_quote(s, quote, p, ctx):\n    shared = ctx.shared\n    shared.count = 1\n    ctx.shared.level = ctx.account.cash\n",
    "a module's set, made once": "NAMES = {1, 2}\nLEVELS = tuple(sorted(set((3, 1))))\ndef on_quote(s, quote, p, ctx):\n    s.count = LEVELS[0]\n",
}


WAYS_TO_MONEY = {
    "what a helper gives": "def row(c):\n    return c.account\ndef on_quote(s, quote, p, ctx):\n    row(ctx).cash = 1e12\n",
    "a name for that": "def row(c):\n    return c.account\ndef on_quote(s, quote, p, ctx):\n    mine = row(ctx)\n    mine.cash = 1e12\n",
    "through two": "def row(c):\n    return c.account\ndef same(c):\n    return row(c)\ndef on_quote(s, quote, p, ctx):\n    same(ctx).cash = 1e12\n",
    "one of two": "def on_quote(s, quote, p, ctx):\n    (ctx.held if s.count else ctx.account).cash = 1e12\n",
    "side by side": "def on_quote(s, quote, p, ctx):\n    n, mine = s.count, ctx.account\n    mine.cash = 1e12\n",
    "out of a tuple": "def on_quote(s, quote, p, ctx):\n    (ctx.held, ctx.account)[1].cash = 1e12\n",
    "the shared State itself": "def on_quote(s, quote, p, ctx):\n    ctx.shared = s\n",
    "a property": "def on_quote(s, quote, p, ctx):\n    ctx.position = 5.0\n",
}


@pytest.mark.parametrize("what", WAYS_TO_MONEY)
def test_no_way_leads_to_what_is_the_engines(what, tmp_path):
    with pytest.raises(StrategyError, match=r"which is the engine's \(context\)"):
        load_checked(written(tmp_path, WAYS_TO_MONEY[what]))


NESTED = """
from pipeline.core.state import group, rows
@state
class Level:
    price: float
@state
class Book:
    best: Level
    levels: list[Level] = rows(3)
@state
class State:
    count: int
    book: Book
"""
MISSPELT = {
    "of a group": ("s.book.bset.price = 1.0", "s.book.bset: Book has no 'bset'; did you mean 'best'?"),
    "of a row": ("s.book.levels[0].prcie = 1.0", "Level has no 'prcie'; did you mean 'price'?"),
    "of each row": ("for level in s.book.levels:\n        level.prcie = 1.0", "level.prcie: Level has no 'prcie'"),
    "by another name": ("best = s.book.best\n    best.prcie = 1.0", "best.prcie: Level has no 'prcie'"),
    "of an event": ("s.count = quote.zzz", "Quote has no 'zzz'; it has ts_event_ns, ts_recv_ns, instrument_id"),
    "a verb": ("ctx.leave()", "Context has no 'leave'; write leave(ctx, ...)"),
}


@pytest.mark.parametrize("what", MISSPELT)
def test_a_misspelt_member_is_named_with_the_nearest(what, tmp_path):
    line, told = MISSPELT[what]
    path = written(tmp_path, f"{NESTED}def on_quote(s, quote, p, ctx):\n    {line}\n")
    with pytest.raises(StrategyError) as raised:
        load_checked(path)
    assert told in str(raised.value)
    assert f"{path}: line {len(path.read_text().splitlines()) - 2}: " in str(raised.value)


MAY_BE_RIGHT = {
    "either of two": "one = s\n    if s.count > 1:\n        one = quote\n    s.count += one.bid > 1.0",
    "set anew": "s = quote\n    one = s.bid",
    "a loop's": "for s in (quote, quote):\n        one = s.bid",
    "of all there are": "s.count += len(p._fields)",
}


@pytest.mark.parametrize("what", MAY_BE_RIGHT)
def test_what_may_be_right_is_not_called_misspelt(what, tmp_path):
    load_checked(written(tmp_path, f"{NESTED}def on_quote(s, quote, p, ctx):\n    {MAY_BE_RIGHT[what]}\n"))


def test_a_day_is_tried_with_parameters_and_bars(tmp_path):
    path = strategy_file("opening_range")
    plain, opened = try_strategy(path), try_strategy(path, ["open_minute=480", "bars=2m"])
    assert (opened.sound, opened.strategy) == (True, "opening_range")
    assert opened.kinds["bar"] < plain.kinds["bar"]
    ran = CliRunner().invoke(main, ["strategy", "check", "opening_range", "--param", "open_minte=480"])
    assert (ran.exit_code, ran.output) == (2, "tape: unknown parameter 'open_minte'; did you mean open_minute?\n")


@pytest.mark.parametrize("what", ALLOWED)
def test_what_decides_the_same_each_time_is_loaded(what, tmp_path):
    load_checked(written(tmp_path, ALLOWED[what]))


@pytest.mark.parametrize("name", shipped())
def test_what_comes_along_is_sound(name):
    trial = try_strategy(strategy_file(name))
    assert (trial.sound, trial.breaches, trial.problem, trial.stopped, trial.difference) == (True, [], "", [], None)
    assert trial.inputs > 5_000
    assert set(trial.seconds) == {"load", "compile", "interpreted", "compiled"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("def broken(:\n", "line 1: SyntaxError"),
        ("x = 1 / 0\n", "line 1: ZeroDivisionError"),
        ("x = 1\n", "ends in `strategy = Strategy"),
        (
            HEAD.replace("level: float", "level: str") + "def on_quote(s, quote, p, ctx):\n    pass\n" + TAIL,
            "State.level",
        ),
        (HEAD.replace("low=0", "low=2") + "def on_quote(s, quote, p, ctx):\n    pass\n" + TAIL, "size=1: accepted is"),
    ],
)
def test_what_can_not_be_loaded_is_a_problem_with_its_line(text, told, tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(text)
    trial = try_strategy(path)
    assert told in trial.problem
    assert not trial.sound


def test_a_handler_that_fails_on_the_day_is_told_with_its_line(tmp_path):
    path = written(tmp_path, "def on_quote(s, quote, p, ctx):\n    s.count += 1\n    assert s.count < 300\n")
    trial = try_strategy(path)
    assert (trial.sound, trial.difference, trial.same_state) == (False, None, True)
    assert f"in on_quote, line {len(HEAD.splitlines()) + 3}" in trial.stopped[0]


def test_the_command_names_lines_and_says_so_by_its_exit_code(tmp_path):
    bad = written(tmp_path, EXAMPLES["clock"])
    done = CliRunner().invoke(main, ["strategy", "check", str(bad)])
    assert done.exit_code == 1
    for line, rule in marked(bad.read_text()):
        assert f"{bad}: line {line}: " in done.output
        assert f"rule {rule}, " in done.output
    fine = CliRunner().invoke(main, ["strategy", "check", "hold"])
    assert fine.exit_code == 0
    assert "the same rows, the same state, byte for byte" in fine.output
    told = CliRunner().invoke(main, ["strategy", "check", "hold", "--json"])
    assert '"sound":true' in told.output
    assert CliRunner().invoke(main, ["strategy", "check", "nothing"]).exit_code == 2


def test_looking_at_load_needs_no_compiler_and_no_countrys_holidays():
    code = (
        "import sys, pipeline.run.trading_days; from pipeline.run.strategies import plan_of, strategy_file; "
        "plan_of([strategy_file('opening_range')], [], []); "
        "print([name for name in sys.modules if name.split('.')[0] in ('numba', 'llvmlite', 'holidays')])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
