import pytest

from pipeline.codes import FeedAction as Do
from pipeline.feeds.facts import Fact, feed_block
from pipeline.run.missing import Since, missing_in

LAST = 1_000


def opened(from_ns, channel="", text=""):
    return Fact(500, Do.GAP_OPENED, channel, from_ns, text=text)


def closed(channel="", text=""):
    return Fact(600, Do.GAP_CLOSED, channel, text=text)


FILLED = Fact(700, Do.BACKFILLED, "quotes")
LOST = Fact(450, Do.LOST)


def since(*facts, source=1):
    block = feed_block(facts)
    return missing_in([[block.with_columns(source=[source] * len(facts))]], 2, LAST)


@pytest.mark.parametrize(
    ("facts", "missing_ns", "unfilled_ns"),
    [
        ([LOST], LAST, LAST),
        ([opened(400)], 400, 400),  # it was never heard again
        ([opened(400), closed()], LAST, 400),  # it flowed again, and ended before history was there
        ([opened(400), FILLED], 400, 400),  # of an earlier hole
        ([opened(400), closed(), FILLED], LAST, LAST),
        ([opened(400), closed(), opened(650)], 400, 400),
        ([opened(400), closed(), FILLED, opened(800)], 800, 800),
        ([opened(400), closed(), opened(398, "prints", "A: no history: HTTP status 500"), FILLED], LAST, 398),
        (
            [
                *(opened(400), closed(), opened(398, "prints", "A: no history: x"), FILLED),
                closed("prints", "A"),
            ],
            LAST,
            LAST,
        ),
        ([opened(700, "prints", "A B: no longer sent by the vendor")], LAST, 700),
        ([opened(700, "prints", "A B: no longer sent by the vendor"), closed("prints", "B")], LAST, 700),
        ([opened(700, "prints", "A B: no longer sent by the vendor"), closed("prints", "A B")], LAST, LAST),
        ([opened(400, "level2", "a number is missing")], LAST, LAST),  # a book's own hole, mended on its connection
    ],
)
def test_a_hole_stays_until_it_is_closed_and_filled(facts, missing_ns, unfilled_ns):
    assert since(*facts) == [Since(missing_ns, unfilled_ns), Since(LAST, LAST)]


def test_each_feed_has_its_own_holes():
    assert since(opened(400), source=2) == [Since(LAST, LAST), Since(400, 400)]
    assert missing_in([], 1, LAST) == [Since(LAST, LAST)]
