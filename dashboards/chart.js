// A chart of what `charts.py` describes, drawn with lightweight-charts. Texts go in as text alone, never as markup.

let library;
const load = () => (library ??= import(new URL("app/static/lightweight-charts.mjs", document.baseURI).href));
const drawn = new WeakMap();
const EDGE = 24;

export default function (component) {
  const { data, parentElement } = component;
  const box = parentElement.querySelector(".box");
  box.style.height = `${data.height}px`;
  load().then((lwc) => {
    const shape = JSON.stringify([data.name, data.series.map((each) => [each.type, each.name, each.pane])]);
    let chart = drawn.get(box);
    if (chart?.shape !== shape) {
      chart?.end();
      chart = new Chart(lwc, box, shape, data);
      drawn.set(box, chart);
    }
    chart.show(data);
  });
  return () => {
    drawn.get(box)?.end();
    drawn.delete(box);
  };
}

class Chart {
  constructor(lwc, box, shape, data) {
    this.lwc = lwc;
    this.box = box;
    this.shape = shape;
    this.legends = [];
    this.chart = lwc.createChart(box, {
      autoSize: true,
      layout: { attributionLogo: !data.small },
      timeScale: { timeVisible: true, secondsVisible: true, minBarSpacing: 0.02, rightOffset: 2, enableConflation: true },
      crosshair: { mode: lwc.CrosshairMode.Normal },
    });
    this.bands = new Bands(this);
    this.made = data.series.map((each) => this.add(each));
    this.ribbons = data.series.map((each) => (each.type === "ribbon" ? new Ribbon(this) : null));
    const main = this.made.find((each) => each) ?? this.chart.addSeries(lwc.LineSeries, {}, 0);
    this.main = main;
    main.attachPrimitive(this.bands);
    this.ribbons.forEach((each) => each && main.attachPrimitive(each));
    this.marks = lwc.createSeriesMarkers(main, []);
    this.prices = [];
    this.chart.subscribeCrosshairMove((moved) => this.tell(moved));
    // dark or light is the page's to choose, by the system or in its menu, and nothing tells when it does
    this.watch = setInterval(() => this.colours && this.back() !== this.colours.back && this.paint(), 500);
    this.isNew = true;
  }

  add(each) {
    const lwc = this.lwc;
    const price = { type: "price", precision: each.precision ?? 2, minMove: 10 ** -(each.precision ?? 2) };
    const quiet = { lastValueVisible: false, priceLineVisible: false, priceFormat: price };
    if (each.type === "candles") return this.chart.addSeries(lwc.CandlestickSeries, { ...quiet, lastValueVisible: true }, each.pane);
    if (each.type === "bars")
      return this.chart.addSeries(lwc.HistogramSeries, { ...quiet, priceFormat: { type: "volume" } }, each.pane);
    if (each.type === "line")
      return this.chart.addSeries(
        lwc.LineSeries,
        { ...quiet, lineWidth: each.width ?? 1, lineType: each.steps ? 1 : 0, crosshairMarkerVisible: false },
        each.pane,
      );
    return null;
  }

  show(data) {
    this.data = data;
    const wasAtEnd = !this.isNew && this.chart.timeScale().scrollPosition() >= -1;
    this.times = timeline(data);
    this.chart.panes().forEach((pane, place) => pane.setStretchFactor(data.panes[place] ?? 1));
    this.paint();
    if (this.isNew) {
      this.fit(data);
      this.isNew = false;
    } else if (wasAtEnd && data.follows) {
      this.chart.timeScale().scrollToRealTime();
    }
    requestAnimationFrame(() => this.data && this.tell(null)); // panes have their heights by then
    this.box.dataset.panes = String(this.chart.panes().length);
    this.box.dataset.points = String(this.times.length);
    this.box.dataset.amiss = String(this.made.filter((each, place) => each && each.getPane().paneIndex() !== data.series[place].pane).length);
  }

