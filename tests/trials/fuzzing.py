"""Fuzzing: a seed is so many broken messages, drawn and put to a decoder, which decodes or refuses and does nothing else.

Whatever else it raises, a batch of rows that no log could hold, and a decoder that thinks for a minute fail the seed.
"""

import random
import signal
import tempfile
from contextlib import contextmanager
from pathlib import Path

from decoders import DECODERS

PATIENCE_S = 60


class Fuzzing:
    """Fuzzes one decoder. A context manager: some need a folder."""

    def __init__(self, name):
        self.name = name

    def __enter__(self):
        self._folder = tempfile.TemporaryDirectory(prefix="fuzz-")
        self._decoder = DECODERS[self.name](Path(self._folder.name))
        return self

    def __exit__(self, *_):
        self._folder.cleanup()

    def life(self, seed):
        """How many messages were drawn. Raises whatever was wrong, with the message if one alone does it."""
        rng = random.Random(f"{self.name} {seed}")
        messages = [self._decoder.draw(rng) for _ in range(self._decoder.messages)]
        with patient(PATIENCE_S):
            try:
                self._decoder.check(messages)
            except BaseException as error:  # a panic of a decoder in another language is no Exception
                if (culprit := self._alone(messages)) is not None:
                    error.add_note(f"{self.name}: {culprit[:2_000]!r}")
                raise
        return len(messages)

    def _alone(self, messages):
        for message in messages:
            try:
                self._decoder.check([message])
            except BaseException:  # noqa: BLE001 - whatever it was, this is the one
                return message
        return None


@contextmanager
def patient(seconds):
    """Raise TimeoutError in what takes longer; where others use the alarm already, they see to that."""
    if not hasattr(signal, "SIGALRM") or signal.getitimer(signal.ITIMER_REAL)[0]:
        yield
        return

    def ring(*_):
        raise TimeoutError(f"no end after {seconds} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
