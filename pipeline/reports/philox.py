"""Philox: chance as a function of a counter, so that any draw of any path can be made by anybody, in any order.

Philox 4x32-10 of Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC11 (2011), section 3.3:
ten rounds turn a counter of four words under a key of two into four words that pass all of TestU01's BigCrush. The same
lines run interpreted and compiled: a product of two words fits 64 bits, and what is above is taken off before it counts.
"""

from typing import Final

WORD: Final = 0xFFFFFFFF
"""All bits of a word of 32."""

ROUNDS: Final = 10
_MULTIPLIER_0: Final = 0xD2511F53
_MULTIPLIER_1: Final = 0xCD9E8D57
_GOLDEN: Final = 0x9E3779B9
"""The golden ratio's fraction in 32 bits, by which the first word of the key moves on (table 2 there, as all four)."""

_ROOT_3: Final = 0xBB67AE85
"""The fraction of the square root of 3, by which the second does."""


def philox(a: int, b: int, c: int, d: int, key: int, other_key: int) -> tuple[int, int, int, int]:
    """Four words of chance at a counter of four words, under a key of two; all from 0 to WORD.

    >>> ["%08x" % word for word in philox(0, 0, 0, 0, 0, 0)]
    ['6627e8d5', 'e169c58d', 'bc57ac4c', '9b00dbd8']
    """
    for _ in range(ROUNDS):
        left, right = _MULTIPLIER_0 * a, _MULTIPLIER_1 * c
        a, b, c, d = ((right >> 32) & WORD) ^ b ^ key, right & WORD, ((left >> 32) & WORD) ^ d ^ other_key, left & WORD
        key, other_key = (key + _GOLDEN) & WORD, (other_key + _ROOT_3) & WORD
    return a, b, c, d
