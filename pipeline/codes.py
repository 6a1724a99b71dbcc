"""Codes: every closed set an event can name, as integers that never change their meaning.

A code is written into logs that outlive this version: add at the end, never renumber, never reuse; tests pin them all.
"""

from enum import IntEnum, IntFlag


class Kind(IntEnum):
    """What an event is: one Arrow schema each."""

    INSTRUMENT = 1
    QUOTE = 2
    PRINT = 3
    BAR = 4
    STATUS = 5
    FEED = 6
    RAW = 7
    SESSION = 8
    TIMER = 9
    NOTE = 10
    ACCOUNT = 11
    REQUEST = 12
    CANDIDATE = 13
    UNIVERSE = 14
    REFERENCE = 15
    INDICATOR = 16
    TRANSITION = 17
    INTENT = 18
    RISK = 19
    ORDER = 20
    FILL = 21
    POSITION = 22
    MESSAGE = 23
    CHECKPOINT = 24
    SNAPSHOT = 25


class Origin(IntEnum):
    """How a row came to be. Everything but DERIVED is an input."""

    INPUT = 0
    BACKFILL = 1
    """Fetched after a hole; never triggers an entry, reaches only bars and accumulators that accept late data."""
    WARMUP = 2
    """History put in front of what a strategy hears of an instrument; it alone hears it, and it enters nothing."""
    DERIVED = 3
    """Computed by a reducer from the input with the same `seq`."""


class Side(IntEnum):
    """Direction. As an aggressor, NONE means the venue did not say."""

    SELL = -1
    NONE = 0
    BUY = 1


class Mark(IntFlag):
    """What is odd about a market row that was kept (column `marks`)."""

    NONE = 0
    DUPLICATE = 1
    """Same identity (venue, instrument, trade id or sequence and times) as an earlier row."""
    OUT_OF_ORDER = 2
    """Its receive time is before that of the row in front of it in the same source."""
    LATE = 4
    """Its event time lies in a bar that was closed already."""
    CROSSED = 8
    LOCKED = 16
    UNDEFINED_TS = 32
    """The vendor gave no event time: the receive time stands in."""
    SNAPSHOT = 64
    ONE_SIDED = 128
    """Only one side of the quote is there."""
    NO_LAST = 256
    """A print that must not move the last price (its conditions say so)."""
    NO_HIGH_LOW = 512
    """A print that must not move high or low."""
    NO_VOLUME = 1024
    """A print that must not count as volume."""
    CANCEL = 2048
    """Takes back the print named by `corrects_trade_id`."""
    CORRECTION = 4096
    """Replaces the print named by `corrects_trade_id`."""
    UNTRUSTED = 8192
    """Possibly wrong: the vendor says so (a bad timestamp, a maybe-bad book), a bar's prices contradict each other, or its volume passed 64 bits."""
    PARTIAL = 16384
    """A bar that the end of its part of the day cut short."""


class AssetClass(IntEnum):
    """What kind of thing an instrument is; capabilities (float, halts, SSR) follow from it."""

    OTHER = 0
    EQUITY = 1
    ETF = 2
    FUTURE = 3
    OPTION = 4
    CRYPTO = 5
    CRYPTO_PERPETUAL = 6
    FX = 7
    INDEX = 8


class BarUnit(IntEnum):
    """What a bar's length counts, TIME nanoseconds from the start of the exchange's day: SESSION_ ones anew in each part of a trading day (premarket, regular, after hours)."""

    TIME = 0
    TICKS = 1
    VOLUME = 2
    DOLLARS = 3
    RANGE = 4
    SESSION_TIME = 5
    SESSION_TICKS = 6
    SESSION_VOLUME = 7
    SESSION_DOLLARS = 8
    SESSION_RANGE = 9


class BarBasis(IntEnum):
    """What a bar was made of."""

    VENDOR = 0
    """Made by the vendor: an input."""
    PRINTS = 1
    """Aggregated here from prints."""
    QUOTES = 2
    """Aggregated here from the mid of quotes."""