  fit(data) {
    const scale = this.chart.timeScale();
    if (data.shown) scale.setVisibleLogicalRange({ from: this.index(data.shown[0]), to: this.index(data.shown[1]) });
    else {
      const places = this.times.length;
      const room = (EDGE / this.box.clientWidth) * places; // or the first and the last time beneath would be cut
      scale.setVisibleLogicalRange({ from: -room, to: places - 1 + room });
    }
  }

  back() {
    return getComputedStyle(this.box).getPropertyValue("--st-background-color").trim();
  }

  paint() {
    if (!this.data) return;
    const style = getComputedStyle(this.box);
    const read = (name, other) => style.getPropertyValue(`--st-${name}`).trim() || other;
    const is = (this.colours = {
      back: this.back(),
      text: read("text-color", "#222"),
      line: read("border-color", "#ddd"),
      up: read("green-color", "#0a7f5a"),
      down: read("red-color", "#c2362f"),
      main: read("primary-color", "#1f5fbf"),
    });
    this.box.dataset.back = is.back;
    is.faint = faded(is.text, 0.55);
    is.vwap = faded("#d08a00", 1);
    is.volume = faded(is.faint, 0.35);
    Object.assign(is, { teal: "#2aa198", violet: "#9a6be0", pink: "#d0679d", olive: "#8a9a2b" });
    const form = clock(this.data.zone);
    this.form = form;
    this.chart.applyOptions({
      layout: { background: { color: "transparent" }, textColor: is.faint, fontSize: 11, panes: { separatorColor: is.line } },
      grid: { vertLines: { color: faded(is.line, 0.45) }, horzLines: { color: faded(is.line, 0.45) } },
      rightPriceScale: { borderColor: is.line },
      timeScale: { borderColor: is.line, tickMarkFormatter: form.tick },
      localization: { timeFormatter: form.full },
    });
    this.data.series.forEach((each, place) => this.fill(each, place));
    this.bands.set(this.data.bands, is);
    this.marks.setMarkers(this.data.marks.map((each) => marker(each, is, this.data.marks.length > 60)));
    this.prices.forEach((each) => this.main.removePriceLine(each));
    this.prices = this.data.prices.map((each) =>
      this.main.createPriceLine({
        price: each.price,
        title: each.title,
        color: is[each.colour] ?? is.faint,
        lineStyle: 2,
        lineWidth: 1,
        axisLabelVisible: true,
      }),
    );
  }

  fill(each, place) {
    const is = this.colours;
    const made = this.made[place];
    const colour = is[each.colour] ?? is.main;
    if (each.type === "candles") {
      made.applyOptions({ upColor: is.up, downColor: is.down, wickUpColor: is.up, wickDownColor: is.down, borderVisible: false });
      const at = new Map(each.time.map((time, row) => [time, row]));
      made.setData(
        this.times.map((time) => {
          const row = at.get(time);
          if (row === undefined) return { time };
          return { time, open: each.open[row], high: each.high[row], low: each.low[row], close: each.close[row] };
        }),
      );
    } else if (each.type === "bars") {
      made.applyOptions({ color: faded(colour, 0.55) });
      made.setData(this.filled(each, made));
    } else if (each.type === "line") {
      made.applyOptions({ color: colour });
      made.setData(this.filled(each, made));
    } else {
      this.ribbons[place].set(each, colour);
    }
  }

  // Points of a line or of bars. The first series has a place for every moment of the axis: bands lie by them.
  filled(each, made) {
    const points = each.time.map((time, row) => (each.value[row] === null ? { time } : { time, value: each.value[row] }));
    if (made !== this.main) return points;
    const at = new Map(points.map((point) => [point.time, point]));
    return this.times.map((time) => at.get(time) ?? { time });
  }

