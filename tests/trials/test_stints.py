"""Stints of long trials: only what passed is written down, the next one begins behind it, a failure names its seed."""

import io
import os
import signal

import pytest
from stints import live, next_seed, record, stretches


def test_the_next_stint_begins_where_the_last_one_ended(tmp_path):
    ledger, lived = tmp_path / "passed.jsonl", []

    def life(seed):
        lived.append(seed)
        return 3

    for _ in range(2):
        live("a", life, next_seed("a", ledger), 4, again="", ledger=ledger, words=io.StringIO())
    assert lived == list(range(8))
    (found,) = stretches(ledger)
    assert (found["first"], found["count"], found["executions"]) == (0, 8, 24)


def test_what_failed_is_not_written_down_and_its_command_is_told(tmp_path):
    ledger, words = tmp_path / "passed.jsonl", io.StringIO()

    def life(seed):
        if seed == 2:
            raise AssertionError("lost")
        return 1

    with pytest.raises(AssertionError):
        live("a", life, 0, 9, again="just a --first {seed}", ledger=ledger, words=words)
    assert next_seed("a", ledger) == 2
    assert "again: just a --first 2\n" in words.getvalue()


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM])
def test_a_stint_that_is_stopped_keeps_the_seed_it_was_living(tmp_path, by):
    ledger = tmp_path / "passed.jsonl"

    def life(seed):
        if seed == 5:
            os.kill(os.getpid(), by)
        return 1

    stopped = []
    assert live("a", life, 0, 100, again="", ledger=ledger, stopped=stopped, words=io.StringIO()) == 6
    assert stopped
    assert next_seed("a", ledger) == 6


def test_a_hole_between_stretches_is_lived_first(tmp_path):
    ledger = tmp_path / "passed.jsonl"
    for first, count in ((0, 5), (9, 5)):
        record("a", first, count, count, ledger)
    record("b", 5, 4, 4, ledger)
    assert next_seed("a", ledger) == 5
    record("a", 5, 4, 4, ledger)
    assert next_seed("a", ledger) == 14
