"""On Ray: the jobs of a backtest as tasks of a Ray cluster, one that runs already or one of this machine's own.

A task is a job, run by the very function that runs it in the process of a `worker`. Only who asks writes rows: a task
answers with them, so one that is run twice, because a process or a node was lost, is counted once. Ray itself repeats
nothing: a lost job is sent again from here, a bounded number of times. At most twice as many tasks as there are cores
are under way, so no queue grows, and a node that comes is used at once.
"""

import contextlib
import importlib
import importlib.util
import io
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from functools import cache
from itertools import chain, groupby
from math import inf
from pathlib import Path
from threading import Event
from types import TracebackType
from typing import Any, Final, Self

import msgspec
import numpy as np

from pipeline.errors import ConfigError, TapeError
from pipeline.log.store import Store
from pipeline.run import node
from pipeline.run.cell import Job
from pipeline.run.cluster import connected, greet, is_address, ray
from pipeline.run.crew import Rows, named
from pipeline.run.engines import EngineChoice
from pipeline.run.node import Answer, Kit, Missing, Order, Ran, Unfit
from pipeline.run.worker import Failed, Ready, Setup

LOST_MAX: Final = 3
"""How often a job, or the preparing, may be lost with its process or node before it is given up."""


_WAIT_S: Final = 1.0
_TOLD_AFTER: Final = 5
"""Waits for the first node after which a person is told what takes so long."""
_GONE_S: Final = 10.0
"""So long may a head not answer: it may be busy, or started anew by whoever looks after it."""
_ALL: Final = 1 << 20


class RayChoice(EngineChoice, frozen=True):
    """Ray, on the cluster at `address`: `auto` for the one of this machine, HOST:PORT, '' for one that is started and ended."""

    address: str = ""
    cores: int = 0
    """Of one that is started; 0: all there are."""

    @property
    def decodes_here(self) -> bool:
        """Every node decodes for itself."""
        return False

    @property
    def at_once(self) -> int:
        """Whatever the cluster has."""
        return _ALL

    def opened(self, told: Callable[[str], None], *, for_many: bool = False) -> AbstractContextManager[None]:
        """Connected to a cluster that runs. One of our own is started when there is something to run, or `for_many` now."""
        return connected(self.address, self.cores, told) if self.address or for_many else contextlib.nullcontext()

    def hands(self, setup: Setup, count: int, told: Callable[[str], None]) -> "RayHands":
        """At most so many tasks at a time, not yet at work."""
        return RayHands(self, setup, count, told)


def ray_engine(address: str | None, cores: int | None) -> RayChoice:
    """Ray, if it is installed. Raises ConfigError when it is not, and for what is no address."""
    if importlib.util.find_spec("ray") is None:
        raise ConfigError(
            "--engine ray: Ray is not installed; pip install 'tapeworks[ray]', from a checkout pip install -e '.[ray]'"
        )
    if address is not None and address != "auto" and not is_address(address):
        raise ConfigError(
            f"--address {address}: accepted are auto, for the cluster that runs on this machine, and HOST:PORT"
        )
    return RayChoice(address or "", cores or 0)


