"""Ahead: the same items in the same order, errors in their place, no thread left behind."""

import threading
import time

import pytest

from pipeline.run.ahead import AHEAD_MAX, ahead


def threads():
    return [thread for thread in threading.enumerate() if thread.name == "ahead"]


def test_all_items_come_in_their_order():
    assert list(ahead(iter(range(1_000)))) == list(range(1_000))
    assert not threads()


def test_an_error_is_raised_behind_the_items_before_it():
    def items():
        yield from range(3)
        raise ValueError("row 3")

    seen = []
    with pytest.raises(ValueError, match="row 3"):
        seen.extend(ahead(items()))
    assert not threads()


def test_no_more_is_read_than_the_bound_allows():
    read = []

    def items():
        for item in range(100):
            read.append(item)
            yield item

    stream = ahead(items())
    assert next(stream) == 0
    time.sleep(0.3)
    assert len(read) <= AHEAD_MAX + 2
    stream.close()
    assert not threads()
