"""The jumping clock: time passes at once whenever nobody has anything to do."""

import anyio
from trio.testing import MockClock


def run(test, *args):
    """Run a coroutine function on it."""
    return anyio.run(test, *args, backend="trio", backend_options={"clock": MockClock(autojump_threshold=0)})
