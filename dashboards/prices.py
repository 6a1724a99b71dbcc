"""Prices: the chart of an instrument, the same on every page: candles, volume, lines, bid and offer, hours, halts, holes."""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from dashboards import indicated, market
from dashboards.charts import Band, Level, Point, Series, chart, columns
from dashboards.data import Door
from dashboards.figures import POINTS_MAX, STEPS_S, lacking
from dashboards.market import Candles, Stretch
from dashboards.words import span
from pipeline.log.manifest import Manifest
from pipeline.units import NANO

LINES: Final = indicated.PRESETS[:1]
"""What is drawn where nobody chose."""

SHOWN: Final = indicated.SHOWN
_NEAR: Final = 0.5
"""What lies within half of the lowest and one and a half of the highest price is drawn over them."""

_PANE_HEIGHT: Final = 90
_CANDLES_MAX: Final = 2 * POINTS_MAX


class Scene(NamedTuple):
    """What is drawn beside the market itself."""

    points: Sequence[Point] = ()
    levels: Sequence[Level] = ()
    bands: Sequence[Band] = ()
    shown_s: tuple[float, float] | None = None
    """What is seen first; what lies around it is a drag away."""
    is_following: bool = False
    """Stay at the right edge while it grows."""


def price_chart(
    name: str,
    door: Door,
    log: Manifest,
    stretch: Stretch,
    *,
    step_s: int,
    zone: str,
    hours: str,
    lines: Sequence[str] = LINES,
    scene: Scene = Scene(),  # noqa: B008 - nothing changes it
    height: int = 420,
) -> str:
    """Draw it, and say in a sentence what it is made of; nothing is drawn where nothing happened."""
    made = _reduced(door, log, stretch, step_s, scene)
    if not len(made.rows):
        return f"{lacking(door, log) or 'Nothing was traded or quoted here'}."
    kept = _window(made, scene)
    inner = _narrowed(stretch, made, kept)
    folded = [line for line in lines if line != SHOWN]
    drawn = series(made, market.spreads(door, log, inner, made.step_s), hours, folded, kept)
    if SHOWN in lines:
        drawn += _shown(market.shown(door, log, inner, made.step_s), drawn)
    bands = [
        *market.hours_bands(zone, hours, inner.from_ns, inner.to_ns),
        *market.interruptions(door, log, inner._replace(to_ns=stretch.to_ns)),
        *scene.bands,
    ]
    step = made.step_s
    chart(
        name,
        drawn,
        zone=zone,
        height=height + height_beneath(drawn),
        panes=panes(drawn),
        step_s=step,
        shown_s=scene.shown_s,
        bands=bands,
        points=on_grid(scene.points, step),
        levels=scene.levels,
        is_following=scene.is_following,
    )
    coarser = "" if step == step_s else f"; {span(step_s)} would be too many here"
    return f"Candles of {span(step)} from {made.source}{coarser}. Times of {zone}.{without(drawn, folded)}"


def series(made: Candles, spread: pa.Table, hours: str, lines: Sequence[str], kept: Any) -> list[Series]:
    """Candles, bid and offer, the indicators asked for, folded from the first row on, and volume on a pane of its own."""
    rows = made.rows.filter(kept)
    drawn = [Series("candles", "price", columns(rows, "open", "high", "low", "close"))]
    if len(spread):
        drawn.append(Series("ribbon", "bid / ask", columns(spread, "low", "high"), colour="main"))
    volume = columns(rows, "volume")
    shown = set(volume["time"])
    shown.update(spread["time"].to_pylist() if len(spread) else ())
    # before those beneath it: a pane is made when its first series comes, and the library leaves none out
    drawn.append(Series("bars", "volume", {"time": volume["time"], "value": volume["volume"]}, 1, "faint"))
    for line in indicated.lines(lines, made.rows, spread, hours):
        points = [point for point in zip(line.times, line.values, strict=True) if point[0] in shown]
        told: dict[str, list[Any]] = {"time": [time for time, _ in points], "value": [value for _, value in points]}
        drawn.append(Series("line", line.name, told, line.pane + 1 if line.pane else 0, line.colour))
    return drawn


