"""Tries: how many sets of parameters the store holds that were tried over some sessions, by whichever command.

Each was a chance to find something by luck, also when nobody remembers it. A set with other code, settings, scanner or picks is
another one. They are read off the rows of backtests, which a study and a walk leave too; of a study whose backtests were deleted
off its trials.
"""

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet

import msgspec

from pipeline.log.backtests import Backtest, CellRow, Value, backtests, rows_by_backtest
from pipeline.log.manifest import Manifest
from pipeline.log.studies import batches_by_study, studies
from pipeline.run.backtesting import Overnight
from pipeline.run.cell import key_of
from pipeline.run.fold import anew
from pipeline.run.optimizing import Bench
from pipeline.run.sweeping import Point, Space


class Tries:
    """What was tried of the strategies of a space over these sessions, but for sets that are known."""

    def __init__(self, bench: Bench, space: Space, sessions: Sequence[Manifest], known: Iterable[Point]) -> None:
        """Raises CorruptError for rows or trials that are damaged."""
        points = list(dict.fromkeys(known))
        self._bench = bench
        self._strategies = tuple(strategy.name for strategy in space.base.strategies)
        self._cells: dict[bytes, dict[tuple[str, str], set[str]]] = {}
        """Keys by set of parameters, and by session and day."""
        self._trials: dict[bytes, set[str]] = {}
        """Sessions by set of parameters, where the rows are gone."""
        self._studies: dict[str, frozenset[str]] = {}
        """Sessions by study."""
        kept = self._read_rows({session.id for session in sessions}, _keys(bench, space, sessions, points))
        fixed = space.fixed
        own = {_word(bench.code_hash, space.base.settings, fixed | space.values_of(point)) for point in points}
        self._read_trials(kept, own)

    def over(self, sessions: Iterable[Manifest]) -> int:
        """How many sets were tried over some of these.

        A set over several sessions is one: of what is called the same it is told by the session with the most keys, so that a scanner
        whose file was changed counts too.
        """
        ids = {session.id for session in sessions}
        of_rows = {
            word: max((len(keys) for (session, _), keys in places.items() if session in ids), default=0)
            for word, places in self._cells.items()
        }
        of_trials = (not of_rows.get(word) and not ids.isdisjoint(tried) for word, tried in self._trials.items())
        return sum(of_rows.values()) + sum(of_trials)

    def studies_over(self, sessions: Iterable[Manifest], own: AbstractSet[str]) -> int:
        """How many studies but these went over some of the sessions, whatever they tried."""
        ids = {session.id for session in sessions}
        return sum(study not in own and not ids.isdisjoint(over) for study, over in self._studies.items())

    def _read_rows(self, ids: AbstractSet[str], known: AbstractSet[str]) -> AbstractSet[str]:
        """Take in what backtests hold; which of them there are."""
        kept = backtests(self._bench.store)
        wanted = [
            asked for asked in kept if asked.strategies == self._strategies and not ids.isdisjoint(asked.sessions)
        ]
        for asked, rows in rows_by_backtest(self._bench.store, of=wanted):
            for row in rows:
                if row.session in ids and row.key not in known:
                    places = self._cells.setdefault(_word_of(asked, row), {})
                    places.setdefault((row.session, row.day), set()).add(row.key)
        return {asked.id for asked in kept}

    def _read_trials(self, kept: AbstractSet[str], known: AbstractSet[bytes]) -> None:
        of = [study for study in studies(self._bench.store) if study.strategies == self._strategies]
        for study, batches in batches_by_study(self._bench.store, of=of):
            self._studies[study.id] = frozenset(study.sessions)
            for batch in batches:
                if batch.backtest in kept:
                    continue
                for trial in batch.trials:
                    word = _word(study.code_hash, study.settings, study.params | trial.params)
                    if word not in known:
                        self._trials.setdefault(word, set()).update(study.sessions)


def _keys(bench: Bench, space: Space, sessions: Sequence[Manifest], points: Sequence[Point]) -> set[str]:
    plans = space.chosen(points).plans
    return {key_of([session], anew(plan, session.settings), bench.code_hash) for session in sessions for plan in plans}


def _word_of(asked: Backtest, row: CellRow) -> bytes:
    return _word(asked.code_hash, asked.settings, row.params, asked.scanner, asked.overnight)


def _word(
    code_hash: str, settings: object, params: dict[str, Value], scanner: str = "", overnight: str = Overnight.FLAT
) -> bytes:
    """A set of parameters, all of them: of a study those that vary and those that are the same in all its trials."""
    return msgspec.json.encode([code_hash, settings, scanner, overnight, params], order="deterministic")
