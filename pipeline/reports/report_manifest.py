"""The section that says what a report stands on: each log's manifest, what it was run with, and what people noted."""

from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.log.manifest import Manifest
from pipeline.reports.report_document import Cell, Fact, Facts, Line, Part, Section, Table
from pipeline.reports.report_material import Material
from pipeline.reports.report_numbers import moment

LOGS_SHOWN = 20


def manifest_section(material: Material) -> Section:
    """Of each log what it is; settings and parameters as a table; notes."""
    logs = material.logs[:LOGS_SHOWN]
    parts: list[Part] = [_facts(log) for log in logs]
    if len(logs) < len(material.logs):
        parts.append(Line(f"{len(logs)} of {len(material.logs):,} logs are shown, the first."))
    parts.append(_settings(logs))
    notes = material.rows.table("notes", "noted_at", "text")
    if notes is None:
        parts.append(Line("Nobody noted anything."))
    else:
        rows = [
            [
                Cell(f"{row['noted_at']:%Y-%m-%d %H:%M:%S}" if row["noted_at"] else ""),
                Cell(str(row.get("tag") or "")),
                Cell(str(row["text"] or "")),
            ]
            for row in notes.to_pylist()
        ]
        parts.append(Table("notes", ("noted, UTC", "tag", "text"), rows))
    return Section("manifest", "Manifest", parts)


def _facts(log: Manifest) -> Facts:
    kinds = ", ".join(
        f"{count:,} {kind}" for kind, count in sorted(log.kinds.items(), key=lambda each: (-each[1], each[0]))
    )
    rows = {
        "what": f"{log.what}, {log.mode.value}, {log.state}",
        "of": ", ".join(log.parents),
        "made, UTC": moment(log.created_ns),
        "from, UTC": moment(log.first_ts_ns),
        "to, UTC": moment(log.last_ts_ns),
        "inputs": f"{log.inputs:,}",
        "decided": f"{log.derived:,}",
        "refused": f"{log.refused:,}",
        "rows": kinds,
        "strategies": ", ".join(f"{each.name} {each.code_hash[:12]}" for each in log.strategies),
        "code": log.code_hash[:16],
        "decisions": log.decisions_hash[:16],
        "state": log.state_hash[:16],
        "seed": str(log.seed) if log.seed else "",
        "platform": log.platform,
    }
    return Facts(
        log.id, [Fact(name, Cell(text, "quiet" if name == "rows" else "")) for name, text in rows.items() if text]
    )


def _settings(logs: tuple[Manifest, ...]) -> Facts:
    """What the logs were run with, a line for each setting; equal ones of several logs are told once."""
    told: dict[tuple[str, str], list[str]] = {}
    for log in logs:
        for name, value in _flat(log):
            told.setdefault((name, value), []).append(log.id)
    rows = [
        Fact(name, Cell(value), "" if len(ids) == len(logs) else ", ".join(ids))
        for (name, value), ids in sorted(told.items())
    ]
    return Facts("settings", rows)


def _flat(log: Manifest) -> Iterator[tuple[str, str]]:
    for strategy in log.strategies:
        for name, value in strategy.params.items():
            yield f"{strategy.name}.{name}", str(value)
    yield from _leaves("", log.settings)


def _leaves(path: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping) and value:
        for name, beneath in value.items():
            yield from _leaves(f"{path}.{name}" if path else str(name), beneath)
    elif isinstance(value, list) and any(isinstance(each, (Mapping, list)) for each in value):
        for place, beneath in enumerate(value, 1):
            yield from _leaves(f"{path}.{place}", beneath)
    elif value not in (None, "", [], {}):
        yield path, ", ".join(map(str, value)) if isinstance(value, list) else str(value)