  // Where a moment lies on the axis, which counts points and not seconds.
  index(time) {
    const times = this.times;
    if (!times.length) return 0;
    let low = 0;
    let high = times.length - 1;
    if (time <= times[0]) return 0;
    if (time >= times[high]) return high;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (times[middle] <= time) low = middle;
      else high = middle;
    }
    return low + (time - times[low]) / (times[high] - times[low]);
  }

  // The library knows where whole places are.
  x(time) {
    const at = this.index(time);
    const scale = this.chart.timeScale();
    const from = scale.logicalToCoordinate(Math.floor(at));
    const to = scale.logicalToCoordinate(Math.ceil(at));
    return from === null || to === null ? null : from + (to - from) * (at - Math.floor(at));
  }

  // What each pane shows at the crosshair, else at the end, told at its upper edge.
  tell(moved) {
    const parts = [];
    const say = (pane, text) => (parts[pane] ??= []).push(text);
    const row = moved?.time === undefined ? null : moved.time;
    if (row !== null) say(0, this.form.full(row));
    this.data?.series.forEach((each) => {
      const place = row === null ? this.last(each) : each.time.indexOf(row);
      if (place < 0) return;
      const number = (value, digits) =>
        value === null || value === undefined ? "-" : value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
      const digits = each.precision ?? 2;
      if (each.type === "candles")
        say(each.pane, `O ${number(each.open[place], digits)}  H ${number(each.high[place], digits)}  L ${number(each.low[place], digits)}  C ${number(each.close[place], digits)}`);
      else if (each.type === "ribbon") say(each.pane, `${each.name} ${number(each.low[place], digits)} / ${number(each.high[place], digits)}`);
      else say(each.pane, `${each.name} ${number(each.value[place], each.type === "bars" ? 0 : digits)}`);
    });
    let top = 2;
    this.chart.panes().forEach((pane, place) => {
      const legend = (this.legends[place] ??= this.written());
      legend.textContent = (parts[place] ?? []).join("   ");
      legend.style.top = `${top}px`;
      top += pane.getHeight() + 1;
    });
  }

  // The last row of what is seen first.
  last(each) {
    const end = this.data.shown?.[1] ?? Infinity;
    let place = each.time.length - 1;
    while (place > 0 && each.time[place] > end) place -= 1;
    return place;
  }

  written() {
    const legend = document.createElement("div");
    legend.className = "legend";
    this.box.append(legend);
    return legend;
  }

  end() {
    clearInterval(this.watch);
    this.legends.forEach((each) => each.remove());
    this.chart.remove();
  }
}

// Stretches of time behind everything else: the premarket, a halt, a hole.
class Bands {
  constructor(owner) {
    this.owner = owner;
    this.bands = [];
  }
  set(bands, is) {
    const tints = {
      premarket: faded(is.main, 0.06),
      after_hours: faded(is.main, 0.06),
      night: faded(is.main, 0.1),
      halt: faded("#d08a00", 0.22),
      gap: faded(is.down, 0.2),
      mute: faded(is.down, 0.1),
      held: faded(is.main, 0.12),
    };
    this.bands = bands.map((each) => ({ ...each, tint: tints[each.kind] ?? faded(is.faint, 0.1) }));
    this.text = is.faint;
    this.request?.();
  }
  attached({ requestUpdate }) {
    this.request = requestUpdate;
  }
  updateAllViews() {}
  paneViews() {
    return [{ zOrder: () => "bottom", renderer: () => ({ draw: (target) => this.draw(target) }) }];
  }
  draw(target) {
    target.useBitmapCoordinateSpace(({ context, bitmapSize, horizontalPixelRatio: ratio }) => {
      for (const each of this.bands) {
        const from = this.owner.x(each.from);
        const to = this.owner.x(each.to);
        if (from === null || to === null) continue;
        context.fillStyle = each.tint;
        context.fillRect(Math.round(from * ratio), 0, Math.max(Math.round((to - from) * ratio), ratio), bitmapSize.height);
        if (each.label && (to - from) * ratio > 30) {
          context.fillStyle = this.text;
          context.font = `${10 * ratio}px sans-serif`;
          context.fillText(each.label, Math.round(from * ratio) + 4 * ratio, bitmapSize.height - 6 * ratio, (to - from) * ratio - 6 * ratio);
        }
      }
    });
  }
}