class TradingStatus(IntEnum):
    """Whether an instrument trades; PAUSED by price bands; LIMITS is no change of it: new bands or a short-sale rule."""

    UNKNOWN = 0
    PRE_OPEN = 1
    TRADING = 2
    HALTED = 3
    PAUSED = 4
    QUOTING = 5
    """Quotes only, before a reopening."""
    CLOSED = 6
    POST_CLOSE = 7
    SUSPENDED = 8
    LIMITS = 9


class StatusReason(IntEnum):
    """Why the status changed."""

    NONE = 0
    SCHEDULED = 1
    NEWS_PENDING = 2
    NEWS_RELEASED = 3
    VOLATILITY = 4
    LIMIT_STATE = 5
    REGULATORY = 6
    ORDER_IMBALANCE = 7
    TECHNICAL = 8
    MARKET_WIDE = 9
    CORPORATE_ACTION = 10
    OTHER = 11


class FeedAction(IntEnum):
    """What happened to a feed; `feeds.facts` says what each of them tells."""

    DECLARED = 0
    CONNECTED = 1
    LOST = 2
    GAP_OPENED = 3
    GAP_CLOSED = 4
    MUTE = 5
    HEARD = 6
    REJECTED = 7
    SUBSCRIBED = 8
    UNSUBSCRIBED = 9
    BACKFILLED = 10
    SLOW = 11
    CLOCKS_APART = 12
    ENDED = 13
    IGNORED = 14
    UNHEARD = 15
    LAGGING = 16
    CAUGHT_UP = 17
    WARMED = 18


class SessionAction(IntEnum):
    """What happened to the session itself."""

    STARTED = 0
    RESUMED = 1
    ENDED = 2
    SETTING = 3
    """One setting: `key`, `text`."""
    CODE = 4
    """One source file of the code that reduces: `key` its name, `text` its blake3."""
    STOPPED = 5
    """A strategy was stopped: `key` its name, `text` why, the header's cause where."""
    STATE = 6
    """A row of opening state taken over from another session: `key` whose it is, `text` its members as JSON."""
    WARMING = 7
    """From here on history is fetched for strategies that ask for a warm-up: in each instrument they wait for a feed's WARMED."""
    CLOCK_STEPPED = 8
    """The machine's clock was set while it recorded: `key` which way, ahead or back, `text` by how many seconds."""


class AccountAction(IntEnum):
    """What an account row states."""

    OPENING_CASH = 0
    OPENING_POSITION = 1
    CASH = 2
    POSITION = 3
    HALTED = 4
    REDUCING = 5
    RESET = 6
    ORDER_IDS = 7
    """Order ids up to `quantity_steps` are used up."""
    DIFFERENCE = 8
    """What the broker says and what the log says are not the same."""
    POSITION_DIFFERENCE = 9
    """The broker's position less the log's is `quantity_steps` from here on; 0: they agree again."""


class RequestAction(IntEnum):
    """What the operator asks of a running session."""

    ADD_SYMBOL = 0
    DROP_SYMBOL = 1
    FLATTEN = 2
    HALT = 3
    RESET = 4
    NOTE = 5
    START_STRATEGY = 6
    STOP_STRATEGY = 7
    END = 8
    REDUCE = 9
    """Enter nothing any more; what is held is left to the strategies."""
    WITHDRAW = 10
    """Cancel every entry that still works, as a session does that ends at a broker; what protects stays."""


class IntentAction(IntEnum):
    """What a strategy wishes."""

    ENTER = 0
    EXIT = 1
    CANCEL = 2
    REPLACE = 3
    FLATTEN = 4
    NONE = 5
    """No wish: a gate's verdict changed and this row says which gate refuses."""


class IntentOutcome(IntEnum):
    """What became of a wish in the step that made it."""

    TAKEN = 0
    GATED = 1
    """One of the strategy's own gates refused: `gate`, `gate_value`, `gate_threshold`."""
    LOST = 2
    """Of what all entries share nothing is left: the winner is the last that took of it in this round, the risk gate's row says of what."""
    EMPTY = 3
    """Nothing to do: no position to exit, no order to cancel, a size that rounds to zero."""
    INVALID = 4
    """A side, price or size that no order can have: none, infinite, below zero, too large."""
    DUPLICATE = 5
    """The same wish already stands."""
    UNSIZED = 6
    """No size or several: accepted is one of quantity, notional and risk."""
    UNPRICED = 7
    """A size by notional or risk that can't be worked out: no price to go by, or risk without a stop."""
    MISPLACED = 8
    """A stop or a target at the price or on its wrong side."""


