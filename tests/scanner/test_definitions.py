"""Definitions: what may stand in one, what its defaults are, and how what is wrong is told."""

from pathlib import Path

import pytest
from scan_tape import toml, wants

from pipeline.codes import AssetClass
from pipeline.errors import ConfigError
from pipeline.hours import Calendar
from pipeline.run.scanners import load_scanner
from pipeline.scanner.fields import FIELDS
from pipeline.scanner.fold import FieldScanner
from pipeline.scanner.reading import definition_from, list_from

PRESETS = sorted((Path(__file__).resolve().parents[2] / "scanners").glob("*.toml"))
LAST = wants("last", ">", 1)


def read(text):
    return definition_from(text, "mine.toml", FIELDS)


def test_a_name_is_enough():
    made = read('name = "mine"')
    assert (made.limit, made.retention_s, made.cool_down_s, made.subscriptions_max, made.full_table_every_s) == (
        20,
        0,
        0,
        100,
        900,
    )
    assert made.asset_classes == (AssetClass.EQUITY,)
    assert made.fields == ("last", "volume")
    schedule = made.schedule
    assert (schedule.every_s, schedule.from_minute, schedule.until_minute, schedule.days) == (
        5,
        240,
        570,
        (0, 1, 2, 3, 4),
    )
    assert (schedule.calendar, schedule.drops_at_end) == (Calendar.SHARES, False)
    assert made.near_miss == type(made.near_miss)(1, 25.0, 10)


def test_what_never_closes_is_looked_at_all_day_and_every_day():
    schedule = read('name = "mine"\n[schedule]\ncalendar = "24/7"').schedule
    assert (schedule.from_minute, schedule.until_minute, schedule.days) == (0, 0, (0, 1, 2, 3, 4, 5, 6))
    assert schedule.window.is_open(0)


def test_fields_are_counted_once_shown_ones_first():
    made = read(toml(show=["volume", "bid", "volume"], filters=[LAST, wants("bid", "<", 3)], rank=["gap_pct"]))
    assert made.fields == ("volume", "bid", "last", "gap_pct")


