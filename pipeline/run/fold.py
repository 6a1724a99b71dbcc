"""Fold: the reducer as the shell holds it, in this process or, for recorded code, in one of its own.

`LocalFold` runs the engine here. `RecordedFold` starts a Python that sees nothing of ours but a log's `code/` folder
and speaks to it over pipes: this very file is among the recorded sources, and `serve` is what runs there. So a
recording is verified with the code that made it, whatever became of the code since.

What the two say to each other is in `run.wire`, after one line of JSON with the plan.
"""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, BinaryIO, Final, Protocol, Self

import msgspec

from pipeline.block import Blocks
from pipeline.core import chunk, universe
from pipeline.core.carrying import carried
from pipeline.core.engine import Engine
from pipeline.core.frozen import freeze, thaw
from pipeline.core.hashing import DecisionsHash
from pipeline.core.settings import EngineSettings
from pipeline.core.snapshot import Snapshot
from pipeline.core.strategy import Plan
from pipeline.errors import ConfigError, StrategyError, TapeError
from pipeline.run import wire
from pipeline.run.following import Following, ScannerPlan, Scanning, scanner_of
from pipeline.run.loading import load_strategy
from pipeline.run.outline import Outline, outline_of
from pipeline.scanner import segment
from pipeline.scanner.fold import FieldScanner
from pipeline.scanner.lists import ListScanner

if TYPE_CHECKING:
    from pipeline.kernel.engine import CompiledEngine


class StrategyPlan(msgspec.Struct, frozen=True):
    """One strategy to run: its name, its file as recorded (`strategies/hold.py`), all its parameters.

    `bars` are the sizes of bars it is given instead of those it asks for, `scanner` is the place of the one behind which
    it stands, from 1; 0: it hears every instrument.
    """

    name: str
    file: str
    params: dict[str, bool | int | float | str] = {}
    bars: tuple[str, ...] = ()
    scanner: int = 0


class FoldPlan(msgspec.Struct, frozen=True):
    """Everything that decides what an engine does with its inputs, but for the code.

    With `scanners` strategies hear what theirs picks; with `scans_only` nobody does, and nothing but the only scanner is folded.
    What `begins_anew` begins without what a session began with that went on from another, or on an account: that is of those
    who traded then.
    """

    strategies: tuple[StrategyPlan, ...]
    settings: dict[str, Any]
    scanners: tuple[ScannerPlan, ...] = ()
    scans_only: bool = False
    begins_anew: bool = False


BEGAN_WITH: Final = ("continues", "begins_with")
"""Settings of a session that began with the state of another one: that it goes on from, or that traded on its account before."""


def anew(plan: FoldPlan, settings: Mapping[str, object]) -> FoldPlan:
    """The same over a session of others with these settings, by a replay or a backtest."""
    begins_anew = any(name in settings for name in BEGAN_WITH)
    return msgspec.structs.replace(plan, begins_anew=True) if begins_anew else plan


def columns_of(plan: FoldPlan) -> tuple[str, ...]:
    """The columns of inputs that a fold of this plan looks into."""
    return tuple(dict.fromkeys([*chunk.COLUMNS, *segment.COLUMNS])) if plan.scanners else chunk.COLUMNS


Carried = list[tuple[str, str]]
"""Keys and texts, see `core.carrying`."""


class Hashes(msgspec.Struct, frozen=True):
    """What a fold came to, in hex."""

    state_hash: str
    decisions_hash: str


class Fold(Protocol):
    """Inputs in, derived rows out."""

    def reduce(self, batch: Blocks) -> Blocks:
        """The derived rows of exactly these inputs."""
        ...

    def hashes(self) -> Hashes:
        """The state and the decisions so far."""
        ...

    def carried(self) -> Carried:
        """The state so far as another session would begin with it."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class FoldOfState(Fold, Protocol):
    """A fold whose state can be looked at, kept, and gone on from."""

    def freeze(self) -> bytes:
        """The state between two batches, see `core.frozen`."""
        ...

    def thaw(self, state: bytes) -> None:
        """Go on from a state of the same code and plan. Raises ValueError for another."""
        ...

    def outline(self) -> Outline:
        """What the numbers in a state mean."""
        ...


class Speed(StrEnum):
    """How handlers run. AUTO compiles where that pays."""

    AUTO = "auto"
    COMPILED = "compiled"
    INTERPRETED = "interpreted"


INPUTS_WORTH_LOADING: Final = 20_000
"""So many inputs are reduced interpreted in the time it takes to load what was compiled before."""

FOR_LONG: Final = INPUTS_WORTH_LOADING
"""As `inputs`, for a session that is recorded: what was compiled before is loaded, but nobody waits for compiling."""

_LEAVES: Final = {"": universe.ALL, "flatten": universe.FLATTENED, "keep": universe.KEPT}
"""What a scanner's `when_dropped` means; nothing: what the setting says."""

