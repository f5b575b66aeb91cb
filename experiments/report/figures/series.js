// Lines over seeds: band, mean line, every seed's point; and the legend that explains them.
SV.spread = function (rows, i, intervals) {
  if (intervals && intervals[i] && intervals[i].every(SV.isNumber)) return intervals[i];
  const there = SV.column(rows, i).filter(SV.isNumber);
  return there.length > 1 ? [Math.min(...there), Math.max(...there)] : null;
};

// series: {name, color (class), dash, xs, rows [seed][x], seeds, interval [[lo, hi]], thin (a line per seed)}
SV.drawSeries = function (axes, series, format) {
  const {x, y, inner} = axes;
  const floor = y.base ? y.domain()[0] : -Infinity;  // a log axis has no zero: draw at its floor
  const py = (v) => y(Math.max(v, floor));
  const g = SV.paint(inner.append("g"), series.color);
  const indices = d3.range(series.xs.length);
  const middle = indices.map((i) => SV.mean(SV.column(series.rows, i)));
  const spread = indices.map((i) => SV.spread(series.rows, i, series.interval));
  g.append("path").attr("class", "band mark").attr("d", d3.area().defined((i) => spread[i] !== null)
    .x((i) => x(series.xs[i])).y0((i) => py(spread[i][0])).y1((i) => py(spread[i][1]))(indices));
  const line = (values) => d3.line().defined((i) => SV.isNumber(values[i])).x((i) => x(series.xs[i])).y((i) => py(values[i]))(indices);
  if (series.thin && series.rows.length > 1) {
    for (const row of series.rows) g.append("path").attr("class", "line thin mark").attr("d", line(row));
  }
  g.append("path").attr("class", "line mark " + (series.dash || "")).attr("d", line(middle));
  if (series.thin) return g;
  series.rows.forEach((row, s) => row.forEach((value, i) => {
    if (!SV.isNumber(value)) return;
    const point = g.append("circle").attr("class", "point mark").attr("r", 2.3).attr("cx", x(series.xs[i])).attr("cy", py(value));
    const seed = series.seeds && s < series.seeds.length ? ", seed " + series.seeds[s] : "";
    SV.tooltip(point, series.name + seed + ", at " + SV.plain(series.xs[i]) + ": " + format(value));
  }));
  return g;
};

SV.legend = function (parent, entries) {
  const list = parent.appendChild(SV.el("ul", {class: "legend"}));
  for (const entry of entries) {
    const item = list.appendChild(SV.el("li", {}));
    const svg = d3.select(item).append("svg").attr("viewBox", "0 0 26 12").attr("aria-hidden", "true");
    const g = SV.paint(svg.append("g"), entry.color);
    if (entry.fill) g.append("rect").attr("class", entry.fill).attr("x", 4).attr("width", 18).attr("height", 12);
    else g.append("line").attr("class", "line " + (entry.dash || "")).attr("x1", 1).attr("x2", 25).attr("y1", 6).attr("y2", 6);
    item.append(document.createTextNode(SV.short(entry.name, 60)));
  }
};

// A colour per name that is the same in the whole page; a sequential one for ordered things.
SV.colorOf = function (context, name) {
  if (!context.colors.has(name)) context.colors.set(name, "c" + (context.colors.size % SV_PALETTE));
  return context.colors.get(name);
};
// Up to as many as the palette holds, its own colours; beyond that "s2.40": 40 % of the way from the third to the fourth.
SV.orderedColor = function (i, n) {
  const at = n < 2 ? 2 : (i * (SV_PALETTE - 1)) / (n - 1);
  return "s" + (n <= SV_PALETTE ? Math.round(at) : at.toFixed(2));
};
SV.paint = function (selection, color) {
  const [, below, part] = /^s(\d)\.(\d\d)$/.exec(color) || [];
  if (part === undefined || part === "00") return selection.attr("class", color.replace(".00", ""));
  selection.attr("class", "s" + below).attr("data-tone", color);
  const mixed = `color-mix(in srgb, var(--seq${Number(below) + 1}) ${Number(part)}%, var(--seq${below}))`;
  if (CSS.supports("color", mixed)) selection.style("--c", mixed);
  return selection;
};

SV.wideRange = (values) => {
  const [low, high] = d3.extent(values);
  return low > 0 && high / low >= 12;
};
SV.logDomain = function (values) {
  const there = values.filter((v) => SV.isNumber(v) && v > 0);
  if (!there.length) return [0.1, 1];
  const low = Math.floor(Math.log10(Math.min(...there))), high = Math.ceil(Math.log10(Math.max(...there)));
  return [10 ** low, 10 ** Math.max(high, low + 1)];
};