// What lies between two lines: bid and offer.
class Ribbon {
  constructor(owner) {
    this.owner = owner;
    this.each = null;
  }
  set(each, colour) {
    this.each = each;
    this.tint = faded(colour, 0.28);
    this.request?.();
  }
  attached({ series, requestUpdate }) {
    this.series = series;
    this.request = requestUpdate;
  }
  updateAllViews() {}
  autoscaleInfo() {
    return null;
  }
  paneViews() {
    return [{ zOrder: () => "bottom", renderer: () => ({ draw: (target) => this.draw(target) }) }];
  }
  draw(target) {
    const { time, low, high } = this.each ?? { time: [] };
    const range = this.owner.chart.timeScale().getVisibleLogicalRange();
    if (!time.length || !range) return;
    target.useBitmapCoordinateSpace(({ context, horizontalPixelRatio: across, verticalPixelRatio: down }) => {
      context.fillStyle = this.tint;
      for (let row = 0; row < time.length; row++) {
        const at = this.owner.index(time[row]);
        if (at < range.from - 1 || at > range.to + 1 || low[row] === null || high[row] === null) continue;
        const next = row + 1 < time.length ? this.owner.index(time[row + 1]) : at + 1;
        const scale = this.owner.chart.timeScale();
        const from = scale.logicalToCoordinate(Math.round(at)) * across;
        const to = scale.logicalToCoordinate(Math.round(next)) * across;
        const top = this.series.priceToCoordinate(high[row]) * down;
        const bottom = this.series.priceToCoordinate(low[row]) * down;
        context.fillRect(from, top, Math.max(to - from, 1), Math.max(bottom - top, 1));
      }
    });
  }
}

// Every moment that has a point, and where candles are, the moments between them: nothing traded is a hole one can see.
function timeline(data) {
  const all = new Set(data.series.flatMap((each) => each.time));
  const sorted = [...all].sort((a, b) => a - b);
  const step = data.step;
  if (!step || !sorted.length) return sorted;
  const first = Math.min(sorted[0], data.shown?.[0] ?? sorted[0]);
  const last = Math.max(sorted[sorted.length - 1], data.shown?.[1] ?? 0);
  if ((last - first) / step > 20000) return sorted;
  for (let time = Math.floor(first / step) * step; time <= last; time += step) all.add(time);
  return [...all].sort((a, b) => a - b);
}

function marker(each, is, isCrowded) {
  const isBuy = each.kind === "buy";
  return {
    time: each.time,
    price: each.price,
    position: isBuy ? "atPriceBottom" : "atPriceTop",
    shape: isBuy ? "arrowUp" : "arrowDown",
    color: isBuy ? is.main : "#c06be0",
    text: isCrowded ? "" : each.text,
  };
}

function clock(zone) {
  const of = (options) => new Intl.DateTimeFormat("en-GB", { timeZone: zone, hourCycle: "h23", ...options });
  const day = of({ day: "numeric", month: "short" });
  const minute = of({ hour: "2-digit", minute: "2-digit" });
  const second = of({ hour: "2-digit", minute: "2-digit", second: "2-digit" });
  const full = of({ day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", second: "2-digit" });
  const where = zone.split("/").pop().replaceAll("_", " ");
  return {
    full: (time) => `${full.format(time * 1000)} ${where}`,
    tick: (time, sort) => (sort < 3 ? day : sort === 3 ? minute : second).format(time * 1000),
  };
}

const pencil = document.createElement("canvas").getContext("2d");
function faded(colour, share) {
  pencil.fillStyle = "#000";
  pencil.fillStyle = colour;
  const told = pencil.fillStyle;
  const parts = told.startsWith("#")
    ? [1, 3, 5].map((at) => parseInt(told.slice(at, at + 2), 16))
    : told.match(/[\d.]+/g).slice(0, 3).map(Number);
  const had = told.startsWith("#") ? 1 : Number(told.match(/[\d.]+/g)[3] ?? 1);
  return `rgba(${parts.join(",")},${had * share})`;
}