INPUTS_WORTH_COMPILING: Final = 1_000_000
"""So many inputs are reduced interpreted in the time it takes to compile a strategy."""


class LocalFold:
    """The engine in this process. `speed` is the one it runs at, `why` what kept it from the one that was asked for.

    `compile_s` is what compiling took, or loading what was compiled before.
    """

    def __init__(
        self,
        plan: FoldPlan,
        paths: Sequence[Path],
        *,
        speed: Speed = Speed.INTERPRETED,
        inputs: int = 0,
        compiling: Callable[[], None] = lambda: None,
    ) -> None:
        """`paths` are the files of the plan's strategies, in its order; `inputs` how many are to come.

        `compiling` is called before something is compiled that nobody compiled yet.

        Raises StrategyError when COMPILED was asked for and can't be.
        """
        scanners = [scanner_of(each, number) for number, each in enumerate(plan.scanners, 1)]
        self._plans = plans = [
            _engine_plan(strategy, path, scanners) for strategy, path in zip(plan.strategies, paths, strict=True)
        ]
        self.why = ""
        self.compile_s = 0.0
        self._engine: Engine | CompiledEngine = Engine(plans, EngineSettings.from_dict(plan.settings))
        if speed is Speed.COMPILED or (speed is Speed.AUTO and inputs >= INPUTS_WORTH_LOADING):
            try:
                is_worth = _is_worth(speed, inputs)
                self._compile(plans, EngineSettings.from_dict(plan.settings), compiling, is_worth=is_worth)
            except (
                StrategyError,
                ConfigError,
                OSError,
            ) as error:  # of the strategy, or of the folder compiled code lies in
                if speed is Speed.COMPILED:
                    raise
                self.why = str(error)
        self._engine.begins_anew = plan.begins_anew
        self._following = Following(self._engine, scanners) if scanners else None
        self._scanning = Scanning(scanners[0]) if plan.scans_only else None

    @property
    def plans(self) -> Sequence[Plan]:
        """The strategies as the engine runs them."""
        return self._plans

    @property
    def scanners(self) -> Sequence[FieldScanner | ListScanner]:
        """The scanners of the plan."""
        return self._following.scanners if self._following else ()

    @property
    def speed(self) -> Speed:
        """How handlers run here."""
        return Speed.INTERPRETED if isinstance(self._engine, Engine) else Speed.COMPILED

    def _compile(
        self, plans: Sequence[Plan], settings: EngineSettings, compiling: Callable[[], None], *, is_worth: bool
    ) -> None:
        from pipeline.kernel.build import is_compiled  # noqa: PLC0415  # LLVM takes a tenth of a second to load
        from pipeline.kernel.engine import CompiledEngine  # noqa: PLC0415  # same

        started = time.perf_counter()
        is_there = is_compiled(tuple(plan.strategy for plan in plans))
        if is_worth or is_there:
            if not is_there:
                compiling()
            engine = CompiledEngine(plans, settings)
            engine.compile_now()
            self._engine = engine
        self.compile_s = time.perf_counter() - started

    def reduce(self, batch: Blocks) -> Blocks:
        """The derived rows of exactly these inputs."""
        return (self._scanning or self._following or self._engine).reduce(batch)

    def hashes(self) -> Hashes:
        """The state and the decisions so far."""
        state_hash = (self._scanning or self._following or self._engine).state_hash()
        return Hashes(state_hash.hex(), (self._scanning or self._engine).decisions_hash().hex())

    def carried(self) -> Carried:
        """The state so far as another session would begin with it."""
        return list(carried(self._engine.snapshot(), self._plans))

    def freeze(self) -> bytes:
        """The state between two batches."""
        frozen = freeze(self._engine.snapshot())
        return self._following.freeze(frozen) if self._following else frozen

    def thaw(self, state: bytes) -> None:
        """Go on from a state. Raises ValueError when it is not one of these strategies."""
        state = self._following.thaw(state) if self._following else state
        self._engine.put_back(thaw(state, [plan.strategy.record for plan in self._plans]))

    def outline(self) -> Outline:
        """What the numbers in a state mean."""
        return outline_of([plan.strategy for plan in self._plans])

    def snapshot(self) -> Snapshot:
        """Everything the engine remembers."""
        return self._engine.snapshot()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to close."""


def _is_worth(speed: Speed, inputs: int) -> bool:
    """Whether to compile what nobody compiled yet."""
    return speed is Speed.COMPILED or inputs >= INPUTS_WORTH_COMPILING


def recorded_paths(plan: FoldPlan, code: Path) -> list[Path]:
    """The strategies' files in a log's `code/` folder."""
    return [code / strategy.file for strategy in plan.strategies]


def _engine_plan(plan: StrategyPlan, path: Path, scanners: Sequence[FieldScanner | ListScanner]) -> Plan:
    strategy = load_strategy(path)
    if plan.bars:
        strategy = strategy.with_bars(plan.bars)
    leaves = _LEAVES[scanners[plan.scanner - 1].definition.when_dropped] if plan.scanner else universe.ALL
    return Plan(strategy, strategy.Params.from_dict(plan.params), plan.scanner, leaves)


class NoFold:
    """No strategies, nothing derived: what an import was recorded with."""

    def reduce(self, batch: Blocks) -> Blocks:  # noqa: ARG002 - a Fold takes a batch
        """Nothing."""
        return []

    def hashes(self) -> Hashes:
        """The hash of no decisions; there is no state."""
        return Hashes("", DecisionsHash().digest().hex())

    def carried(self) -> Carried:
        """Nothing."""
        return []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to close."""


