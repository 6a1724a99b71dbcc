"""A strategy is a value: a name, parameters, a State, handlers, and the enums that give its numbers their words."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from types import FunctionType, NoneType
from typing import Any, Final, Self

from pipeline.codes import BarBasis, BarUnit, MessageLevel
from pipeline.core import market
from pipeline.core.context import Context
from pipeline.core.params import capacities_of
from pipeline.core.record import Record, record_of
from pipeline.core.warm_up import WarmUp, warm_up_of
from pipeline.errors import StrategyError, UnitError
from pipeline.timeframes import Timeframe, timeframe_of

HANDLERS: Final = (
    "on_start",
    "on_bar",
    "on_quote",
    "on_print",
    "on_status",
    "on_order",
    "on_fill",
    "on_timer",
    "on_feed",
)


@dataclass(frozen=True, slots=True)
class Bars:
    """The bars a strategy wants, made from prints or from the middle of quotes, which have no volume.

    `size` is a word: 5s, 1m, 65m@session, 500t, 10000v, 1M$, 0.05r (docs/bars.md).

    Where a vendor sends bars of this length by time for an instrument, those come instead, from the first one on.
    Revisions of bars that were closed before are only delivered when asked for.

    Raises StrategyError when the word names no timeframe.
    """

    size: str
    basis: BarBasis = BarBasis.PRINTS
    revisions: bool = False

    def __post_init__(self) -> None:
        try:
            unit = self.timeframe.unit
        except UnitError as error:
            raise StrategyError(str(error)) from None
        if self.basis not in (BarBasis.PRINTS, BarBasis.QUOTES):
            raise StrategyError(f"bars {self.size!r}: accepted as basis are PRINTS and QUOTES")
        if self.basis == BarBasis.QUOTES and unit in (BarUnit.VOLUME, BarUnit.DOLLARS):
            raise StrategyError(f"bars {self.size!r}: quotes have no volume; accepted are bars by time, ticks or range")

    @property
    def timeframe(self) -> Timeframe:
        """What its word names."""
        return timeframe_of(self.size)


class Messages(IntEnum):
    """Base of a strategy's messages: `NAME = code, "template with {a} {b} {c}"`, and a level when it is not INFO."""

    template: str
    level: MessageLevel

    def __new__(cls, code: int, template: str, level: MessageLevel = MessageLevel.INFO) -> Self:
        """A member that is the code, with its words beside it."""
        member = int.__new__(cls, code)
        member._value_ = code
        member.template = template
        member.level = level
        return member


@dataclass(frozen=True, slots=True)
class Strategy:
    """One hypothesis. Handlers are plain functions `(s, event, p, ctx)` in the dialect; all are optional.

    `shared` is a second State, one for all instruments (`ctx.shared`). `phases`, `gates`, `reasons`, `messages` and
    `outputs` are the enums whose members the verbs are given; codes start at 1, but for phases.

    `warm_up` is how much history it wants in an instrument before it hears what happens there (core.warm_up).

    Raises StrategyError when nothing handles anything, bars are handled but not asked for, or a warm-up can't be had.
    """

    name: str
    Params: type[Any]
    State: type[Any]
    on_start: Callable[[Any, market.Instrument, Any, Context], None] | None = None
    on_bar: Callable[[Any, market.Bar, Any, Context], None] | None = None
    on_quote: Callable[[Any, market.Quote, Any, Context], None] | None = None
    on_print: Callable[[Any, market.Print, Any, Context], None] | None = None
    on_status: Callable[[Any, market.Status, Any, Context], None] | None = None
    on_order: Callable[[Any, market.OrderUpdate, Any, Context], None] | None = None
    on_fill: Callable[[Any, market.Fill, Any, Context], None] | None = None
    on_timer: Callable[[Any, market.Timer, Any, Context], None] | None = None
    on_feed: Callable[[Any, market.FeedNotice, Any, Context], None] | None = None
    bars: Bars | tuple[Bars, ...] | None = None
    warm_up: str = ""
    shared: type[Any] | None = None
    phases: type[IntEnum] | None = None
    gates: type[IntEnum] | None = None
    reasons: type[IntEnum] | None = None
    messages: type[Messages] | None = None
    outputs: type[IntEnum] | None = None

    def __post_init__(self) -> None:
        if not self.name.isidentifier():
            raise StrategyError(f"strategy name {self.name!r}: accepted are letters, digits and _")
        if not any(getattr(self, name) for name in HANDLERS):
            raise StrategyError(f"strategy {self.name}: it has no handler; accepted are {', '.join(HANDLERS)}")
        for name in HANDLERS:
            if not isinstance(handler := getattr(self, name), (FunctionType, NoneType)):
                raise StrategyError(f"strategy {self.name}: {name} is {handler!r}; accepted is a plain function")
        if self.on_bar and not self.bars:
            raise StrategyError(f"strategy {self.name}: on_bar needs bars=Bars(...), like Bars('1m')")
        try:
            warm_up = self.warm_up_with(self.Params.from_dict({}) if self.warm_up else None)
        except StrategyError as error:
            raise StrategyError(f"strategy {self.name}: {error}") from None
        if warm_up.bars and not self.bars_by_time:
            raise StrategyError(
                f"strategy {self.name}: warm_up={self.warm_up!r}: history has bars by the clock, like Bars('1m'); it asks for none"
            )

    def warm_up_with(self, params: Any) -> WarmUp:
        """How much history it wants with these parameters. Raises StrategyError for words that say nothing."""
        return warm_up_of(self.warm_up, params)

    @property
    def bars_by_time(self) -> tuple[int, ...]:
        """The lengths of the bars it asks for that are cut by the clock alone; nanoseconds."""
        frames = [bars.timeframe for bars in self.all_bars]
        return tuple(frame.length for frame in frames if frame.unit == BarUnit.TIME and not frame.parts)

    @property
    def all_bars(self) -> tuple[Bars, ...]:
        """The bars it asks for, one sort or several."""
        if self.bars is None:
            return ()
        return self.bars if isinstance(self.bars, tuple) else (self.bars,)

    def with_bars(self, sizes: Sequence[str]) -> Self:
        """The strategy with bars of these sizes in place of those it asks for, their basis and revisions those of its first.

        Raises StrategyError when it handles none, or a word names no timeframe.
        """
        if not self.all_bars:
            raise StrategyError(f"strategy {self.name}: it asks for no bars, so it can't be given others")
        bars = tuple(replace(self.all_bars[0], size=size) for size in sizes)
        given = replace(self, bars=bars, warm_up="")
        return replace(given, warm_up=self.warm_up) if given.bars_by_time else given

    @property
    def record(self) -> Record:
        """The layout of its State, capacities taken from the parameters' upper bounds."""
        return record_of(self.State, capacities_of(self.Params))

    @property
    def shared_record(self) -> Record | None:
        """The layout of its shared State."""
        return record_of(self.shared, capacities_of(self.Params)) if self.shared else None


@dataclass(frozen=True, slots=True)
class Plan:
    """A strategy with its parameters set; its place in the run's list, from 1, is its `strategy_id`.

    It hears what the scanner of that number picks. `universe` is what becomes of it where that drops an instrument
    (`core.universe`); 0: what the setting of that name says.
    """

    strategy: Strategy
    params: Any
    scanner_id: int = 0
    universe: int = 0
