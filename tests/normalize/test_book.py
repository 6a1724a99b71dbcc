from hypothesis import given
from hypothesis import strategies as st

from pipeline.codes import Side
from pipeline.normalize.book import Best, Book, Level
from pipeline.units import ABSENT

levels = st.builds(Level, st.sampled_from([Side.BUY, Side.SELL]), st.integers(1, 9), st.integers(0, 3))


@given(st.lists(levels, max_size=40))
def test_the_best_is_the_highest_bid_and_the_lowest_ask_with_a_size(changes):
    book, sizes = Book(), {}
    for level in changes:
        book.change([level])
        sizes[level.side, level.price_nano] = level.size_steps
    bids = {price: size for (side, price), size in sizes.items() if side is Side.BUY and size}
    asks = {price: size for (side, price), size in sizes.items() if side is Side.SELL and size}
    bid, ask = max(bids, default=ABSENT), min(asks, default=ABSENT)
    assert book.best() == Best(bid, ask, bids.get(bid, ABSENT), asks.get(ask, ABSENT))


def test_loading_forgets_what_was_there():
    book = Book()
    book.load([Level(Side.BUY, 5, 1), Level(Side.SELL, 6, 1)])
    book.load([Level(Side.BUY, 4, 2)])
    assert book.best() == Best(4, ABSENT, 2, ABSENT)


def test_a_side_forgets_the_places_of_levels_that_came_and_went():
    book = Book()
    book.change([Level(Side.BUY, 1, 1)])
    for price in range(2, 20_000):
        book.change([Level(Side.SELL, price, 1), Level(Side.SELL, price, 0)])
    assert book.best() == Best(1, ABSENT, 1, ABSENT)
    assert len(book.asks._heap) < 5_000
    book.asks.load({7: 3, 9: 1})
    assert book.best() == Best(1, 7, 1, 3)
