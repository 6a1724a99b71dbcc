"""Errors, the whole tree: whose fault it was decides the branch.

    TapeError                 anything this project raises on purpose; the command prints its text as one line
      OperatorError           the person at the keyboard can mend it: settings, arguments, names
        ConfigError           a setting: file, key, what is accepted
        NotFoundError         no such session, run, strategy, symbol
        StrategyError         a strategy file that is not in the dialect: file and line
      TheirsError             somebody else's bytes
        FeedError             a vendor's message or file: file, position, reason
        UnitError             a number that is not exactly what its unit can hold
        VenueError            a broker's answer
        FarError              what an object store, or the way to it, said
      LogError                the event log
        TornError             a frame cut short with nothing valid after it: the tail of a crash
        CorruptError          damage with valid data after it, or below what was known durable
        LockedError           another writer holds the log
        PoisonedError         an earlier write or sync failed: this writer writes no more
        SchemaError           a schema this version does not know

Our own bugs are assertions. Refused, expired and partial are events, not errors.
"""

from pathlib import Path


class TapeError(Exception):
    """Anything this project raises on purpose; `str()` is one clear line."""


class OperatorError(TapeError):
    """The person at the keyboard can mend it."""


class ConfigError(OperatorError):
    """A setting is wrong; the text names file, key and what is accepted."""


class NotFoundError(OperatorError):
    """A name that names nothing; the text lists what there is."""


class StrategyError(OperatorError):
    """A strategy that can't be loaded; the text names file and line."""


class TheirsError(TapeError):
    """Somebody else's bytes broke their own rules."""


class FeedError(TheirsError):
    """A vendor's message or file can't be read.

    `path` names the file or feed, `position` the row, line or byte at which it was refused.
    """

    def __init__(self, path: str | Path, position: int | str, reason: str) -> None:
        super().__init__(f"{path}: {position}: {reason}")
        self.path = str(path)
        self.position = position
        self.reason = reason


class UnitError(TheirsError):
    """A number that its unit can't hold exactly."""


class VenueError(TheirsError):
    """A broker's answer that breaks its own protocol."""


class FarError(TheirsError):
    """A store beyond this machine did not do what was asked; the text begins with the object's address."""


class LogError(TapeError):
    """The event log can't do what was asked."""


class TornError(LogError):
    """A frame cut short, nothing valid after it. `valid_end` is the byte up to which the file is good."""

    def __init__(self, path: str | Path, valid_end: int, reason: str) -> None:
        super().__init__(f"{path}: torn at byte {valid_end}: {reason}")
        self.path = str(path)
        self.valid_end = valid_end
        self.reason = reason


class CorruptError(LogError):
    """Damage that no crash explains. `valid_end` is the byte up to which the file is good."""

    def __init__(self, path: str | Path, valid_end: int, reason: str) -> None:
        super().__init__(f"{path}: damaged at byte {valid_end}: {reason}")
        self.path = str(path)
        self.valid_end = valid_end
        self.reason = reason


class LockedError(LogError):
    """Another writer holds the log; the text names its process id."""


class PoisonedError(LogError):
    """A write or a sync failed before: this writer writes no more, restart it through recovery."""


class SchemaError(LogError):
    """A layout version this code does not know."""
