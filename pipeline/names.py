"""Names that name nothing: what was perhaps meant, and some of what there is. Every refusal of a name says it in these words."""

from collections.abc import Collection
from typing import Final

LISTED_MAX: Final = 20


def did_you_mean(name: str, known: Collection[str], *, cutoff: float = 0.6) -> str:
    """`; did you mean X?`, with the known name that is most alike, whichever way its letters are written; empty when none is.

    >>> did_you_mean("opening_rnage", ["hold", "opening_range"])
    '; did you mean opening_range?'
    """
    near = nearest(name, known, cutoff=cutoff)
    return f"; did you mean {near}?" if near else ""


def printable(text: str) -> str:
    """Strangers' words without what a terminal would obey."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)


def nearest(name: str, known: Collection[str], *, cutoff: float = 0.6) -> str:
    """The known name that is most alike, whichever way its letters are written; empty when none is.

    >>> nearest("Holt", ["hold", "opening_range"])
    'hold'
    """
    import difflib  # noqa: PLC0415  # nobody who spells well has to wait for it

    spelt = {each.casefold(): each for each in known}
    near = difflib.get_close_matches(name.casefold(), list(spelt), 1, cutoff)
    return spelt[near[0]] if near else ""


def listed(known: Collection[str]) -> str:
    """Names with commas between them; of many the first, and how many more there are.

    >>> listed([])
    'nothing'
    """
    names = list(known)
    more = f" and {len(names) - LISTED_MAX:,} more" if len(names) > LISTED_MAX else ""
    return f"{', '.join(names[:LISTED_MAX]) or 'nothing'}{more}"
