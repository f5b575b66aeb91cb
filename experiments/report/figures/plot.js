// One set of axes: scales with units, grid, the training range as a shaded strip.
SV.svg = function (parent, width, height, describe, fixed) {
  const svg = d3.select(parent).append("svg").attr("viewBox", `0 0 ${width} ${height}`)
    .attr("class", fixed ? "fixed" : "plot").attr("role", "img").attr("aria-label", describe);
  if (fixed) svg.attr("width", width).attr("height", height);
  return svg;
};

SV.tooltip = (selection, text) => selection.append("title").text(text);

// Tick values out of `values` that stand at least `gap` pixels apart; the last one always stays.
SV.thinTicks = function (values, scale, gap) {
  const kept = [];
  for (const v of values) {
    if (!kept.length || scale(v) - scale(kept[kept.length - 1]) >= gap) kept.push(v);
  }
  const last = values[values.length - 1];
  if (kept[kept.length - 1] !== last) {
    if (scale(last) - scale(kept[kept.length - 1]) < gap) kept.pop();
    kept.push(last);
  }
  return kept;
};

// spec: width, height, x {values, label, ticks: whole values}, y {domain, label, format, log}, trained [min, max],
// describe. Returns {svg, x, y, inner}: `inner` is the group to draw marks into.
SV.axes = function (parent, spec) {
  const width = spec.width || 500, height = spec.height || 300;
  const margin = {top: 16, right: 16, bottom: 42, left: 60};
  const [x0, x1] = d3.extent(spec.x.values);
  const logX = spec.x.log && x0 > 0;
  const x = (logX ? d3.scaleLog().base(2) : d3.scaleLinear()).domain(x0 === x1 ? [x0 * 0.5, x0 * 1.5 + 1] : [x0, x1])
    .range([margin.left + 6, width - margin.right]);
  const y = (spec.y.log ? d3.scaleLog() : d3.scaleLinear()).domain(spec.y.domain).range([height - margin.bottom, margin.top]);
  const svg = SV.svg(parent, width, height, spec.describe);
  if (spec.trained && SV.isNumber(spec.trained[0]) && SV.isNumber(spec.trained[1])) SV.trainedStrip(svg, spec, x, y);
  const yTicks = spec.y.log ? y.ticks(5).filter((v) => Math.abs(Math.log10(v) - Math.round(Math.log10(v))) < 1e-6) : y.ticks(5);
  const yAxis = d3.axisLeft(y).tickValues(yTicks.length > 1 ? yTicks : y.ticks(3)).tickFormat(spec.y.format).tickSizeOuter(0);
  svg.append("g").attr("class", "grid").attr("transform", `translate(${margin.left},0)`)
    .call(d3.axisLeft(y).tickValues(yAxis.tickValues()).tickSize(-(width - margin.left - margin.right)).tickFormat(""));
  const xAxis = d3.axisBottom(x).tickSizeOuter(0).tickFormat(SV.plain);
  if (spec.x.ticks) xAxis.tickValues(SV.thinTicks(spec.x.values, x, 26));
  else xAxis.ticks(width < 450 ? 4 : 8);
  svg.append("g").attr("class", "axis").attr("transform", `translate(0,${height - margin.bottom})`).call(xAxis);
  svg.append("g").attr("class", "axis").attr("transform", `translate(${margin.left},0)`).call(yAxis);
  svg.append("text").attr("class", "axis-label").attr("text-anchor", "middle")
    .attr("x", (margin.left + width - margin.right) / 2).attr("y", height - 6).text(spec.x.label);
  svg.append("text").attr("class", "axis-label").attr("text-anchor", "middle")
    .attr("transform", `translate(12,${(margin.top + height - margin.bottom) / 2}) rotate(-90)`).text(spec.y.label);
  return {svg, x, y, inner: svg.append("g")};
};

// The depths that training used, behind everything else.
SV.trainedStrip = function (svg, spec, x, y) {
  const [low, high] = spec.trained;
  const [left, right] = x.range();
  const clamp = (v) => Math.max(left - 6, Math.min(right, v));
  const x0 = clamp(x(Math.max(low, 1e-3)) - 5), x1 = clamp(x(high) + 5);
  if (!(x1 > x0)) return;
  const [bottom, top] = y.range();
  svg.append("rect").attr("class", "trained").attr("x", x0).attr("width", x1 - x0).attr("y", top).attr("height", bottom - top);
  svg.append("text").attr("class", "note").attr("x", x0 + 4).attr("y", top - 4).text("trained here");
};
