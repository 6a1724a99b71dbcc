"""Subscriptions: what was asked of a vendor against what the vendor answered.

Answers get lost, and a symbol that doesn't exist may get none at all. So an answer that is missing is told, asked for
once more, and then the connection is made anew. A topic that stays without an answer after that is told on each
connection and waited for no longer: one bad symbol must not keep all others from being recorded.
"""

from collections.abc import Set as AbstractSet
from typing import Final, NamedTuple

from pipeline.ports import Topic

ANSWER_S: Final = 5.0
ASKED_MAX: Final = 2
"""How often one connection asks."""

NOTHING: Final[frozenset[Topic]] = frozenset()


class Verdict(NamedTuple):
    """Topics whose answer is due: those to ask for once more, those to go on without, those worth a new connection."""

    again: frozenset[Topic] = NOTHING
    given_up: frozenset[Topic] = NOTHING
    reconnect: frozenset[Topic] = NOTHING


class Subscriptions:
    """What a feed asks for and waits to be answered, over all its connections. Times are seconds that only rise."""

    def __init__(self, answer_s: float = ANSWER_S) -> None:
        self._answer_s = answer_s
        self._due_s: dict[Topic, float] = {}
        """When an answer is due, of what this connection asked for and was not answered."""
        self._times_asked: dict[Topic, int] = {}
        self._unanswered: set[Topic] = set()
        """Topics for which a connection was made anew already."""

    def connected(self) -> None:
        """A new connection, on which nothing was asked for."""
        self._due_s.clear()
        self._times_asked.clear()

    def want(self, now_s: float, topics: AbstractSet[Topic]) -> None:
        """These are wanted now; those of them that are new are being asked for."""
        for topic in self._times_asked.keys() - topics:
            del self._times_asked[topic]
            self._due_s.pop(topic, None)
        for topic in topics - self._times_asked.keys():
            self._asked(now_s, topic)

    def answered(self, topics: AbstractSet[Topic]) -> None:
        """The vendor said yes or no to these."""
        for topic in self._due_s.keys() & topics:
            del self._due_s[topic]
        self._unanswered -= topics

    def withdrawn(self, now_s: float, topics: AbstractSet[Topic]) -> None:
        """The vendor sends these no longer, though nobody asked for that: they wait for an answer again."""
        for topic in topics & self._times_asked.keys():
            self._due_s[topic] = now_s + self._answer_s

    @property
    def is_complete(self) -> bool:
        """Whether all that was asked for is answered, or not waited for any longer."""
        return self._due_s.keys() <= self._unanswered

    def judge(self, now_s: float) -> Verdict:
        """What is to be done about answers that are due; what is to be asked for again counts as asked for now."""
        due = frozenset(topic for topic, due_s in self._due_s.items() if now_s >= due_s)
        if not due:
            return Verdict()
        given_up = due & self._unanswered
        again = frozenset(topic for topic in due - given_up if self._times_asked[topic] < ASKED_MAX)
        reconnect = due - given_up - again
        self._unanswered |= reconnect
        for topic in given_up:
            del self._due_s[topic]
        for topic in again:
            self._asked(now_s, topic)
        return Verdict(again, given_up, reconnect)

    def _asked(self, now_s: float, topic: Topic) -> None:
        self._times_asked[topic] = self._times_asked.get(topic, 0) + 1
        self._due_s[topic] = now_s + self._answer_s
