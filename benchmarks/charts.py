"""Charts: 100,000 points in this machine's Chromium, by the library that the dashboard draws with and by plotly; first paint of each page."""

import math
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import plotly

from benchmarks.measure import Figure, slowness
from benchmarks.viewer import chromium, dashboard, paints_s

POINTS = 100_000
ROUNDS = 3
PAGES = ("", "live", "scanner", "trades", "replay", "performance", "execution", "montecarlo", "compare")
FIRST_PAINT_S = 2.0
STATIC = Path(__file__).parents[1] / "dashboards" / "static"

_POINTS = """
let seed = 7; const next = () => (seed = (seed * 16807) % 2147483647) / 2147483647;
let price = 10; const x = [], y = [];
for (let i = 0; i < COUNT; i++) { price += next() - 0.5; x.push(1790000000 + i); y.push(price); }
const painted = () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now()))));
"""
_OURS = """
const asked = performance.now();
const lwc = await import(LIBRARY);
const loaded = performance.now() - asked;
const chart = lwc.createChart(box, { width: 1200, height: 400, timeScale: { minBarSpacing: 0.001, enableConflation: true } });
const line = chart.addSeries(lwc.LineSeries, {});
const begun = performance.now();
line.setData(x.map((time, i) => ({ time, value: y[i] })));
chart.timeScale().fitContent();
const first = (await painted()) - begun;
const moved = performance.now();
for (let i = 0; i < 5; i++) { chart.timeScale().setVisibleLogicalRange({ from: i * 1000, to: i * 1000 + 60000 }); await painted(); }
return [first, (performance.now() - moved) / 5, loaded];
"""
_PLOTLY = """
const begun = performance.now();
await Plotly.newPlot(box, [{ x: x.map((s) => new Date(s * 1000)), y, type: TYPE, mode: "lines" }], { width: 1200, height: 400 });
const first = (await painted()) - begun;
const moved = performance.now();
for (let i = 0; i < 5; i++) { await Plotly.relayout(box, { "xaxis.range": [new Date((x[0] + i * 1000) * 1000), new Date((x[0] + i * 1000 + 60000) * 1000)] }); await painted(); }
return [first, (performance.now() - moved) / 5];
"""


def figures():
    slow = max(slowness(), 1.0)
    with chromium() as opened:
        ours = _library(opened, _OURS)
        told = {
            "lightweight-charts": ours,
            "plotly, canvas of WebGL": _library(opened, _PLOTLY.replace("TYPE", "'scattergl'")),
        }
        told["plotly, SVG"] = _library(opened, _PLOTLY.replace("TYPE", "'scatter'"))
        drawn = [
            Figure(
                f"{POINTS:,} points, {name}",
                first,
                "ms",
                limit,
                at_least=False,
                beside=f"drawn; a move {move:.0f} ms, loading it {load:.0f} ms",
            )
            for limit, (name, (first, move, load)) in zip((1_000 * slow, math.inf, math.inf), told.items(), strict=True)
        ]
        paints = _pages(opened, slow)
    return [*drawn, *paints]


def _library(opened, script):
    """Medians of first paint, of a move, and of loading the library first, ms."""
    made = []
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "page.html").write_text("<meta charset=utf-8><div id=box></div>")
        for _ in range(ROUNDS):
            page = opened.new_page()
            page.goto((Path(folder) / "page.html").as_uri())
            library = (STATIC / "lightweight-charts.mjs").read_text()
            begun = time.perf_counter()
            if "Plotly" in script:
                page.add_script_tag(path=str(Path(plotly.__file__).parent / "package_data" / "plotly.min.js"))
            loaded_ms = (time.perf_counter() - begun) * 1000
            text = f"async (library) => {{ const box = document.getElementById('box'); {_POINTS.replace('COUNT', str(POINTS))} {script} }}"
            text = text.replace("LIBRARY", "URL.createObjectURL(new Blob([library], { type: 'text/javascript' }))")
            first, move, *loaded = page.evaluate(text, library)
            made.append([first, move, loaded[0] if loaded else loaded_ms])
            page.close()
    return [statistics.median(each[place] for each in made) for place in (0, 1, 2)]


def _pages(opened, slow):
    """Of each page the time until its rows and charts are there, over the day of `tape demo`, with an empty browser each time."""
    with tempfile.TemporaryDirectory() as home:
        subprocess.run(
            [sys.executable, "-m", "pipeline.cli", "--home", home, "demo", "--json"], capture_output=True, check=True
        )
        with dashboard(home) as url:
            return [_page(opened, url, page, slow) for page in PAGES]


def _page(opened, url, name, slow):
    took = paints_s(opened, f"{url}{name}", ROUNDS)
    first, later = took[0], statistics.median(took[1:])
    return Figure(
        f"first paint of {name or 'sessions'}",
        later,
        "s",
        FIRST_PAINT_S * slow,
        at_least=False,
        beside=f"the first time {first:.2f} s; stated for a machine {slow:.1f} times as fast as this one now",
    )
