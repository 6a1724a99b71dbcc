"""Remembering: what a strategy knew behind an input, out of the fold itself."""

from collections.abc import Mapping
from typing import Any, Final

import pyarrow as pa

from dashboards.data import Door
from pipeline.log.manifest import Manifest
from pipeline.run.looking import look
from pipeline.run.traveling import Traveler, journey_of_log

_SCHEMA: Final = pa.schema([("part", pa.string()), ("name", pa.string()), ("value", pa.string())])


def remembered(door: Door, log: Manifest, trade: Mapping[str, Any], seq: int) -> pa.Table:
    """Every field of the strategy that made a trade, in its instrument, behind the input with this `seq`: part, name, value as texts.

    The first question of a log takes as long as folding it; waypoints are kept then. Raises TapeError for a log that can't be folded.
    """
    with Traveler(door.store, journey_of_log(door.store, log.id)) as traveler:
        moments = look(traveler, traveler.at(seq), trade["symbol"], trade["strategy"])
    rows = [
        {"part": part, "name": name, "value": f"{value:,.10g}" if isinstance(value, float) else str(value)}
        for moment in moments
        for part, section in ({"": {"phase": moment.phase}} | moment.sections).items()
        for name, value in section.items()
    ]
    return pa.Table.from_pylist(rows, _SCHEMA)
