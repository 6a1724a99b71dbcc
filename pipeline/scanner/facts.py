"""Facts: what `reference` events say of instruments, each from the moment on at which it was known and in force.

Of several that say the same thing of an instrument one is chosen, by a rule that needs no look back: whose provider the
definition names first; then the one that describes the latest moment (`as_of`); then the one known last; then the one
that came last. All of them stay in the log.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from pipeline.block import Block, Numbers
from pipeline.scanner.columns import FLOAT, MOMENT, Column, Columns
from pipeline.scanner.splits import SPLIT_RATIO, Splits
from pipeline.units import ABSENT, DAY_NS

NEWS: Final = "news"
"""One event each: `text` its headline, `known_at` when it was first seen, `as_of` when it says it was published."""

_COLUMNS: Final = {
    "value": FLOAT,
    "word": Column("i4", 0),
    "known_ns": MOMENT,
    "as_of_ns": MOMENT,
    "provider": Column("i4", 0),
    "preference": Column("i4", -1),
}
_WAITING: Final = np.dtype(
    [
        ("due_ns", "<i8"),
        ("name", "<i4"),
        ("id", "<i4"),
        *((name, "<" + column.type) for name, column in _COLUMNS.items()),
    ]
)


class Facts:
    """The facts in force, and those that wait for their moment."""

    def __init__(self, providers: Sequence[str]) -> None:
        """`providers` are believed in this order; all others after them."""
        self._preference = {name: len(providers) - place for place, name in enumerate(providers)}
        self._words = [""]
        self._by_word = {"": 0}
        self._chosen: dict[str, Columns] = {}
        self._absent = Columns(_COLUMNS)
        self._waiting = np.zeros(0, _WAITING)
        self._waiting_texts = {"": 0}
        self._news = np.zeros((0, 2), np.int64)
        self.splits = Splits()

    def fold(self, block: Block, held_ns: Numbers | None = None) -> None:
        """Take in rows of kind `reference`; they count from `release` on, none before its moment in `held_ns`, (n,) int64."""
        rows = np.zeros(len(block), _WAITING)
        known_ns, as_of_ns = block.number("known_at_ns"), block.number("as_of_ns")
        known_ns = np.where(known_ns == ABSENT, block.number("ts_recv_ns"), known_ns)
        as_of_ns = np.where(as_of_ns == ABSENT, known_ns, as_of_ns)
        rows["due_ns"] = np.maximum(known_ns, as_of_ns)  # a split that is announced is not in force yet
        if held_ns is not None:
            rows["due_ns"] = np.maximum(rows["due_ns"], held_ns)
        for name, column in (("name", "field"), ("word", "text"), ("provider", "provider")):
            rows[name] = [self._waiting_texts.setdefault(text, len(self._waiting_texts)) for text in block.text(column)]
        rows["preference"] = [self._preference.get(name, 0) for name in block.text("provider")]
        rows["id"], rows["value"] = block.number("instrument_id"), block.number("value")
        rows["known_ns"], rows["as_of_ns"] = known_ns, as_of_ns
        self._waiting = np.concatenate([self._waiting, rows])

    def release(self, now_ns: int, rows: int) -> None:
        """Put in force what is known by now, for so many instruments."""
        is_due = (self._waiting["due_ns"] <= now_ns) & (self._waiting["id"] < rows)
        if not is_due.any():
            return
        due, self._waiting = self._waiting[is_due], self._waiting[~is_due]
        texts = list(self._waiting_texts)
        for column in ("word", "provider"):  # numbered when they come in force: what comes later leaves no trace before
            numbers = {each: self.word(texts[each]) for each in dict.fromkeys(due[column].tolist())}
            due[column] = [numbers[each] for each in due[column].tolist()]
        for name in np.unique(due["name"]).tolist():
            self._choose(texts[name], due[due["name"] == name], rows)

    def of(self, name: str, rows: int) -> Columns:
        """Value, word, known_ns, as_of_ns and provider of a fact, (rows,) each; all absent when nobody told it."""
        found = self._chosen.get(name)
        if found is None:
            found = self._absent  # nobody writes into it
        found.grow(rows)
        return found

    def names(self) -> list[str]:
        """The facts that somebody told."""
        return sorted(self._chosen)

    def text(self, word: int) -> str:
        """The text that a word's number stands for."""
        return self._words[word]

    def word(self, text: str) -> int:
        """The number of a text, which it keeps from now on."""
        if text not in self._by_word:
            self._by_word[text] = len(self._words)
            self._words.append(text)
        return self._by_word[text]

    def number_of(self, text: str) -> int:
        """The number of a text, -1 when no fact has it."""
        return self._by_word.get(text, -1)

    def news_since(self, since_ns: int, rows: int) -> Numbers:
        """(rows,) int64: how many news of each instrument were first seen after a moment."""
        self._news = self._news[self._news[:, 1] > since_ns]
        return np.bincount(self._news[:, 0], minlength=rows)

    def arrays(self) -> dict[str, Any]:
        """All that is kept, words as a list."""
        told = {
            f"{name}.{column}": kept for name in self.names() for column, kept in self._chosen[name].arrays().items()
        }
        texts = list(self._waiting_texts)
        kept = {"waiting": self._waiting, "texts": texts, "news": self._news, "splits": self.splits.kept}
        return {**kept, "words": self._words, **told}

    def put_back(self, arrays: Mapping[str, Any]) -> None:
        """What was kept, in place of what is there."""
        self._words = list(arrays["words"])
        self._by_word = {text: number for number, text in enumerate(self._words)}
        self._waiting_texts = {text: number for number, text in enumerate(arrays["texts"])}
        self._waiting, self._news = np.array(arrays["waiting"]), np.array(arrays["news"])
        self.splits.kept = np.array(arrays["splits"])
        self._chosen = {}
        for name in sorted({key.rpartition(".")[0] for key in arrays} - {""}):
            self._chosen[name] = Columns(_COLUMNS)
            self._chosen[name].put_back({column: arrays[f"{name}.{column}"] for column in _COLUMNS})

    def _choose(self, name: str, due: Numbers, rows: int) -> None:
        if name == NEWS:
            self._news = np.concatenate([self._news, np.stack([due["id"], due["known_ns"]], axis=1)])
        if name == SPLIT_RATIO:
            self._split(due)
        chosen = self._chosen.setdefault(name, Columns(_COLUMNS, rows))
        chosen.grow(rows)
        due = due[np.lexsort((np.arange(len(due)), due["known_ns"], due["as_of_ns"], due["preference"], due["id"]))]
        last = due[np.append(due["id"][1:] != due["id"][:-1], True)]  # the last row of all
        ids = last["id"]
        last = last[_is_better(last, chosen, ids)]
        for column in _COLUMNS:
            chosen[column][last["id"]] = last[column]

    def _split(self, due: Numbers) -> None:
        days = day_of(due["as_of_ns"]).tolist()
        told = (due[name].tolist() for name in ("value", "known_ns", "preference", "provider"))
        for id_, day, *rest in zip(due["id"].tolist(), days, *told, strict=True):
            self.splits.add(id_, day, *rest)


def _is_better(rows: Numbers, chosen: Columns, ids: Numbers) -> Numbers:
    """(n,) bool: whether each row is to be believed rather than what is chosen for its instrument."""
    better = np.zeros(len(rows), np.bool_)
    is_open = np.ones(len(rows), np.bool_)
    for name in ("preference", "as_of_ns", "known_ns"):
        mine, theirs = rows[name], chosen[name][ids]
        better |= is_open & (mine > theirs)
        is_open &= mine == theirs
    found: Numbers = better | is_open
    return found


def day_of(ts_ns: Numbers) -> Numbers:
    """(n,) int64: the date a fact describes, in days since 1970: a close, or a date at midnight in UTC or New York."""
    return np.where(ts_ns == ABSENT, -1, ts_ns // DAY_NS)
