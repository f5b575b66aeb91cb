// A map of cells: latent updates downward, positions across. Opacity is the value, hue its sign or correctness.
// spec: rows, cols (labels), value(r, c) in 0..1 (or -1..1), text(r, c), hue(r, c) -> pos|neg|unasked, tip(r, c),
// headers [{label, texts, class}] above the columns, rowLabel, colLabel, describe, cell {width, height}
SV.heat = function (parent, spec) {
  const width = spec.cell.width, height = spec.cell.height, gap = width > 8 ? 1 : 0;
  const rowText = spec.rows.map((r) => SV.short(r, 12));
  const headers = spec.headers || [];
  const left = 26 + 7 * Math.max(...rowText.map((t) => t.length), ...headers.map((h) => h.label.length), 2);
  const turned = spec.cols.some((c) => String(c).length * 7 > width * 1.6);
  const colText = spec.cols.map((c) => SV.short(c, 22));
  const longest = Math.max(...colText.map((t) => t.length));
  const top = 8 + headers.length * 17, labels = turned ? 6.4 * longest + 8 : 18;
  const full = left + spec.cols.length * width + (turned ? 4 : 12), bottom = top + spec.rows.length * height;
  const total = Math.max(full, left + 7 * spec.colLabel.length);
  const box = parent.appendChild(SV.el("div", {class: "scroll", tabindex: "0", role: "region", "aria-label": spec.describe}));
  const svg = SV.svg(box, total, bottom + labels + 22, spec.describe, true);
  const xOf = (c) => left + c * width, yOf = (r) => top + r * height;
  headers.forEach((header, k) => {
    svg.append("text").attr("class", "note").attr("text-anchor", "end").attr("x", left - 6).attr("y", 16 + k * 17).text(header.label);
    header.texts.forEach((t, c) => svg.append("text").attr("class", "cell-text " + header.class)
      .attr("x", xOf(c) + width / 2).attr("y", 16 + k * 17).text(SV.short(t, Math.max(1, Math.floor(width / 6)))));
  });
  for (let r = 0; r < spec.rows.length; ++r) {
    for (let c = 0; c < spec.cols.length; ++c) SV.heatCell(svg, spec, r, c, xOf(c), yOf(r), gap);
  }
  const every = Math.max(1, Math.ceil(13 / height)), across = turned ? Math.max(1, Math.ceil(12 / width)) : Math.max(1, Math.ceil((longest * 7 + 4) / width));
  rowText.forEach((t, r) => r % every === 0 && svg.append("text").attr("class", "note").attr("text-anchor", "end")
    .attr("x", left - 6).attr("y", yOf(r) + height / 2 + 4).text(t));
  colText.forEach((t, c) => c % across === 0 && (turned ?
    svg.append("text").attr("class", "note").attr("text-anchor", "end")
      .attr("transform", `translate(${xOf(c) + width / 2 + 4},${bottom + 6}) rotate(-90)`).text(t) :
    svg.append("text").attr("class", "note").attr("text-anchor", "middle").attr("x", xOf(c) + width / 2).attr("y", bottom + 14).text(t)));
  svg.append("text").attr("class", "axis-label").attr("x", left).attr("y", bottom + labels + 14).text(spec.colLabel);
  svg.append("text").attr("class", "axis-label").attr("text-anchor", "middle")
    .attr("transform", `translate(11,${Math.max((top + bottom) / 2, top + 3.1 * spec.rowLabel.length)}) rotate(-90)`).text(spec.rowLabel);
  return svg;
};

SV.heatCell = function (svg, spec, r, c, x, y, gap) {
  const {width, height} = spec.cell;
  const value = spec.value(r, c);
  const place = (node) => node.attr("x", x).attr("y", y).attr("width", width - gap).attr("height", height - gap);
  if (!SV.isNumber(value)) {
    SV.tooltip(place(svg.append("rect").attr("class", "cell none mark")), spec.tip(r, c));
    return;
  }
  place(svg.append("rect").attr("class", "under"));
  const hue = spec.hue ? spec.hue(r, c) : value < 0 ? "neg" : "pos";
  const opacity = Math.max(0, Math.min(1, Math.abs(value))) * (hue === "unasked" ? 0.22 : 1);
  SV.tooltip(place(svg.append("rect").attr("class", "cell mark " + hue).attr("fill-opacity", opacity.toFixed(3))), spec.tip(r, c));
  const text = spec.text && spec.text(r, c);
  if (text !== null && text !== undefined && text !== "") {
    svg.append("text").attr("class", "cell-text" + (opacity > 0.6 ? " on" : "")).attr("x", x + (width - gap) / 2)
      .attr("y", y + height / 2 + 3.5).text(SV.short(text, Math.max(1, Math.floor(width / 6.2))));
  }
};

// The scale of a map: a row of swatches from low to high (`hues` [[class, name, its own high]]); `further` [[class, text]]: cells that stand for no value.
SV.heatScale = function (parent, hues, low, high, further) {
  const box = parent.appendChild(SV.el("div", {class: "legend"}));
  for (const [hue, name, end] of hues) {
    const item = box.appendChild(SV.el("span", {}, name + " " + low + " "));
    const svg = d3.select(item).append("svg").attr("viewBox", "0 0 60 10").attr("width", 60).attr("height", 10).attr("aria-hidden", "true");
    d3.range(10).forEach((i) => svg.append("rect").attr("class", "cell " + hue).attr("x", i * 6).attr("width", 6).attr("height", 10)
      .attr("fill-opacity", (i + 1) / 10));
    item.append(document.createTextNode(" " + (end || high)));
  }
  for (const [style, text] of further || []) {
    const item = box.appendChild(SV.el("span", {}));
    d3.select(item).append("svg").attr("viewBox", "0 0 26 12").attr("aria-hidden", "true").append("rect").attr("class", "cell " + style)
      .attr("x", 6).attr("y", 0.5).attr("width", 14).attr("height", 11).attr("fill-opacity", style === "unasked" ? 0.22 : 1);
    item.append(document.createTextNode(" " + text));
  }
};
