"""Chance: the generator against its published answers, the quantile against the standard library's."""

from statistics import NormalDist

import pytest

from pipeline.reports.normal_quantile import normal_quantile
from pipeline.reports.philox import WORD, philox
from pipeline.reports.walk import uniform

KNOWN = [
    ("00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
]
"""Counter, key, answer: lines `philox4x32 10` of Random123's own tests/kat_vectors."""


@pytest.mark.parametrize(("counter", "key", "answer"), KNOWN)
def test_philox_gives_the_published_answers(counter, key, answer):
    words = [int(word, 16) for word in f"{counter} {key}".split()]
    assert philox(*words) == tuple(int(word, 16) for word in answer.split())


def test_every_word_of_chance_is_a_number_between_0_and_1():
    assert 0.0 < uniform(0) < uniform(1) < uniform(WORD) < 1.0


def test_the_normal_quantile_is_the_standard_librarys():
    ours = [normal_quantile(p) for p in (uniform(word) for word in range(0, WORD, WORD // 999))]
    theirs = [NormalDist().inv_cdf(p) for p in (uniform(word) for word in range(0, WORD, WORD // 999))]
    assert ours == pytest.approx(theirs, rel=1e-14, abs=1e-15)
    for p in (1e-300, 1e-20, 2.0**-33, 1e-9, 0.0749, 0.0751, 0.9249, 0.9251, 1 - 1e-9):
        assert normal_quantile(p) == pytest.approx(NormalDist().inv_cdf(p), rel=1e-14)
