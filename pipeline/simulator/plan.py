"""Plan: the faults of a day, when each is to happen, and those of the server while they last."""

import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pipeline.errors import ConfigError
from pipeline.simulator.faults import SERVER_FAULTS, Fault, FaultKind
from pipeline.simulator.served import Portion


class Plan:
    """What is still to happen."""

    def __init__(self, faults: Sequence[Fault], protocols: Sequence[str], starts_ns: int) -> None:
        """Faults without a place happen at `starts_ns`; those of the server begin now. Raises ConfigError for a protocol that is not served."""
        self.counted: list[Fault] = []
        """Those that wait for a connection to have had so many events."""
        self._protocols = protocols
        self._placed: list[Fault] = []
        self._until_s: dict[tuple[FaultKind, str], float] = {}
        self._ack_delays_s: dict[str, float] = {}
        for fault in faults:
            if not any(map(fault.concerns, protocols)):
                raise ConfigError(
                    f"fault {fault.kind}: protocol {fault.protocol!r} is not served here, only {', '.join(protocols)}"
                )
            if fault.events is not None:
                self.counted.append(fault)
            elif fault.at_ns is not None or fault.row is not None:
                self._placed.append(fault)
            elif fault.kind in SERVER_FAULTS:
                self.begin(fault)
            else:
                self._placed.append(replace(fault, at_ns=starts_ns))

    def stop(self, portion: Portion) -> int:
        """How many rows of the portion stand in front of all that is still to happen."""
        return min((_place(fault, portion) for fault in self._placed), default=len(portion.seq))

    def next_ns(self, otherwise_ns: int) -> int:
        """The session time at which something is to happen; no later than `otherwise_ns`."""
        return min([otherwise_ns, *(fault.at_ns for fault in self._placed if fault.at_ns is not None)])

    def take_due(self, portion: Portion, done: int, session_ns: int) -> list[Fault]:
        """What happens now that so many rows of the portion are out and it is this session time; it is planned no more."""
        due = [fault for fault in self._placed if _is_due(fault, portion, done, session_ns)]
        self._placed = [fault for fault in self._placed if fault not in due]
        return due

    def begin(self, fault: Fault) -> None:
        """A fault of the server begins; it lasts by the clock on the wall."""
        assert fault.kind in SERVER_FAULTS
        for protocol in filter(fault.concerns, self._protocols):
            if fault.kind is FaultKind.SLOW_ACKS:
                self._ack_delays_s[protocol] = fault.lasts_s
            else:
                self._until_s[fault.kind, protocol] = time.monotonic() + fault.lasts_s

    def lasts(self, kind: FaultKind, protocol: str) -> bool:
        """Whether the server has this fault now."""
        return time.monotonic() < self._until_s.get((kind, protocol), 0.0)

    def ack_delay_s(self, protocol: str) -> float:
        """How late the server answers what is said to it."""
        return self._ack_delays_s.get(protocol, 0.0)


def _is_due(fault: Fault, portion: Portion, done: int, session_ns: int) -> bool:
    place = _place(fault, portion)
    if fault.row is not None:
        return place <= done and place < len(portion.seq)  # else its row stands in a portion to come
    assert fault.at_ns is not None
    return place <= done and fault.at_ns <= session_ns


def _place(fault: Fault, portion: Portion) -> int:
    """How many rows of the portion stand in front of the fault."""
    if fault.row is not None:
        return int(np.searchsorted(portion.seq, fault.row, "left"))
    assert fault.at_ns is not None
    return int(np.searchsorted(portion.due_ns, fault.at_ns, "left"))