class RayHands:
    """Tasks of a cluster; ended by `with`, whatever they are doing."""

    def __init__(self, choice: RayChoice, setup: Setup, count: int, told: Callable[[str], None]) -> None:
        self.ready: Ready | None = None
        self.is_over = Event()
        self._choice = choice
        self._store = Store(Path(setup.home))
        self._kit = msgspec.json.encode(Kit(setup, tuple(path.read_bytes().decode() for path in setup.code.paths)))
        self._count = count
        self._told = told
        self._sent: dict[Any, _Sent] = {}
        self._parcels: dict[str, dict[str, Any]] = {}
        self._cores, self._looked = 0, -inf
        self._silent_since = inf
        self._ending = ExitStack()

    def run(self, jobs: Iterator[Job]) -> Iterator[tuple[Job, Rows | str] | None]:
        """Each job with its rows, or with why there are none, as they are done; None now and then while nothing is.

        Raises TapeError when no job can be run at all, and what the iterator raises.
        """
        orders = self._orders(jobs)
        first = next(orders, None)
        if first is None:
            return
        # Where a node dies Ray prints the end of its log, to standard output; we tell it in a line.
        self._ending.enter_context(contextlib.redirect_stdout(io.StringIO()))
        self._ending.enter_context(connected(self._choice.address, self._choice.cores, self._told))
        yield from self._prepare()
        orders = chain([first], orders)
        while True:
            is_all = self._fill(orders)
            if not self._sent:
                if is_all:
                    return
                time.sleep(_WAIT_S)  # the head does not answer, and nothing may be sent before it does
                yield None
                continue
            done, _ = ray().wait([*self._sent], timeout=_WAIT_S)
            if not done:
                self._is_head_there()
                yield None
            for task in done:
                if (answer := self._taken(task)) is not None:
                    yield answer

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.is_over.set()
        for task in self._sent:
            with contextlib.suppress(Exception):  # it is over, or the cluster is gone: either way nobody waits for it
                ray().cancel(task, force=True)
        self._sent.clear()
        self._ending.close()

    def _orders(self, jobs: Iterator[Job]) -> Iterator[Order]:
        """The jobs as they are sent."""
        for sessions, group in groupby(jobs, key=lambda job: tuple(cell.session for cell in job.cells)):
            together = list(group)
            sealed = {id_: node.sealed_of(self._store, id_) for id_ in sessions}
            yield from (Order(job, sealed, is_shared=len(together) > 1) for job in together)

    def _prepare(self) -> Iterator[None]:
        """Wait until one process of the cluster can take jobs, and know how it runs them. Raises TapeError."""
        lost, waits = 0, 0
        while self.ready is None:
            task = _task(_prepare).remote(self._kit)
            while not ray().wait([task], timeout=_WAIT_S)[0]:
                waits += 1
                self._is_head_there()
                if waits == _TOLD_AFTER:
                    what = "what it has to compile takes up to a minute"
                    has_core = ray().cluster_resources().get("CPU", 0) >= 1
                    self._told(
                        f"waiting for the first process of Ray; {what if has_core else 'no node has a core for it yet'}"
                    )
                yield None
            try:
                answer = msgspec.json.decode(ray().get(task), type=Answer)
            except ray().exceptions.RayTaskError as error:
                raise ConfigError(
                    f"no node can run a cell: {_last_line(error)}; docs/ray.md says what each needs"
                ) from None
            except ray().exceptions.RayError as error:
                lost += 1
                if lost == LOST_MAX:
                    raise TapeError(f"no cell was run: {lost} times {_how(error)} before it was ready") from None
                continue
            if isinstance(answer, Unfit):
                raise ConfigError(answer.reason)
            assert isinstance(answer, Ready)
            self.ready = answer

    def _fill(self, orders: Iterator[Order]) -> bool:
        """Send jobs until as many are under way as may be; whether these were all there are."""
        while not self.is_over.is_set() and len(self._sent) < self._window():
            order = next(orders, None)
            if order is None:
                return True
            self._send(_Sent(order))
        return self.is_over.is_set()

    def _window(self) -> int:
        """How many may be under way; none more while the head does not answer."""
        if time.monotonic() > self._looked + _WAIT_S:  # not for every cell: it asks the head
            if not self._is_head_there():
                return 0
            self._cores, self._looked = int(ray().cluster_resources().get("CPU", 0)), time.monotonic()
        return min(self._count, max(2 * self._cores, 1))

    def _is_head_there(self) -> bool:
        """Whether the head answers. Raises TapeError when it has not for a while: after a minute Ray would end this process."""
        host, _, port = ray().get_runtime_context().gcs_address.rpartition(":")
        try:
            greet(host.strip("[]"), int(port))
        except OSError:
            self._silent_since = min(self._silent_since, time.monotonic())
            if time.monotonic() < self._silent_since + _GONE_S:
                return False
            raise TapeError(
                f"the head of the Ray cluster is gone, {host}:{port} does not answer; the same command goes on "
                "behind what is done, on another cluster or without --engine ray"
            ) from None
        self._silent_since = inf
        return True

    def _send(self, sent: "_Sent") -> None:
        hashes = [session.blake3 for session in sent.order.sessions.values()]
        parcels = {each: self._parcels[each] for each in hashes if each in self._parcels}
        self._sent[_task(_run).remote(self._kit, msgspec.json.encode(sent.order), parcels)] = sent

    def _taken(self, task: Any) -> tuple[Job, Rows | str] | None:
        """What came of a task; None when its job is sent again."""
        sent = self._sent.pop(task)
        job = sent.order.job
        try:
            answer = msgspec.json.decode(ray().get(task), type=Answer)
        except ray().exceptions.RayTaskError as error:
            if isinstance(error.cause, ray().exceptions.RayError):  # what was sent along was lost
                return self._again(sent, _how(error.cause))
            self._told(str(error))
            return job, _last_line(error)
        except ray().exceptions.RayError as error:
            return self._again(sent, _how(error))
        return self._heard(sent, answer)

    def _heard(self, sent: "_Sent", answer: Answer) -> tuple[Job, Rows | str] | None:
        job = sent.order.job
        match answer:
            case Ran(rows, told):
                if told:
                    self._told(told)
                return job, rows
            case Failed(reason):
                return job, reason
            case Missing(sessions):
                try:
                    for id_ in sessions:
                        self._pack(id_, sent.order.sessions[id_].blake3)
                except (TapeError, OSError) as error:
                    return job, str(error)
                self._send(sent)
                return None
            case Unfit(reason):
                raise ConfigError(reason)
        raise AssertionError(answer)

    def _again(self, sent: "_Sent", how: str) -> tuple[Job, str] | None:
        sent.lost += 1
        job = sent.order.job
        if sent.lost == LOST_MAX:
            return job, f"{how}, {LOST_MAX} times"
        self._told(f"{how} over {named(job)}; another one takes its place")
        self._send(sent)
        return None

    def _pack(self, session: str, digest: str) -> None:
        """Put a session where every node can fetch it, once."""
        if digest not in self._parcels:
            self._parcels[digest] = {
                name: ray().put(np.asarray(np.memmap(path, np.uint8, "r")))
                for name, path in node.files_of(self._store, session).items()
            }


@dataclass
class _Sent:
    """A job under way, and how often it was lost."""

    order: Order
    lost: int = 0


@cache
def _task(work: Callable[..., bytes]) -> Any:
    """The function as a task that Ray never repeats by itself; once, for each that is made is handed to the head."""
    return ray().remote(max_retries=0, num_cpus=1)(work)


def _prepare(kit: bytes) -> bytes:
    return node.prepare(kit)


def _run(kit: bytes, order: bytes, parcels: dict[str, dict[str, Any]]) -> bytes:
    return node.run(kit, order, parcels, ray().get)


def _how(error: Exception) -> str:
    """How a task was lost."""
    errors = ray().exceptions
    if isinstance(error, errors.NodeDiedError):
        return "a node died"
    if isinstance(error, errors.OutOfMemoryError):
        return "a worker was ended, its node out of memory,"
    return f"a worker died ({type(error).__name__})"


def _last_line(error: Exception) -> str:
    return str(error).strip().rpartition("\n")[2]
