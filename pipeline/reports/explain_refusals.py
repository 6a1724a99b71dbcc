"""Refusals: why nothing was done of a symbol by a moment: what each strategy last heard a no from, and what the scanners saw.

All of it stands in the log: a gate's row says what it saw when it began to refuse, a wish what became of it, a risk row the
rule with its value and its limit. A gate leaves a row when it begins to refuse, not when it goes on; so it is told since
when, and whether something was wished since, for which all gates must have let pass.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from pipeline.codes import IntentAction, IntentOutcome, Kind, OrderState, Origin, RiskVerdict
from pipeline.reports.explain_chain import Step, step_of
from pipeline.reports.explain_rows import Place, Row, Rows, row_at
from pipeline.reports.explain_words import Teller, word_of
from pipeline.scanner_codes import CandidateVerdict

_DECIDED: Final = (Kind.TRANSITION, Kind.INTENT, Kind.RISK, Kind.ORDER, Kind.POSITION)
_NO_MORE: Final = (OrderState.REFUSED, OrderState.REJECTED, OrderState.EXPIRED, OrderState.CANCELLED)
_ROLES: Final = ("phase", "gate", "gate, passed since", "not taken", "risk", "order", "wished", "position", "stopped")


class StrategyAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What one strategy made of the symbol by then."""

    strategy: str
    phase: str
    """The phase it last moved to; empty: it never moved."""
    findings: list[Step]
    """By `role`, the last of each: phase, gate, gate passed since, not taken (a wish), risk, order, wished, position, stopped."""


class FilterAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What one filter of a scanner saw."""

    filter: str
    value: float | None
    threshold: float | None
    passed: bool | None
    """None for what is shown only."""


class ScannerAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What one scanner made of the symbol, at the last evaluation that wrote it down."""

    scanner: str
    seq: int
    ts_ns: int
    evaluation: int
    verdict: str
    rank: int
    filters: list[FilterAnswer]
    listed: Step | None
    """When it last came into the list, or left it."""


def refusals(rows: Rows, place: Place, instrument_id: int, teller: Teller) -> list[StrategyAnswer]:
    """Of each strategy the last word of each sort before a place."""
    found: dict[int, dict[str, Step]] = {number: {} for number in range(1, len(teller.strategies) + 1)}
    phases: dict[int, str] = {}
    for row in rows.before(_DECIDED, place, instrument_id):
        last = found.get(row.pair[0])
        role = _role(row, last or {})
        if last is None or role is None or role in last:
            continue
        last[role] = step_of(row, teller, role, _winner(rows, row, teller))
        if role == "phase":
            phases[row.pair[0]] = teller.word(row.pair[0], "phases", row.values["to_phase"])
    for row in rows.before([Kind.SESSION], place):
        names = {entry.name: number for number, entry in enumerate(teller.strategies, 1)}
        number = names.get(row.values["key"])
        if row.values["origin"] == Origin.DERIVED and number is not None:
            found[number].setdefault("stopped", step_of(row, teller, "stopped"))
    return [
        StrategyAnswer(
            strategy=teller.strategy(number),
            phase=phases.get(number, ""),
            findings=[last[role] for role in _ROLES if role in last],
        )
        for number, last in found.items()
    ]


def _role(row: Row, later: Mapping[str, Step]) -> str | None:
    """What a decision says about why nothing more came of it; None when it says nothing. `later` is what was found behind it."""
    values = row.values
    match row.kind:
        case Kind.RISK:
            return "risk" if values["verdict"] == RiskVerdict.REFUSED else None
        case Kind.ORDER:
            return "order" if values["state"] in _NO_MORE else None
        case Kind.INTENT:
            return _role_of_wish(values, later)
        case _:
            return "phase" if row.kind is Kind.TRANSITION else "position"


def _role_of_wish(values: Mapping[str, Any], later: Mapping[str, Step]) -> str | None:
    """An entry, or a gate that began to refuse; what is wished of a position or an order says nothing of a symbol that has none."""
    if values["action"] == IntentAction.ENTER:
        return "wished" if values["outcome"] == IntentOutcome.TAKEN else "not taken"
    if values["action"] != IntentAction.NONE or "gate" in later or "gate, passed since" in later:
        return None
    return "gate, passed since" if "wished" in later or "not taken" in later else "gate"


def _winner(rows: Rows, row: Row, teller: Teller) -> Iterator[Step]:
    """The entry that took the place, beside a wish that lost."""
    if row.kind is Kind.INTENT and row.values["winner_seq"]:
        winner = row_at(rows, (row.values["winner_seq"], row.values["winner_ord"]))
        if winner is not None:
            step = step_of(winner, teller, "winner")
            yield msgspec.structs.replace(step, says=f"{teller.who(winner.values)}: {step.says}")


def verdicts(rows: Rows, place: Place, instrument_id: int, teller: Teller) -> list[ScannerAnswer]:
    """Of each scanner the last evaluation before a place that wrote the symbol down; none of one that never did."""
    scanners = teller.scanners
    written: dict[int, list[Row]] = {}
    for row in rows.before([Kind.CANDIDATE], place, instrument_id):
        of = written.setdefault(row.values["scanner_id"], [])
        if not of or of[0].values["evaluation"] == row.values["evaluation"]:
            of.append(row)
        elif len(written) == len(scanners):
            break
    listed: dict[int, Step] = {}
    for row in rows.before([Kind.UNIVERSE], place, instrument_id):
        listed.setdefault(row.values["scanner_id"], step_of(row, teller, "listed"))
        if len(listed) == len(scanners):
            break
    return [
        _verdict(written[number][::-1], scanners[number - 1] if number <= len(scanners) else {}, listed.get(number))
        for number in sorted(written)
    ]


def _verdict(of: Sequence[Row], scanner: Mapping[str, Any], listed: Step | None) -> ScannerAnswer:
    first = of[0].values
    return ScannerAnswer(
        scanner=str(scanner.get("name", f"scanner {first['scanner_id']}")),
        seq=first["seq"],
        ts_ns=first["ts_recv_ns"],
        evaluation=first["evaluation"],
        verdict=word_of(CandidateVerdict, first["verdict"]),
        rank=first["rank"],
        filters=list(_filters(of, scanner)),
        listed=listed,
    )


def _filters(of: Iterable[Row], scanner: Mapping[str, Any]) -> Iterator[FilterAnswer]:
    for row in of:
        values = row.values
        is_filter = values["filter_id"] > 0
        names = scanner.get("filters" if is_filter else "fields", [])
        number = values["filter_id"] if is_filter else values["field_id"]
        yield FilterAnswer(
            filter=str(names[number - 1])
            if 0 < number <= len(names)
            else f"{'filter' if is_filter else 'field'} {number}",
            value=_present(values["value"]),
            threshold=_present(values["threshold"]),
            passed=None if values["is_passed"] < 0 else bool(values["is_passed"]),
        )


def _present(value: float) -> float | None:
    return None if value != value else value  # noqa: PLR0124  # NaN is not itself
