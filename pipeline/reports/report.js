"use strict";
// Draws the charts of a report with the plotly.js that stands in it, in the colours of the page; sorts tables; dark or light.
(() => {
  const root = document.documentElement;
  const isPicture = location.hash.includes("picture");
  const asked = /(dark|light)/.exec(location.hash);
  const prefersDark = matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = asked ? asked[1] : prefersDark ? "dark" : "light";
  if (isPicture) root.classList.add("picture");

  const charts = JSON.parse(document.getElementById("charts").textContent);
  const places = [...document.querySelectorAll("[data-chart]")];
  const colour = (name) => getComputedStyle(root).getPropertyValue(`--${name}`).trim();
  // plotly reads tags in texts: none of ours has any
  const plain = (text) => String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
  const faint = (name, percent) => {
    const [red, green, blue] = [1, 3, 5].map((at) => parseInt(colour(name).slice(at, at + 2), 16));
    return `rgba(${red},${green},${blue},${percent / 100})`;
  };

  const line = (chart, series) => {
    const quiet = series.role === "quiet" || series.role === "band";
    const trace = {
      type: "scatter", mode: "lines", name: plain(series.name), x: series.x, y: series.y,
      line: { color: colour(series.role), width: quiet ? 1 : 1.6, shape: chart.form === "steps" ? "hv" : "linear" },
      hovertemplate: "%{y:,.2f}",
    };
    if (chart.is_filled) Object.assign(trace, { fill: "tozeroy", fillcolor: faint(series.role, 18) });
    if (series.role === "band") Object.assign(trace, { fill: "tonexty", fillcolor: faint("band", 14), line: { width: 0, color: colour("band") } });
    return trace;
  };
  const bars = (chart, series) => ({
    type: "bar", name: plain(series.name), x: series.x.map((x) => (typeof x === "string" ? plain(x) : x)), y: series.y,
    marker: { color: colour(series.role), opacity: 0.85 },
    hovertemplate: "%{x}: %{y:,}",
  });
  const points = (chart, series) => ({
    type: "scatter", mode: "markers", name: plain(series.name), x: series.x, y: series.y,
    marker: { color: colour(series.role), size: 5, opacity: 0.6 },
    hovertemplate: `%{x:,.2f}, %{y:,.2f}`,
  });

  const layout = (chart) => {
    const axis = { gridcolor: colour("line"), zerolinecolor: colour("quiet"), zerolinewidth: 1, linecolor: colour("line"), automargin: true };
    return {
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      font: { family: getComputedStyle(document.body).fontFamily, size: 11, color: colour("quiet") },
      margin: { l: 8, r: 8, t: 8, b: 8 }, autosize: true, height: chart.height, barmode: "stack", bargap: 0.08,
      xaxis: { ...axis, showgrid: chart.form === "points", rangemode: chart.form === "points" ? "tozero" : "normal", title: { text: plain(chart.across), standoff: 6 } },
      yaxis: { ...axis, title: { text: plain(chart.unit), standoff: 8 } },
      showlegend: chart.series.length > 1,
      legend: { orientation: "h", traceorder: "normal", x: 0, y: 1.02, yanchor: "bottom", bgcolor: "rgba(0,0,0,0)" },
      hovermode: chart.form === "lines" || chart.form === "steps" ? "x unified" : "closest",
      hoverlabel: { bgcolor: colour("card"), bordercolor: colour("line"), font: { color: colour("ink") } },
    };
  };

  const draw = (Plotly) => Promise.all(places.map((place) => {
    const chart = charts[Number(place.dataset.chart)];
    const trace = { bars, points }[chart.form] || line;
    const traces = chart.series.map((series) => trace(chart, series));
    return Plotly.react(place, traces, layout(chart), { displayModeBar: false, responsive: true, staticPlot: isPicture });
  }));

  const unpacked = async () => {
    const letters = atob(document.getElementById("plotly").textContent);
    const bytes = Uint8Array.from(letters, (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    const script = document.createElement("script");
    script.textContent = await new Response(stream).text();
    document.head.append(script);
    if (!window.Plotly) throw new Error("plotly did not start");
    return window.Plotly;
  };

  const ready = (Plotly) => {
    const button = document.getElementById("theme");
    const told = () => { button.textContent = root.dataset.theme === "dark" ? "light" : "dark"; };
    told();
    const turn = (theme) => {
      root.dataset.theme = theme;
      told();
      if (Plotly) draw(Plotly);
    };
    button.addEventListener("click", () => turn(root.dataset.theme === "dark" ? "light" : "dark"));
    addEventListener("beforeprint", () => { if (root.dataset.theme !== "light") turn("light"); });
  };

  const value = (row, column) => {
    const cell = row.cells[column];
    if (cell.dataset.v !== undefined) return Number(cell.dataset.v);
    const text = cell.textContent.trim();
    const number = Number(text.replace(/[,%R]/g, ""));
    return text !== "" && !Number.isNaN(number) ? number : text;
  };
  const order = (a, b) => {
    if (typeof a === typeof b) return a < b ? -1 : a > b ? 1 : 0;
    return typeof a === "number" ? -1 : 1;
  };
  for (const table of document.querySelectorAll("[data-sorts]")) {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => head.addEventListener("click", () => {
      const isDown = head.dataset.dir === "up";
      for (const each of heads) delete each.dataset.dir;
      head.dataset.dir = isDown ? "down" : "up";
      const rows = [...table.tBodies[0].rows].map((row) => [value(row, column), row]);
      rows.sort(([a], [b]) => (isDown ? order(b, a) : order(a, b)));
      table.tBodies[0].append(...rows.map(([, row]) => row));
    }));
  }

  unpacked().then((Plotly) => { ready(Plotly); return draw(Plotly); }).catch((error) => {
    ready(null);
    for (const place of places) {
      place.classList.add("bare");
      place.textContent = `no chart: this browser is too old, or could not draw it (${error.message})`;
    }
  }).finally(() => { root.dataset.height = String(root.scrollHeight); });
})();