def _shown(rows: pa.Table, drawn: Sequence[Series]) -> list[Series]:
    """What strategies showed: over the prices what is about as large as they are, all else on a pane of its own each."""
    told = rows.to_pylist()
    strategies = {row["strategy"] for row in told}
    prices = drawn[0].columns
    lowest, highest = min(prices["low"]) * (1 - _NEAR), max(prices["high"]) * (1 + _NEAR)
    pane = max(each.pane for each in drawn)
    found = []
    for place, (strategy, output) in enumerate(dict.fromkeys((row["strategy"], row["output"]) for row in told)):
        own = [row for row in told if (row["strategy"], row["output"]) == (strategy, output)]
        points = {"time": [row["time"] for row in own], "value": [row["value"] for row in own]}
        is_price = lowest <= min(points["value"]) and max(points["value"]) <= highest
        pane += not is_price
        name = output if len(strategies) == 1 else f"{strategy} {output}"
        colour = indicated.colour_over(place)
        found.append(Series("line", name, points, 0 if is_price else pane, colour, is_stepped=True))
    return found


def panes(drawn: Sequence[Series]) -> tuple[int, ...]:
    """How high panes are beside each other: prices, volume, and what lies beneath."""
    return (4, *[1] * max(each.pane for each in drawn))


def height_beneath(drawn: Sequence[Series]) -> int:
    """Pixels for the panes beneath the volume, which take nothing from the prices."""
    return _PANE_HEIGHT * (max(each.pane for each in drawn) - 1)


def without(drawn: Sequence[Series], lines: Sequence[str]) -> str:
    """A sentence about those lines that have no value in these rows; of none nothing."""
    names = [each.name for each in drawn]
    missing = [line for line in lines if not any(name == line or name.startswith(f"{line} ") for name in names)]
    return f" Without a value here: {', '.join(missing)}." if missing else ""


def on_grid(points: Sequence[Point], step_s: int) -> list[Point]:
    """Each at the candle that it fell into; those of a side in one candle as one, at their mean price."""
    found: dict[tuple[float, str], Point] = {}
    for point in points:
        at = point.time_s // step_s * step_s
        had = found.get((at, point.kind), point._replace(quantity=0.0))
        quantity = had.quantity + point.quantity
        price = (had.price * had.quantity + point.price * point.quantity) / quantity
        found[at, point.kind] = Point(at, point.kind, quantity, price)
    return list(found.values())


def _reduced(door: Door, log: Manifest, stretch: Stretch, step_s: int, scene: Scene) -> Candles:
    """With the step asked for where what is seen first has room for it, else the next one that has."""
    from_s, to_s = scene.shown_s or (stretch.from_ns / NANO, stretch.to_ns / NANO)
    fitting = next((step for step in STEPS_S if step >= step_s and (to_s - from_s) / step <= _CANDLES_MAX), STEPS_S[-1])
    return market.candles(door, log, stretch, fitting)


def _window(made: Candles, scene: Scene) -> Any:
    """Which rows are handed over: those that are seen first, and as many around them as there is room for."""
    time = made.rows["time"]
    if scene.shown_s is None or len(made.rows) <= _CANDLES_MAX:
        return pc.is_valid(time)
    around_s = (_CANDLES_MAX * made.step_s - (scene.shown_s[1] - scene.shown_s[0])) / 2
    after = pc.greater_equal(time, int(scene.shown_s[0] - around_s))
    kept = pc.and_(after, pc.less_equal(time, int(scene.shown_s[1] + around_s)))
    if pc.any(kept).as_py():
        return kept
    # Nothing happened there: what did last, else first.
    came = pc.sum(pc.less_equal(time, int(scene.shown_s[1]))).as_py()
    return pa.array(max(0, came - _CANDLES_MAX) <= place < max(came, _CANDLES_MAX) for place in range(len(time)))


def _narrowed(stretch: Stretch, made: Candles, kept: Any) -> Stretch:
    times = made.rows["time"].filter(kept)
    first, last = times[0].as_py() * NANO, (times[-1].as_py() + made.step_s) * NANO
    return stretch._replace(from_ns=max(first, stretch.from_ns), to_ns=min(last, stretch.to_ns))
