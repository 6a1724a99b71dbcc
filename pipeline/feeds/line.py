"""Line: what the connections of one feed share and hand on, one after the other."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from pipeline.codes import FeedAction
from pipeline.feeds.backoff import Backoff, Waits
from pipeline.feeds.bell import Bell
from pipeline.feeds.facts import Fact
from pipeline.feeds.hiding import hidden
from pipeline.feeds.history import SETTLE_S, Fetch, History, discreet
from pipeline.feeds.holes import Holes
from pipeline.feeds.inbox import Inbox
from pipeline.feeds.lateness import LATE_FOR_S, LATE_S, Lateness
from pipeline.feeds.progress import Progress
from pipeline.feeds.silence import NONSENSE_S, PATIENCE_S, Silence
from pipeline.feeds.subscriptions import ANSWER_S, Subscriptions
from pipeline.feeds.unheard import UNHEARD_S, Unheard
from pipeline.feeds.vendor import Vendor
from pipeline.feeds.warming import Warming
from pipeline.ports import Channel, Clock, Topic
from pipeline.units import NANO


@dataclass(frozen=True, slots=True)
class Times:
    """Time-outs of a feed, in seconds of the real clock."""

    connect_s: float = 15.0
    """To open the socket."""
    ready_s: float = 15.0
    """From then to be accepted by the vendor."""
    answer_s: float = ANSWER_S
    """For a subscription to be answered."""
    patience_s: float = PATIENCE_S
    """How long a channel may be mute before the connection is made anew."""
    nonsense_s: float = NONSENSE_S
    """How long nothing but refused messages may come."""
    settle_s: float = SETTLE_S
    """How long after a hole its history is asked for."""
    late_s: float = LATE_S
    """How old an event may be when it comes."""
    late_for_s: float = LATE_FOR_S
    """How long nothing but older ones may come until it is told."""
    unheard_s: float = UNHEARD_S
    """After how many seconds of market hours a symbol is told of which nothing came."""
    tick_s: float = 1.0
    """How often all of this is looked at."""
    waits: Waits = field(default_factory=Waits)


class Line:
    """One feed, whatever connection it has at the moment; all but `desire`, `reconnect` and `end` in the socket thread."""

    def __init__(
        self,
        vendor: Vendor,
        number: int,
        inbox: Inbox,
        clock: Clock,
        *,
        fetch: Fetch,
        draw: Callable[[], float],
        times: Times,
    ) -> None:
        self.vendor = vendor
        self.number = number
        self.inbox = inbox
        self.clock = clock
        self.times = times
        self.progress = Progress(round(times.late_s * NANO * clock.rate))
        self.had = Progress()
        """What the session had of this feed before it was interrupted."""
        self.bell = Bell()
        self.backoff = Backoff(draw, times.waits)
        self.silence = Silence(vendor.quiet_s, times.patience_s)
        self.lateness = Lateness(times.late_for_s)
        self.unheard = Unheard(times.unheard_s)
        self.subscriptions = Subscriptions(times.answer_s)
        self.holes = Holes(lead_ns=self.lead_ns)
        fetch = discreet(fetch, vendor.secrets)
        settle_s = times.settle_s
        self.history = History(
            vendor,
            number,
            self.holes,
            inbox,
            clock,
            fetch,
            settle_s=settle_s,
            reached_ns=lambda: self.progress.reached_ns,
        )
        self.warming = Warming(vendor, number, self.holes, inbox, clock, fetch, settle_s=settle_s)
        self.message_count = 0
        """Messages put into the inbox."""
        self.last_ns: int | None = None
        """When the last message came."""
        self.gap_from_ns: int | None = None
        """Where the hole begins in which we are; None while what is wanted is recorded."""
        self.withdrawn_ns: dict[Topic, int] = {}
        """Since when the vendor sends a topic no longer, of those that it acknowledged and that are wanted."""
        self.whole_until_ns: int | None = None
        """Up to when nothing is missing, by the clock of a vendor that sends again what was missed (`dialogue.Replaying`)."""
        self.ending = ""
        """Why the feed is to end; '' while it isn't."""
        self.is_apart_told = False
        """Whether it was told that the vendor's clock is not ours."""
        self._symbols: frozenset[str] = frozenset()
        self._topics: tuple[frozenset[str] | None, frozenset[Topic]] = (None, frozenset())
        """What is to be subscribed, beside the symbols it was made for."""
        self._mistrust: tuple[int, str] = (0, "")

    def desire(self, symbols: Iterable[str]) -> None:
        """Record these symbols from now on. Any thread."""
        self._symbols = frozenset(symbols)
        self.bell.ring()

    def reconnect(self, connection: int, why: str) -> None:
        """Make the connection of that number anew. Any thread."""
        self._mistrust = (connection, why)
        self.bell.ring()

    def end(self, why: str) -> None:
        """End the feed. Any thread."""
        self.ending = why
        self.bell.ring()

    def topics(self) -> frozenset[Topic]:
        """What is to be subscribed; the same object as long as it is the same."""
        made_for, topics = self._topics
        symbols, sentinel = self._symbols, self.vendor.sentinel
        if symbols is not made_for:
            topics = self.vendor.topics(symbols) | ({sentinel} if sentinel is not None else set())
            self._topics = (symbols, topics)
            self.holes.forget(topics)
        return topics

    def lead_ns(self) -> int:
        """How far the vendor's clock is ahead of ours, as far as events have told; below 0 where what comes is old."""
        known = (self.progress.lead_ns, self.had.lead_ns)
        return next((lead_ns for lead_ns in known if lead_ns is not None), 0)

    def is_heard(self, symbol: str) -> bool:
        """Whether anything of a symbol ever came, in this session."""
        topics = [Topic(channel, symbol) for channel in Channel]
        return any(each.last_event_ns(topic) is not None for each in (self.progress, self.had) for topic in topics)

    def mistrust(self, connection: int) -> str:
        """Why a connection is to be made anew, as the core sees it; '' when it isn't."""
        number, why = self._mistrust
        return why if number == connection else ""

    def tell(self, action: FeedAction, **values: int | str) -> None:
        """A fact of now."""
        self.tell_all([Fact(self.clock.now_ns(), action, **values)])  # type: ignore[arg-type]  # by name, each its own type

    def tell_all(self, facts: Iterable[Fact]) -> None:
        """Facts in their order, without the vendor's keys."""
        secrets = self.vendor.secrets
        self.inbox.put([(self.number, fact._replace(text=hidden(fact.text, secrets))) for fact in facts], 0)
