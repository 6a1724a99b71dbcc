"""Lists of symbols: fixed ones, and those of each day."""

from scan_tape import Tape, at, in_batches, universe_of

from pipeline.ports import Scanner
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
