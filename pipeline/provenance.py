"""Provenance: which kinds are inputs and which are derived, by the way a log came to be.

The table of the design, as data: the sequencer, verify and the tests read it, nobody repeats it.
"""

from enum import Enum
from typing import Final

from pipeline.codes import Kind


class Mode(Enum):
    """How a log came to be."""

    LIVE = "live"
    """Recorded from live feeds, orders at a real broker."""
    PAPER = "paper"
    """Recorded from live feeds, orders simulated."""
    IMPORT = "import"
    """Built from files."""
    VERIFY = "verify"
    """A recording folded again with its own code."""
    REPLAY = "replay"
    """A recording folded with today's code."""


class Role(Enum):
    """What a kind is in a mode."""

    INPUT = "I"
    DERIVED = "D"


def _row(live: str, paper: str, import_: str, verify: str, replay: str) -> dict[Mode, Role]:
    return {mode: Role(role) for mode, role in zip(Mode, (live, paper, import_, verify, replay), strict=True)}


_ALWAYS_INPUT: Final = _row("I", "I", "I", "I", "I")
_ALWAYS_DERIVED: Final = _row("D", "D", "D", "D", "D")

ROLE: Final[dict[Kind, dict[Mode, Role]]] = {
    Kind.INSTRUMENT: _ALWAYS_INPUT,
    Kind.QUOTE: _ALWAYS_INPUT,
    Kind.PRINT: _ALWAYS_INPUT,
    Kind.BAR: _ALWAYS_INPUT,
    Kind.STATUS: _ALWAYS_INPUT,
    Kind.FEED: _ALWAYS_INPUT,
    Kind.RAW: _ALWAYS_INPUT,
    Kind.SESSION: _ALWAYS_INPUT,
    Kind.TIMER: _ALWAYS_INPUT,
    Kind.NOTE: _ALWAYS_INPUT,
    Kind.ACCOUNT: _ALWAYS_INPUT,
    Kind.REQUEST: _ALWAYS_INPUT,
    Kind.REFERENCE: _ALWAYS_INPUT,
    Kind.SNAPSHOT: _ALWAYS_INPUT,
    Kind.CANDIDATE: _ALWAYS_DERIVED,
    Kind.UNIVERSE: _ALWAYS_DERIVED,
    Kind.INDICATOR: _ALWAYS_DERIVED,
    Kind.TRANSITION: _ALWAYS_DERIVED,
    Kind.INTENT: _ALWAYS_DERIVED,
    Kind.RISK: _ALWAYS_DERIVED,
    Kind.ORDER: _ALWAYS_DERIVED,
    Kind.FILL: _ALWAYS_DERIVED,
    Kind.POSITION: _ALWAYS_DERIVED,
    Kind.MESSAGE: _ALWAYS_DERIVED,
    Kind.CHECKPOINT: _ALWAYS_DERIVED,
}

BOTH: Final[dict[Kind, dict[Mode, Role]]] = {
    Kind.BAR: _ALWAYS_DERIVED,
    Kind.ORDER: _row("I", "D", "D", "I", "D"),
    Kind.FILL: _row("I", "D", "D", "I", "D"),
    Kind.SESSION: _ALWAYS_DERIVED,
}
"""Kinds that come in two sorts; this is the second: bars aggregated here, a strategy's STOPPED, acknowledgements
and fills of a real broker. The header's `origin` says which one a row is."""


def may_be(kind: Kind, role: Role, mode: Mode) -> bool:
    """Whether rows of this kind may have this role in this mode."""
    return role in (ROLE[kind][mode], BOTH.get(kind, ROLE[kind])[mode])
