"""Recording: inputs into a session, reduced as they come, every decision behind the input that caused it.

One step for every commit: the inputs are appended, then reduced, then what was derived is appended. The sync thread
makes both durable meanwhile; the operator's requests become inputs between commits and are answered once durable.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np

from pipeline.block import Block, Blocks, concat
from pipeline.codes import FeedAction, Kind, RequestAction, SessionAction
from pipeline.log import manifest as manifests
from pipeline.log.journal import Journal, Limits
from pipeline.log.manifest import Manifest
from pipeline.log.reader import JOURNAL, LogReader
from pipeline.log.sequencer import COMMIT_INTERVAL_NS, Sequencer
from pipeline.log.store import Store
from pipeline.log.syncing import SyncThread
from pipeline.run.control import Answer, ControlSocket, Request, Waiting
from pipeline.run.fold import Fold
from pipeline.run.sealing import Sealing

SHELL_KINDS: Final = frozenset((Kind.SESSION, Kind.REQUEST, Kind.NOTE, Kind.ACCOUNT, Kind.ORDER, Kind.FILL))
"""Inputs that the shell or a broker writes; all others come from feeds, but for what a broker's connection tells of itself."""

FULL_SEGMENTS: Final = Limits()
LIVE_INTERVAL_NS: Final = 0
"""A live session commits what it takes at once, for what waits for a commit is not decided upon. What comes meanwhile is taken
together, so that the busier it is, the larger is a commit."""

_ANSWER_TIMEOUT_S: Final = 10.0


