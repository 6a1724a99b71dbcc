"""Rules: the dialect's, by name, and what breaks one. docs/dialect.md has each with its reason and an example.

Rules of two sorts. What would make a strategy decide differently the second time (a clock, chance, the world outside, hash
order, memory outside of its State, the engine's rows), move without a trace, or fail at its first input, is refused when it is loaded, at either speed. What only has no meaning in compiled
code runs interpreted, and the replay says why.
"""

from typing import Final

import msgspec


class Rule(msgspec.Struct, frozen=True):
    """What stands in place of what it forbids, and whether it is kept at load or only for the sake of speed."""

    accepted: str
    is_kept_at_load: bool


RULES: Final = {
    "clock": Rule("ctx.now_ns, ctx.time_of_day_ns, ctx.exchange_time_of_day_ns and the times of events", True),
    "chance": Rule("parameters: what is drawn anew can't be replayed", True),
    "outside": Rule("what is in the log: events, parameters, constants of the file", True),
    "order": Rule("counted loops over fixed arrays, tuples; a set only behind `in`", True),
    "memory": Rule("members of the State, or of the shared one", True),
    "context": Rule("verbs; members of the State and of ctx.shared are set, all else of ctx is read", True),
    "phase": Rule("go(s, ctx, Phase.X, reason), which also writes the transition", True),
    "member": Rule(
        "members that State, Params, event and ctx have: a misspelt one fails the first time it is met", True
    ),
    "value": Rule("numbers, enum members, rows of the State, named tuples, fixed arrays", False),
    "form": Rule("assignments, if, for over a range, while, return, assert, raise, functions of the module", False),
    "unbound": Rule("names that have a value on every way to where they are read", False),
    "size": Rule("integers of 64 bits", False),
    "call": Rule(
        "functions by name or their module's: yours, the core's, indicators', of math and builtins those listed", False
    ),
    "power": Rule("ipow(x, n) of pipeline.core.dialect, or a product", False),
    "name": Rule("locals, numbers and enum members of a module, functions", False),
    "argument": Rule("plain arguments; keyword-only ones without a default where no other has one", False),
    "type": Rule("one type for each name; an int member takes an int, a float member a float: 0.0, float(x)", False),
}


class Breach(msgspec.Struct, frozen=True, order=True):
    """A place that breaks a rule."""

    file: str
    line: int
    rule: str
    what: str

    @property
    def accepted(self) -> str:
        """What the rule accepts."""
        return RULES[self.rule].accepted

    def __str__(self) -> str:
        return f"{self.file}: line {self.line}: {self.what} ({self.rule}); accepted: {self.accepted}"
