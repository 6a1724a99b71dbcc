"""Behind: everything is used, in order; errors come back, no thread is left."""

import threading

import pytest

from pipeline.run.behind import BEHIND_MAX, behind


def threads():
    return [thread for thread in threading.enumerate() if thread.name == "behind"]


def test_all_is_used_in_its_order_when_the_block_ends():
    used = []
    with behind(used.append) as put:
        for item in range(1_000):
            put(item)
    assert used == list(range(1_000))
    assert not threads()


def test_an_error_ends_the_making_and_nothing_more_is_used():
    used = []

    def use(item):
        used.append(item)
        if item == 3:
            raise ValueError("row 3")

    made = []
    with pytest.raises(ValueError, match="row 3"), behind(use) as put:
        for item in range(1_000):
            put(item)
            made.append(item)
    assert used == [0, 1, 2, 3]
    assert len(made) <= 4 + BEHIND_MAX + 1
    assert not threads()


def test_an_error_of_the_last_one_is_raised_at_the_end():
    def use(_):
        raise ValueError("the last")

    with pytest.raises(ValueError, match="the last"), behind(use) as put:
        put(1)


def test_what_waits_is_given_up_when_the_making_fails():
    used = []
    is_free = threading.Event()

    def use(item):
        is_free.wait()
        used.append(item)

    with pytest.raises(ZeroDivisionError), behind(use) as put:
        put(1)
        put(2)
        threading.Timer(0.05, is_free.set).start()
        raise ZeroDivisionError
    assert used in ([], [1])
    assert not threads()


def test_no_more_waits_than_the_bound_allows():
    is_free = threading.Event()
    with behind(lambda _: is_free.wait()) as put:
        waiting = threading.Thread(target=lambda: [put(item) for item in range(BEHIND_MAX + 10)])
        waiting.start()
        waiting.join(0.1)
        assert waiting.is_alive()
        is_free.set()
        waiting.join()