class Recorder:
    """The writer of one open session. Use `opened`; every call is made by one thread."""

    def __init__(
        self,
        sequencer: Sequencer,
        *,
        fold: Fold | None,
        sync: SyncThread,
        control: ControlSocket,
        sealing: Sealing,
        session_ns: int,
    ) -> None:
        self.session_ns = session_ns
        """Session time: the running maximum of `ts_recv_ns` over the inputs."""
        self.kinds: dict[Kind, int] = {}
        """Rows of each kind so far, derived ones included."""
        self.refused = 0
        """Messages and rows that could not become events."""
        self.is_to_end = False
        """Whether the operator asked for the end."""
        self.seen: list[Callable[[Blocks, Blocks], None]] = []
        """Who is shown every commit with what was decided about it, behind their being written."""
        self.sealing = sealing
        """What seals closed segments meanwhile."""
        self._sequencer = sequencer
        self._fold = fold
        self._sync = sync
        self._control = control
        self._asked: list[tuple[int, Waiting]] = []
        self._obeyed: list[Request] = []
        self._first_ns = 0

    @property
    def last_seq(self) -> int:
        """`seq` of the last input."""
        return self._sequencer.last_seq

    def take(self, batch: Blocks) -> None:
        """The next inputs, their `seq` counting from 1, behind what the operator asked for: a kill switch goes before what would trade.

        Raises LogError for a batch that is none, PoisonedError.
        """
        if self.last_seq:
            self._obey_all()
        self.session_ns = max(self.session_ns, *(int(block.number("ts_recv_ns").max()) for block in batch))
        self._act_on(self._sequencer.offer(batch))
        self._obey_all()

    def wait_durable(self) -> None:
        """Return when all that is written as of this call is durable. Any thread. Raises PoisonedError when it never will be."""
        self._sync.wait_durable()

    def wake_by(self, wake: Callable[[], None]) -> None:
        """Have this called, by another thread, when an operator's request waits."""
        self._control.ring = wake

    def request(self, request: Request) -> None:
        """A request of the shell's own, as an input."""
        self._act_on(self._sequencer.offer([_as_input(request, self.session_ns)]))

    def obeyed(self) -> list[Request]:
        """Make inputs of the operator's requests that wait; all that became inputs since this was called last."""
        self._obey_all()
        obeyed, self._obeyed = self._obeyed, []
        return obeyed

    def _obey_all(self) -> None:
        for waiting in self._control.take():
            self._obey(waiting)
            self._obeyed.append(waiting.request)

    def say(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Session events at this session time: mappings of `action`, `key`, `text`."""
        listed = [
            {**row, "seq": rank, "ts_event_ns": self.session_ns, "ts_recv_ns": self.session_ns}
            for rank, row in enumerate(rows, 1)
        ]
        self._act_on(self._sequencer.offer([Block.from_rows(Kind.SESSION, listed)]))

    def counts(self) -> dict[str, Any]:
        """What the manifest tells of the rows, until sealing counts them again."""
        return {
            "kinds": {kind.name.lower(): count for kind, count in sorted(self.kinds.items())},
            "inputs": self.last_seq,
            "derived": sum(self.kinds.values()) - self.last_seq,
            "first_seq": min(self.last_seq, 1),
            "last_seq": self.last_seq,
            "first_ts_ns": self._first_ns,
            "last_ts_ns": self.session_ns,
        }

    def flush(self) -> None:
        """Commit and reduce what waits, and answer those who asked."""
        self._act_on(self._sequencer.flush())

    def refold(self, log: LogReader) -> None:
        """Bring the fold to where a resumed log ends, and append the decisions that a crash kept from being written.

        They are one frame, as if nothing had happened: a crash in between leaves all of them or none.
        """
        missing: list[Block] = []
        written = max((_last_place(blocks) for blocks in log.batches(what="derived")), default=(0, 0))
        for inputs in log.batches(what="inputs"):
            self.session_ns = max(self.session_ns, *(int(block.number("ts_recv_ns").max()) for block in inputs))
            self._count(inputs)
            if self._fold is not None:
                derived = self._fold.reduce(inputs)
                self._count(derived)
                missing += [rest for block in derived if len(rest := _after(block, written))]
        self._sequencer.derived(concat(missing))

    def _act_on(self, committed: Blocks | None) -> None:
        if committed is None:
            return
        self._count(committed)
        derived: Blocks = []
        if self._fold is not None:
            derived = self._fold.reduce(committed)
            self._sequencer.derived(derived)
            self._count(derived)
        for see in self.seen:
            see(committed, derived)
        if self._asked:
            self._answer()

    def _count(self, blocks: Blocks) -> None:
        if not self.kinds:
            self._first_ns = min(int(block.number("ts_recv_ns").min()) for block in blocks)
        for block in blocks:
            self.kinds[block.kind] = self.kinds.get(block.kind, 0) + len(block)
            if block.kind is Kind.FEED:
                self.refused += int(np.count_nonzero(block.number("action") == FeedAction.REJECTED))

    def _obey(self, waiting: Waiting) -> None:
        """The request becomes an input like any other."""
        self.is_to_end |= waiting.request.code is RequestAction.END
        self._asked.append((self._sequencer.last_seq + 1, waiting))
        self._act_on(self._sequencer.offer([_as_input(waiting.request, self.session_ns)]))

    def _answer(self) -> None:
        """Everything asked is committed now; it is answered when it is durable too."""
        self._sync.wait_durable(timeout_s=_ANSWER_TIMEOUT_S)
        for seq, waiting in self._asked:
            waiting.answer.set_result(Answer(ok=True, seq=seq))
        self._asked.clear()


@contextmanager
def opened(
    store: Store,
    manifest: Manifest,
    fold: Fold | None,
    *,
    is_resumed: bool = False,
    note: str = "",
    limits: Limits = FULL_SEGMENTS,
    is_live: bool = False,
) -> Iterator[Recorder]:
    """Record into this open session; leaving in peace ends it, leaving by an error leaves it open, to be resumed.

    Segments are sealed in the background as they are closed; `note` stands where it goes on. `is_live`: vendors don't wait
    for us. Raises LockedError when somebody else records it, CorruptError, PoisonedError.
    """
    folder = store.folder(manifest.id)
    with ExitStack() as stack:
        journal = stack.enter_context(_journal(manifest, folder / JOURNAL, limits, is_resumed=is_resumed))
        control = stack.enter_context(ControlSocket(folder))
        sync = stack.enter_context(SyncThread(journal))
        sealing = Sealing(folder, store.disk, is_ready=is_live)
        interval_ns = LIVE_INTERVAL_NS if is_live else COMMIT_INTERVAL_NS
        sequencer = Sequencer(journal, manifest.mode, commit_interval_ns=interval_ns)
        recorder = Recorder(sequencer, fold=fold, sync=sync, control=control, sealing=sealing, session_ns=0)
        if recorder.last_seq:
            recorder.refold(LogReader(folder))
            recorder.say([{"action": int(SessionAction.RESUMED), "text": note}])
        # Not before: what a crash left undecided is known by its frame.
        stack.enter_context(sealing)
        yield recorder
        recorder.say([{"action": int(SessionAction.ENDED)}])
        recorder.flush()
    ended: dict[str, Any] = {"state": "ended", "refused": recorder.refused, **recorder.counts()}
    if fold is not None:
        hashes = fold.hashes()
        ended |= {"decisions_hash": hashes.decisions_hash, "state_hash": hashes.state_hash}
    manifests.update(folder, store.disk, **ended)


def is_begun(manifest: Manifest, journal: Path) -> bool:
    """Whether anything was written of a session: a crash may have come before."""
    return bool(manifest.sealed.segment) or any(journal.glob("*.seg"))


def fed(log: LogReader) -> int:
    """How many inputs of a session came from feeds."""
    return log.last_seq - sum(len(block) for blocks in log.batches(kinds=SHELL_KINDS, columns=[]) for block in blocks)


def start_rows(settings: Mapping[str, Any], code: Mapping[str, str], *, seed: int) -> list[dict[str, Any]]:
    """The first inputs of a session: that it started, its settings, its seed, the sources that reduce."""
    rows = [{"action": int(SessionAction.STARTED), "key": "seed", "text": str(seed)}]
    rows += [
        {"action": int(SessionAction.SETTING), "key": key, "text": json.dumps(value, sort_keys=True)}
        for key, value in settings.items()
    ]
    return rows + [{"action": int(SessionAction.CODE), "key": name, "text": code[name]} for name in sorted(code)]


def _journal(manifest: Manifest, folder: Path, limits: Limits, *, is_resumed: bool) -> Journal:
    if not is_resumed or not is_begun(manifest, folder):
        return Journal.create(folder, log_id=bytes.fromhex(manifest.log_id), limits=limits)
    sealed = manifest.sealed
    cursors = [sealed] if sealed.segment else []
    return Journal.resume(folder, cursors=cursors, first_segment=sealed.segment + 1, limits=limits)[0]


def _as_input(request: Request, session_ns: int) -> Block:
    times = {"seq": 1, "ts_event_ns": session_ns, "ts_recv_ns": session_ns}
    if request.code is RequestAction.NOTE:
        return Block.of(Kind.NOTE, 1, **times, tag=request.target, text=request.text)
    return Block.of(Kind.REQUEST, 1, **times, action=int(request.code), target=request.target, text=request.text)


def _last_place(blocks: Blocks) -> tuple[int, int]:
    return max((int(block.number("seq")[-1]), int(block.number("ord")[-1])) for block in blocks)


def _after(block: Block, place: tuple[int, int]) -> Block:
    """The rows behind a place."""
    seq, ord_ = block.number("seq"), block.number("ord")
    return block.take((seq > place[0]) | ((seq == place[0]) & (ord_ > place[1])))
