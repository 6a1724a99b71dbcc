"""Every command that a page shows is run, in the page's order, over what `tape demo` leaves behind."""

import re

import pytest
from desk import Desk
from page_commands import HELP, Command, chapters, words_of
from readers_files import lay_out

from pipeline.log.store import Store
from warehouse import connect

CHAPTERS = chapters()
EVERY = [command for found in CHAPTERS.values() for command in found]
SHOWN = {tuple(words_of(each.text)) for each in EVERY if each.page != HELP}

NOT_RUN = {
    r"^tape demo$": "run once: it made the store in which the others are run",
    r"^pip install": "installs packages; what it begins then is the demo, and these tests",
    r"^source ": "the environment in which these tests run is one already",
    r"^just matrix": "installs packages, an environment for each Python",
    r" --schedule ": "waits for tomorrow morning; tests/run/test_schedule.py lets clocks jump",
    r" >> data/record.log": "a line of cron's, for the real vendor's day",
    r"^tape (record|import) .*\.\.\.": "a form with dots in it, not a command",
    r"^tape import FILES --resume": "needs an import that was killed, as in tests/run/test_sealing.py",
    r"^ray start": "makes a cluster of several machines; tests/run/test_on_ray.py has one of two nodes",
    r" --engine ray ": "needs a cluster to join; tests/run/test_on_ray.py has one of two nodes",
}
"""Which commands are not run, and why. Their words are held against the command they name all the same."""

EXIT_CODES = {
    r"^tape parity (?!last-run)": 1,
    r"^tape diff ": 1,
    r"^tape warmup-check": 1,
}
"""Of commands that find something, which is 1 (README, "Exit codes"; docs/checks.md says of one that it should)."""

CUT_SHORT = (
    (r"--trials 200", "--trials 4"),
    (r"(--param slow=60..300) (--out-of-sample)", r"\1 --trials 4 \2"),
    (r"--in-sample 20 --out-of-sample 5", "--in-sample 1 --out-of-sample 1"),
    (r"fast=(5:50:5|20:100:20)", "fast=5,20"),
    (r"slow=(60:200:20|60,120,200|200,400,800)", "slow=60,200"),
    (r"rise_pct=0.5:3:0.5", "rise_pct=0.5,1"),
    (r"--batch 7$", "--batch 700"),
    (r"--cuts 500", "--cuts 5"),
    (r"--real-money", ""),
    (r"--port \d+", "--port 0"),
    (r"^tape demo (--quick)", r"tape --home another demo --quotes 1000 \1"),
)
"""The same command over less, at any port, beside the store and not in it; a broker on this machine takes no real money."""

LONG = {f"{HELP} tape {name}" for name in ("demo", "optimize", "record", "report", "scan", "verify")}
"""Helps whose examples differ little from those of pages, and take seconds each: `just soak` runs them."""

REPLAYED = "tape replay generated-7 --strategy ema_cross --param notional=2000"
BEFORE = {
    "fetching.md": ("tape import picks.csv --as candidates",),
    "reference.md": ("tape import picks.csv --as candidates",),
    "sql.md": (REPLAYED,),
    "commands.md tape diff": (REPLAYED,),
    "commands.md tape state": (REPLAYED,),
    "commands.md tape parity": (
        REPLAYED,
        "tape import day.dbn.zst --name final",
        "tape replay final --strategy ema_cross",
    ),
    "troubleshooting.md": ('tape accounts set paper "begun" --cash 100000',),
}
"""What a page's reader has done before."""


def decided(desk):
    """The place of a decision of `last`."""
    ((seq, ord_),) = (
        connect(desk.folder / "data")
        .sql("select seq, ord from transitions where run is null order by all limit 1")
        .fetchall()
    )
    return f"{seq},{ord_}"


def mounted(desk):
    """A folder that is there."""
    (desk.folder / "archive").mkdir()
    return f"file://{desk.folder}/archive"


def kept_raw(desk):
    """The session that kept its messages."""
    return f"renormalize {next(each.id for each in Store(desk.folder / 'data').sessions() if each.kinds.get('raw'))}"


def newest_backtest(desk):
    return max((desk.folder / "data" / "backtests").iterdir(), key=lambda path: path.stat().st_mtime).name


@pytest.fixture
def stand_ins(bucket, history, provider):
    """What a reader has, and what is there instead."""
    return (
        *CUT_SHORT,
        (r"s3://bucket/tape", f"'{bucket}'"),
        (r"^tape fetch", f"tape fetch --url {history}"),
        (r"^tape reference fetch", f"tape reference fetch --url {provider}"),
        (r"file:///mnt/archive", mounted),
        (r"renormalize last", kept_raw),
        (r"SEQ,ORD", decided),
        (r"BACKTEST", newest_backtest),
        (r"RUN_A", "r-ema_cross-generated-7"),
        (r"RUN_B", "r-ema_cross-generated-7-2"),
    )


def matching(table, command):
    return next((value for pattern, value in table.items() if re.search(pattern, command.text)), None)


def is_first_shown(command):
    """Whether nobody else shows it: help texts repeat what stands on pages."""
    return command.page != HELP or tuple(words_of(command.text)) not in SHOWN


@pytest.mark.parametrize(
    "chapter", [pytest.param(each, marks=[pytest.mark.soak] * (each in LONG)) for each in CHAPTERS]
)
def test_the_commands_of_a_page_run(chapter, demo, stand_ins, markets, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TAPE_HOME", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    lay_out(tmp_path)
    desk, ended = Desk(tmp_path, demo.home, stand_ins, markets), []
    try:
        for text in BEFORE.get(chapter, ()):
            ended += desk.run(Command(f"before {chapter}", 0, text), text)
        for command in filter(is_first_shown, CHAPTERS[chapter]):
            if matching(NOT_RUN, command) is None:
                ended += desk.run(command, command.text)
    finally:
        ended += desk.close()
    failed = [
        f"{command}\nexited with {code}, not {expected}:\n{printed}"
        for command, printed, code in ended
        if code != (expected := matching(EXIT_CODES, command) or 0)
    ]
    assert not failed, "\n\n".join(failed)


@pytest.mark.parametrize("pattern", [*NOT_RUN, *EXIT_CODES, *(pattern for pattern, _ in CUT_SHORT)])
def test_every_exception_is_of_a_command_that_is_shown(pattern):
    assert any(re.search(pattern, command.text) for command in EVERY)
    assert CHAPTERS.keys() >= BEFORE.keys() | LONG
