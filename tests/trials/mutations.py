"""Mutations: what of a valid message is done to it, drawn from a seeded generator.

Bytes are flipped, cut, doubled and stuffed; of JSON and TOML also whole words are taken out, doubled, exchanged and
replaced by what a stranger might write there; of packed numbers the bytes are overwritten by the ends of their ranges.
"""

import re

WORD = re.compile(rb'"(?:[^"\\]|\\.)*"|[^\s"{}\[\],:=]+|.', re.DOTALL)

STRANGE = [
    *(b"null", b"true", b"false", b"{}", b"[]", b"[[]]", b"[null]", b'""', b'"', b"{", b"}", b"[", b"]", b",", b":"),
    *(
        b"0",
        b"-0",
        b"-1",
        b"1",
        b"-0.0",
        b"0.1",
        b"1e400",
        b"-1e400",
        b"1e-400",
        b"NaN",
        b"Infinity",
        b"0x10",
        b"1_000",
    ),
    *(
        b"9223372036854775807",
        b"-9223372036854775808",
        b"18446744073709551616",
        b"9" * 400,
        b"1e16",
        b"9007199254740993",
    ),
    *(b"0.1234567891234567891", b"9223372036.854775807", b"4294967296", b"65536", b"1788877046784", b"1e9"),
    *(
        b'"0"',
        b'"-1"',
        b'"1e400"',
        b'"nan"',
        b'"inf"',
        b'"1_0"',
        b'"\\u0000"',
        b'"\\ud800"',
        b'"\xff"',
        b"\xff\xfe",
        b"\x00",
    ),
    *(b'"9999-12-31T23:59:59Z"', b'"0001-01-01T00:00:00Z"', b'"2026-02-30T25:61:00Z"', b'"2021-02-22T15:51:44.208Z"'),
    *(b'"2026-11-20"', b'"' + b"A" * 300 + b'"', b"[" * 300, b'{"a":' * 300, "\u0663".encode(), "\u202e".encode()),
    *(b'"../../x"', b'"=1+1"', b"18446744073709551615", b"253402300800", b"1e18"),
    *(b"0e999999999", b'"0e999999999"', b"1e-99999999", b'"1e-99999999"', b"1e-05"),
]

ENDS = [
    number.to_bytes(size, order, signed=number < 0)
    for size in (1, 2, 4, 8)
    for order in ("little", "big")
    for number in (0, 1, 2 ** (8 * size) - 1, 2 ** (8 * size - 1) - 1, -(2 ** (8 * size - 1)), 2 ** (8 * size - 2))
]


class Texts:
    """Mutations of messages that are text."""

    def __init__(self, samples, words=()):
        self._samples = [WORD.findall(sample) for sample in samples]
        self._others = sorted({word for sample in self._samples for word in sample if len(word) > 1})
        self._strange = [*STRANGE, *words]

    def draw(self, rng):
        """A valid message with one to four things done to it."""
        words = list(rng.choice(self._samples))
        for _ in range(rng.randrange(1, 4)):
            self._change(words, rng)
        payload = b"".join(words)
        return damaged(payload, rng, 1) if rng.random() < 0.25 else payload

    def _change(self, words, rng):
        at, other = (int(rng.random() * len(words)) for _ in range(2)) if words else (0, 0)
        match rng.randrange(8):
            case 0 | 1 | 2:
                words[at : at + 1] = [rng.choice(self._strange)]
            case 3:
                words[at : at + 1] = [rng.choice(self._others)]
            case 4:
                del words[at : at + rng.randrange(1, 6)]
            case 5:
                words[at:at] = words[other : other + rng.randrange(1, 12)]
            case 6 if words:
                words[at], words[other] = words[other], words[at]
            case _:
                theirs = rng.choice(self._samples)
                place = int(rng.random() * len(theirs))
                words[at : at + 1] = theirs[place : place + rng.randrange(1, 9)]


class Bytes:
    """Mutations of messages that are packed."""

    def __init__(self, samples):
        self._samples = samples

    def draw(self, rng):
        """A valid message with one to three things done to it."""
        return damaged(rng.choice(self._samples), rng, rng.randrange(1, 4), self._samples)


def damaged(payload, rng, times, others=()):
    """So many things done to bytes; at one time in eight the end of another one is put behind them."""
    found = bytearray(payload)
    for _ in range(times):
        at, other = (int(rng.random() * len(found)) for _ in range(2)) if found else (0, 0)
        match rng.randrange(8):
            case 0 | 1 if found:
                found[at] ^= 1 << rng.randrange(8)
            case 2 if found:
                found[at] = rng.randrange(256)
            case 3 if others:
                end = rng.choice(ENDS)
                at -= at % len(end)
                found[at : at + len(end)] = end
            case 4:
                del found[at : at + rng.randrange(1, 20)]
            case 5:
                found[at:at] = found[other : other + rng.randrange(1, 40)]
            case 6:
                found[at:at] = rng.choice(STRANGE)
            case _ if others:
                theirs = rng.choice(others)
                found[at:] = theirs[int(rng.random() * len(theirs)) :]
            case _:
                del found[at:]
    return bytes(found)
