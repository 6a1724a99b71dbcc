"""Words: strangers' texts stay texts."""

import doctest
import re

from hypothesis import given
from hypothesis import strategies as st

from dashboards import figures, market, words


def test_the_examples_hold():
    assert doctest.testmod(words).failed == 0
    assert doctest.testmod(figures).failed == 0
    assert doctest.testmod(market).failed == 0


@given(st.text())
def test_no_mark_of_markdown_is_left_unescaped(text):
    told = words.plain(text)
    assert not set(re.sub(r"\\.", "", told)) & words._MARKUP
    assert all(each.isprintable() for each in told)
