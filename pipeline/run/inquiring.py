"""Inquiring: providers asked about symbols by REST, and what they say kept."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import aclosing
from typing import Final, NamedTuple

import anyio

from pipeline.errors import ConfigError, TheirsError, UnitError
from pipeline.feeds.fetching import fetching
from pipeline.feeds.history import Fetch, pages
from pipeline.feeds.reference_providers import PROVIDERS, Inquiry
from pipeline.feeds.sockets import is_loopback
from pipeline.instruments import meant_symbol
from pipeline.log.store import Store
from pipeline.normalize.reference import Fact
from pipeline.run.feeds import ANY_KEY, KEYS
from pipeline.run.keys import key_named
from pipeline.run.referencing import Kept, keep
from pipeline.run.trading_days import SHARES, day_of

AT_ONCE: Final = 4
"""Inquiries under way at a time."""


class Answered(NamedTuple):
    """What came of asking. `failed` tells what got no answer that could be read, and why."""

    kept: Kept
    failed: list[str]


def inquire(
    store: Store, provider: str, symbols: Iterable[str], *, now_ns: Callable[[], int], url: str | None = None
) -> Answered:
    """Ask a provider about these symbols and keep what it says, as known from the moment of each answer on.

    `url` is a simulator's address. Raises ConfigError for a provider or a symbol that is none and where a key is missing, LockedError.
    """
    if provider not in PROVIDERS:
        raise ConfigError(f"--provider {provider}: there are {', '.join(PROVIDERS)}")
    names = list(dict.fromkeys(_symbol(text) for text in symbols if text.strip()))
    if not names:
        raise ConfigError("--symbols: name at least one")
    is_simulated = url is not None and is_loopback(url)
    secrets = tuple(ANY_KEY if is_simulated else key_named(name) for name in KEYS[provider])
    inquiries = PROVIDERS[provider](secrets, names, day_of(now_ns(), SHARES), url)
    facts, failed = anyio.run(_asked, inquiries, now_ns)
    return Answered(keep(store, facts, now_ns=now_ns()), failed)


def _symbol(text: str) -> str:
    try:
        return meant_symbol(text)
    except UnitError as error:
        raise ConfigError(f"--symbols: {error}") from None


async def _asked(inquiries: Iterator[Inquiry], now_ns: Callable[[], int]) -> tuple[list[Fact], list[str]]:
    """All inquiries, some at a time; facts in the order of the inquiries, whatever order the answers came in."""
    found: dict[int, list[Fact]] = {}
    failed: dict[int, str] = {}
    numbered = enumerate(inquiries)
    async with fetching() as fetch:

        async def work() -> None:
            for number, inquiry in numbered:
                try:
                    found[number] = await _facts(fetch, inquiry, now_ns)
                except TheirsError as error:
                    failed[number] = f"{inquiry.about}: {error}"

        async with anyio.create_task_group() as tasks:
            for _ in range(AT_ONCE):
                tasks.start_soon(work)
    facts = [fact for _, some in sorted(found.items()) for fact in some]
    return facts, [text for _, text in sorted(failed.items())]


async def _facts(fetch: Fetch, inquiry: Inquiry, now_ns: Callable[[], int]) -> list[Fact]:
    """What all pages of an inquiry say. Raises HistoryError, FeedError."""
    facts: list[Fact] = []
    async with aclosing(pages(inquiry.questions, fetch)) as found:
        async for body in found:
            facts += inquiry.read(body, now_ns())
    return facts
