"""Lists of symbols: fixed ones, those of each day, and those of moments."""

import pytest
from scan_tape import Tape, at, in_batches, universe_of

from pipeline.errors import ConfigError
from pipeline.hours import Calendar
from pipeline.ports import Scanner
from pipeline.scanner.definition import Stay
from pipeline.scanner.list_lines import line_of, lines_from
from pipeline.scanner.lists import ListScanner
from pipeline.scanner.reading import list_from
from pipeline.scanner_codes import UniverseReason
from pipeline.units import SECOND_NS

LISTED, UNLISTED = UniverseReason.LISTED, UniverseReason.UNLISTED


def test_a_symbol_of_a_fixed_list_comes_in_when_it_is_defined():
    tape = Tape().instrument(at("09:00:00"), 1, "C").instrument(at("09:00:00"), 2, "B").timer(at("09:00:01"))
    tape.instrument(at("09:00:02"), 3, "A")
    for rows in (0, 1, 2):
        scanner: Scanner = ListScanner(list_from('name = "x"\nsymbols = ["A", "B", "Z"]', "mine.toml"))
        made = [block for batch in in_batches(tape.blocks(), rows) for block in scanner.update(batch)]
        assert universe_of(made) == [(2, 2, 0, LISTED), (4, 3, 0, LISTED)]
        assert scanner.get_active_stock_list() == ["A", "B"]


def test_a_dated_list_holds_for_its_day():
    text = "# my picks\n2026-11-04, a\n2026-11-04,B\n2026-11-05,B\n2026-11-05,C\n"
    tape = Tape()
    for id_, symbol in enumerate("ABC", 1):
        tape.instrument(at("09:00:00"), id_, symbol)
    tape.timer(at("09:00:01")).timer(at("00:00:00", "2026-11-05")).timer(at("00:00:00", "2026-11-05") + SECOND_NS)
    tape.timer(at("04:00:00", "2026-11-06"))
    for rows in (0, 1, 3):
        scanner = ListScanner(list_from('name = "x"\nsymbols_file = "picks.csv"', "mine.toml", text))
        made = []
        for batch in in_batches(tape.blocks(), rows):
            made += scanner.update(batch)
            frozen, scanner = scanner.freeze(), ListScanner(scanner.definition)
            scanner.thaw(frozen)
            assert scanner.freeze() == frozen
        assert universe_of(made) == [
            (1, 1, 0, LISTED), (2, 2, 0, LISTED), (5, 1, 1, UNLISTED), (5, 3, 0, LISTED), (7, 2, 1, UNLISTED), (7, 3, 1, UNLISTED),
        ]  # fmt: skip
        assert scanner.get_active_stock_list() == []


def test_a_stay_begins_at_the_first_input_of_its_moment_and_ends_so():
    text = """
    2026-11-04T14:00:00Z..2026-11-04T14:00:02Z,A
    2026-11-04T14:00:01.5Z..2026-11-04T14:00:04Z,A   # longer than the first: no change between them
    2026-11-04T14:00:03Z,B                           # until its day ends in New York
    """
    tape = Tape()
    for id_, symbol in enumerate("ABC", 1):
        tape.instrument(at("08:59:00"), id_, symbol)
    for clock in ("08:59:59", "09:00:00", "09:00:01", "09:00:02", "09:00:03", "09:00:04", "23:59:59"):
        tape.timer(at(clock))
    tape.timer(at("00:00:00", "2026-11-05"))
    for rows in (0, 1, 3):
        scanner = ListScanner(list_from('name = "x"\nsymbols_file = "picks"', "mine.toml", text))
        made = []
        for batch in in_batches(tape.blocks(), rows):
            made += scanner.update(batch)
            frozen, scanner = scanner.freeze(), ListScanner(scanner.definition)
            scanner.thaw(frozen)
        assert universe_of(made) == [(5, 1, 0, LISTED), (8, 2, 0, LISTED), (9, 1, 1, UNLISTED), (11, 2, 1, UNLISTED)]
        assert scanner.get_active_stock_list() == []


def test_what_is_defined_within_its_stay_comes_in_then():
    text = "2026-11-04T14:00:00Z..2026-11-04T14:00:05Z,A"
    tape = Tape().timer(at("09:00:01")).instrument(at("09:00:02"), 1, "A").timer(at("09:00:09"))
    tape.instrument(at("09:00:10"), 2, "A")
    scanner = ListScanner(list_from('name = "x"\nsymbols_file = "picks"', "mine.toml", text))
    assert universe_of(scanner.update(tape.blocks())) == [(2, 1, 0, LISTED), (3, 1, 1, UNLISTED)]


def test_a_line_says_a_stay_to_the_nanosecond():
    stay = Stay("BRKpA", at("09:00:00") + 1, at("10:00:00"))
    assert lines_from(line_of(stay), "picks", Calendar.SHARES).stays == (stay,)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("2026-11-04T14:00:00,A", r"picks: line 1: .*2026-11-04T14:00:00"),
        ("2026-11-04T14:00:00Z..2026-11-04T13:00:00Z,A", "2026-11-04T13:00:00Z is no later"),
        ("2026-11-04 14:00 A", "write SYMBOL, 2026-11-04,SYMBOL or 2026-11-04T13:12:00Z,SYMBOL"),
    ],
)
def test_a_line_that_says_none_is_refused_with_its_number(line, told):
    with pytest.raises(ConfigError, match=told):
        lines_from(line, "picks", Calendar.SHARES)