class RecordedFold:
    """The recorded engine, in a process that sees only the recorded sources."""

    def __init__(self, plan: object, code: Path) -> None:
        """`plan` is as the log keeps it, for its code may know another FoldPlan; `code` is the log's `code/` folder."""
        boot = (
            f"import sys; sys.path.insert(0, {str(code)!r}); from pipeline.run.fold import serve; serve({str(code)!r})"
        )
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter on recorded sources whose hashes were checked
            [sys.executable, "-I", "-B", "-c", boot], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._into: BinaryIO = self._process.stdin  # type: ignore[assignment]  # opened in binary mode
        self._out: BinaryIO = self._process.stdout  # type: ignore[assignment]
        self._into.write(msgspec.json.encode(plan) + b"\n")

    def reduce(self, batch: Blocks) -> Blocks:
        """The derived rows of exactly these inputs. Raises TapeError when the recorded code failed."""
        with _heard():
            wire.write_batch(self._into, batch)
            return wire.read_batch(self._out)

    def hashes(self) -> Hashes:
        """The state and the decisions so far."""
        return msgspec.json.decode(self._asked(wire.HASHES), type=Hashes)

    def carried(self) -> Carried:
        """The state so far as another session would begin with it."""
        return msgspec.json.decode(self._asked(wire.CARRIED), type=Carried)

    def outline(self) -> Outline:
        """What the numbers in a state mean."""
        return msgspec.json.decode(self._asked(wire.OUTLINE), type=Outline)

    def freeze(self) -> bytes:
        """The state between two batches."""
        with _heard():
            wire.ask(self._into, wire.FREEZE)
            return wire.read_packet(self._out)

    def thaw(self, state: bytes) -> None:
        """Go on from a state."""
        with _heard():
            wire.ask(self._into, wire.THAW)
            wire.write_packet(self._into, state)

    def _asked(self, question: int) -> bytes:
        with _heard():
            wire.ask(self._into, question)
            return wire.read_line(self._out)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the process, whatever it is doing."""
        self._process.kill()
        self._process.wait()
        self._into.close()
        self._out.close()


@contextmanager
def _heard() -> Iterator[None]:
    """Raises TapeError when the process of the recorded code is not there to answer."""
    try:
        yield
    except (BrokenPipeError, EOFError):
        raise TapeError("the recorded code ended before its inputs did; its own words stand above") from None


def serve(code: str) -> None:
    """Answer batches and questions on standard input until it ends; what runs in the process of a RecordedFold."""
    into, out = sys.stdin.buffer, sys.stdout.buffer
    sys.stdout = sys.stderr  # a print in a strategy must not tear the wire
    plan = msgspec.json.decode(into.readline(), type=FoldPlan)
    fold = LocalFold(plan, recorded_paths(plan, Path(code)))
    while (asked := wire.read_count(into)) is not None:
        if asked <= wire.BLOCKS_MAX:
            wire.write_batch(out, fold.reduce(wire.read_blocks(into, asked)))
        elif asked == wire.HASHES:
            wire.write_line(out, msgspec.json.encode(fold.hashes()))
        elif asked == wire.CARRIED:
            wire.write_line(out, msgspec.json.encode(fold.carried()))
        elif asked == wire.OUTLINE:
            wire.write_line(out, msgspec.json.encode(fold.outline()))
        elif asked == wire.FREEZE:
            wire.write_packet(out, fold.freeze())
        elif asked == wire.THAW:
            fold.thaw(wire.read_packet(into))