@pytest.mark.parametrize("digits", [400, 5_000])
def test_an_integer_without_end_is_refused(digits):
    with pytest.raises(ConfigError, match=r"^mine\.toml: "):
        read(f'name = "mine"\n[[filters]]\nfield = "last"\nop = ">"\nthreshold = {"9" * digits}\n')
    with pytest.raises(ConfigError, match=r"^mine\.toml: "):
        read(f'name = "mine"\nlimit = {"[" * digits * 20}')


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('nmae = "x"', "nmae: there is no such key; did you mean name?"),
        ("limit = 3", "name: is missing; accepted is a text"),
        ('name = "x"\nlimit = 0', "limit: 0: accepted is an integer from 1 to 1000"),
        ('name = "x"\nlimit = 2.5', "limit: 2.5: accepted is an integer from 1 to 1000"),
        ('name = "x"\nlimit = true', "limit: True: accepted is an integer"),
        ('name = "x"\nshow = "last"', "show: 'last': accepted is a list of texts"),
        ('name = "x"\nshow = ["lst"]', "show[1]: 'lst' is no field; did you mean last?"),
        ('name = "x"\nasset_classes = ["stock"]', "asset_classes: 'stock': accepted are other, equity"),
        ('name = "x"\n[schedule]\nevery = 5', "schedule.every: there is no such key; did you mean every_s?"),
        ('name = "x"\n[schedule]\nfrom = "9:30"', "schedule.from: '9:30': accepted is a time like \"09:30\""),
        ('name = "x"\n[schedule]\ndays = ["monday"]', "schedule.days: 'monday': accepted are mon, tue"),
        ('name = "x"\nschedule = 5', "schedule: accepted is a table"),
        ('name = "x"\n[measures]\nrvol_cap = 0', "measures.rvol_cap: 0: accepted is a number from 1 to"),
        ('name = "x"\n[near_miss]\nwithin_pct = nan', "near_miss.within_pct: nan: accepted is a number"),
        ('name = "x"\n[filters]\nfield = "last"', "filters: accepted are tables: [[filters]]"),
        ('name = "x"\n[[filter]]\nfield = "last"', "filter: there is no such key; did you mean filters?"),
        ('name = "x"\nlimit = x', "mine.toml: Invalid value (at line 2"),
        (toml(filters=[{"field": "last", "op": ">"}]), "filters[1]: threshold: is missing"),
        (toml(filters=[wants("last", "=>", 1)]), "filters[1]: op: '=>': accepted are > >= < <= == !=, in, not in"),
        (toml(filters=[LAST, wants("gap", ">", 1)]), "filters[2]: field: 'gap' is no field; did you mean gap_pct?"),
        (toml(filters=[wants("last", ">", "x")]), "filters[1]: threshold: 'x': accepted is a number, true or false"),
        (toml(filters=[wants("last", ">", 5, keep=6)]), "filters[1]: keep: 6 is harder to meet than the threshold, 5"),
        (toml(filters=[wants("last", "<", 5, keep=4)]), "filters[1]: keep: 4 is harder to meet than the threshold, 5"),
        (toml(filters=[wants("last", "in", ["A"])]), "filters[1]: op: 'in': for last accepted are > >="),
        (toml(filters=[wants("sector", "==", 1)]), "filters[1]: op: '==': for sector accepted are in and not in"),
        (toml(filters=[wants("sector", "in", "Energy")]), "filters[1]: threshold: 'Energy': accepted is a list of texts"),
        (toml(filters=[wants("last", ">", 1, absent="maybe")]), "filters[1]: absent: 'maybe': accepted are fail, pass"),
        (toml(rank=["sector"]), "rank[1]: field: sector is text: there is no order in it"),
        (toml(filters=[LAST] * 61), "filters: there are 61 of them; accepted are up to 60"),
        (toml(asset_classes=["crypto"], filters=[wants("float", "<", 1e7)]), "crypto has no float; instruments that do are equity"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_file_key_and_what_is_accepted(text, told):
    with pytest.raises(ConfigError) as caught:
        read(text)
    assert str(caught.value).startswith("mine.toml: ")
    assert told in str(caught.value)


def test_a_flag_may_be_written_as_one():
    assert read(toml(filters=[wants("halted", "==", False)])).filters[0].threshold == 0.0


def test_the_hash_is_of_the_text_and_of_ones_own_fields():
    one, other = read('name = "x"'), read('name = "x" ')
    own = definition_from('name = "x"', "mine.toml", FIELDS, own_text="FIELDS = ()")
    assert len({one.hash, other.hash, own.hash, read('name = "x"').hash}) == 3


@pytest.mark.parametrize("path", PRESETS, ids=lambda path: path.stem)
def test_a_preset_can_be_read_and_is_named_after_its_file(path):
    scanner = load_scanner(path)
    assert isinstance(scanner, FieldScanner)
    assert scanner.definition.name == path.stem
    assert scanner.definition.filters
    assert scanner.definition.rank


@pytest.mark.parametrize(
    ("text", "listed", "told"),
    [
        ('name = "x"\nsymbols = ["A"]\nlimit = 3', "", "limit: a list of symbols has name, symbols or symbols_file"),
        ('name = "x"\nsymbols_file = "s"', "# nothing", "symbols: the list is empty"),
        (
            'name = "x"\nsymbols_file = "s"',
            "A\nB C",
            "s: line 2: 'B C': write SYMBOL, 2026-11-04,SYMBOL or 2026-11-04T13:12:00Z,SYMBOL",
        ),
        ('name = "x"\nsymbols_file = "s"', "2026-13-04,A", "s: line 1: month must be in 1..12"),
    ],
)
def test_what_is_wrong_in_a_list_is_told(text, listed, told):
    with pytest.raises(ConfigError, match=r"mine\.toml: ") as caught:
        list_from(text, "mine.toml", listed)
    assert told in str(caught.value)