class OrderType(IntEnum):
    """How an order may execute."""

    MARKET = 0
    LIMIT = 1
    STOP = 2
    STOP_LIMIT = 3
    TRAILING_STOP = 4


class TimeInForce(IntEnum):
    """How long an order stands."""

    DAY = 0
    GTC = 1
    IOC = 2
    FOK = 3
    GTD = 4
    OPENING = 5
    CLOSING = 6


class OrderFlag(IntFlag):
    """Conditions on an order."""

    NONE = 0
    EXTENDED_HOURS = 1
    POST_ONLY = 2
    REDUCE_ONLY = 4
    BRACKET_ENTRY = 8
    BRACKET_STOP = 16
    BRACKET_TARGET = 32
    ONE_CANCELS_OTHER = 64
    HELD_BY_US = 128
    """Not at the venue: the engine sends it when it triggers."""


class OrderState(IntEnum):
    """Where an order stands in its life."""

    INTENDED = 0
    REFUSED = 1
    APPROVED = 2
    SUBMITTED = 3
    UNKNOWN = 4
    ACCEPTED = 5
    PARTIALLY_FILLED = 6
    FILLED = 7
    CANCEL_PENDING = 8
    CANCELLED = 9
    REJECTED = 10
    EXPIRED = 11
    REPLACED = 12


class OrderReason(IntEnum):
    """Why an order moved to its state."""

    NONE = 0
    INTENT = 1
    VENUE = 2
    HALTED = 3
    NO_SLOT = 4
    TIME_IN_FORCE = 5
    OPERATOR = 6
    STRATEGY_STOPPED = 7
    SESSION_ENDED = 8
    WOULD_CROSS = 9
    UNSUPPORTED = 10
    NO_REFERENCE_PRICE = 11
    ONE_CANCELS_OTHER = 12
    """Another order of its tag filled."""
    TRIGGERED = 13
    """A stop that we hold saw its price, and was sent with a limit."""


class RiskRule(IntEnum):
    """Which rule spoke last in the risk gate; PASSED means all agreed."""

    PASSED = 0
    NOT_FINITE = 1
    NO_REFERENCE_PRICE = 2
    STALE_QUOTE = 3
    HALTED_INSTRUMENT = 4
    PRICE_COLLAR = 5
    ORDER_QUANTITY = 6
    ORDER_NOTIONAL = 7
    POSITION_NOTIONAL = 8
    OPEN_ORDERS = 9
    DAILY_LOSS = 10
    BUYING_POWER = 11
    KILL_SWITCH = 12
    SESSION_WINDOW = 13
    LOSS_STREAK = 14
    DRAWDOWN = 15
    COOL_DOWN = 16
    ALLOW_LIST = 17
    ORDER_RATE = 18
    CROSSED_QUOTE = 19
    BACKFILLED = 20
    SHORT_SALE = 21
    UNKNOWN_ORDER = 22
    """Nobody knows what became of an order in this instrument."""
    PLACES = 23
    """All pairs that may hold a position at once do."""
    DUPLICATE = 24
    """An entry of its strategy stands in its instrument, on its side."""
    INSTRUMENT_STRATEGIES = 25
    INSTRUMENT_NOTIONAL = 26
    SECTOR_INSTRUMENTS = 27
    SECTOR_NOTIONAL = 28
    THEME_INSTRUMENTS = 29
    """Instruments that are told to run together."""
    THEME_NOTIONAL = 30
    TOTAL_NOTIONAL = 31
    MISSING_POSITION = 32
    """The broker does not have what is held."""


class RiskVerdict(IntEnum):
    """What the gate decided."""

    REFUSED = 0
    APPROVED = 1
    REDUCED = 2


class Liquidity(IntEnum):
    """Whether a fill took or made."""

    UNKNOWN = 0
    TAKER = 1
    MAKER = 2


class MessageLevel(IntEnum):
    """How loud a strategy's message is."""

    INFO = 0
    WARNING = 1
    ERROR = 2
