"""The hand-over between two real threads."""

import threading

import anyio
import pytest
from jumping import run

from pipeline.codes import FeedAction
from pipeline.feeds.bell import Bell
from pipeline.feeds.facts import Fact
from pipeline.feeds.inbox import Inbox
from pipeline.ports import Message


def message(n, size=10):
    return (1, Message(n, b"x" * size))


def test_everything_that_waits_is_taken_at_once_in_the_order_put_over_all_feeds():
    inbox = Inbox()
    items = [(1, Message(1, b"a")), (2, Fact(2, FeedAction.LOST)), (1, Message(3, b"b"))]
    inbox.put(items[:2], 1)
    inbox.put(items[2:], 1)
    assert inbox.take(0) == items
    assert inbox.take(0) == []
    assert (inbox.peak_count, inbox.peak_bytes) == (3, 2)


def test_a_take_of_nothing_ends_by_its_time_out():
    assert Inbox().take(0.01) == []


def test_who_takes_is_woken_by_who_puts():
    inbox, taken = Inbox(), []
    thread = threading.Thread(target=lambda: taken.extend(inbox.take(30.0)))
    thread.start()
    while not inbox._is_awaited:
        pass
    inbox.put([message(1)], 10)
    thread.join(10)
    assert taken == [message(1)]


def test_who_takes_is_woken_for_something_else_once():
    inbox, taken = Inbox(), []
    thread = threading.Thread(target=lambda: taken.append(inbox.take(30.0)))
    thread.start()
    while not inbox._is_awaited:
        pass
    inbox.wake()
    thread.join(20)
    assert taken == [[]]
    inbox.wake()
    assert inbox.take(30.0) == []  # woken before it waited
    assert inbox.take(0.01) == []


@pytest.mark.parametrize(("count", "size"), [(4, 1), (1, 100), (2, 60)])
def test_full_is_a_number_of_items_or_of_bytes_and_facts_find_room_still(count, size):
    inbox = Inbox(count_max=4, bytes_max=100)
    assert inbox.has_room
    inbox.put([message(n, size) for n in range(count)], count * size)
    assert not inbox.has_room
    inbox.put([(1, Fact(1, FeedAction.LOST))], 0)
    assert len(inbox.take(0)) == count + 1
    assert inbox.has_room


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_who_waits_for_room_is_woken_by_who_takes(backend):
    async def main():
        inbox = Inbox(count_max=1)
        await inbox.room()
        inbox.put([message(1)], 10)
        thread = threading.Timer(0.05, inbox.take, [0])
        thread.start()
        with anyio.fail_after(20):
            await inbox.room()
        thread.join()

    anyio.run(main, backend=backend)


def test_all_who_wait_for_room_are_woken():
    async def main():
        inbox, woken = Inbox(count_max=1), []
        inbox.put([message(1)], 10)

        async def wait(n):
            await inbox.room()
            woken.append(n)

        async with anyio.create_task_group() as tasks:
            for n in range(3):
                tasks.start_soon(wait, n)
            await anyio.sleep(1)
            assert woken == []
            inbox.take(0)
        assert sorted(woken) == [0, 1, 2]

    run(main)


def test_nothing_is_lost_and_nothing_changes_places_between_two_busy_threads():
    total, taken = 200_000, []
    inbox = Inbox(count_max=1_000)

    def take():
        while len(taken) < total:
            taken.extend(item.ts_recv_ns for _, item in inbox.take(0.01))

    async def put():
        thread = threading.Thread(target=take)
        thread.start()
        n = 0
        while n < total:
            await inbox.room()
            batch = [message(n + k) for k in range(min(1 + n % 37, total - n))]
            inbox.put(batch, 10 * len(batch))
            n += len(batch)
        thread.join()

    anyio.run(put)
    assert taken == list(range(total))
    assert inbox.peak_count < 1_000 + 37


def test_a_ring_before_the_wait_is_heard_and_rings_do_not_add_up():
    async def main():
        bell = Bell()
        bell.ring()
        bell.ring()
        await bell.wait()
        with anyio.move_on_after(5) as scope:
            await bell.wait()
        assert scope.cancelled_caught

    run(main)


def test_a_bell_outlives_its_loop():
    bell = Bell()

    async def main():
        with anyio.move_on_after(0.01):
            await bell.wait()

    for backend in ("asyncio", "trio"):
        anyio.run(main, backend=backend)
        bell.ring()
