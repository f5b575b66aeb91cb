// Speed of every timed op under the two limits of the machine: FLOP per byte against GFLOP/s, both log.
SV.roofline = function (parent, bench) {
  const figure = SV.figure(parent, "roofline", "Speed under the limits of the machine", null);
  const all = bench.marks.map((mark) => SV.rooflineMark(mark, bench));
  const sums = all.filter((m) => m.flops > 0);
  const ridge = bench.gflops / bench.gbs;  // FLOP per byte from which on arithmetic is the limit
  // Copies have no FLOP; they stand at the left edge, as far below the line as the share they reach.
  const left = Math.min(ridge, ...sums.map((m) => m.x)) / 4;
  for (const m of all.filter((one) => one.flops === 0)) Object.assign(m, {x: left, y: m.reached * left * bench.gbs});
  const right = 2 * Math.max(ridge * 2, ...all.map((m) => m.x));
  const ys = all.map((m) => m.y);
  const axes = SV.axes(figure.body.appendChild(SV.el("div", {})), {
    width: 980, height: 470, describe: "FLOP per byte against GFLOP per second of every timed op, under the roofline",
    x: {values: [left, right], label: "FLOP per byte (each argument read or written once)", log: true},
    y: {label: "GFLOP/s", log: true, domain: [0.5 * Math.min(...ys, left * bench.gbs), 2 * Math.max(...ys, bench.gflops)], format: SV.tick},
  });
  SV.rooflineLimits(axes, bench, left, ridge, right);
  SV.rooflinePoints(axes, all);
  figure.caption(bench.shape + " · " + SV.plural(bench.threads, "thread") + ", " + bench.isa + " · median of " + SV.plain(bench.marks[0].repetitions) + " repetitions",
    "Lines: multiply-adds from registers (" + SV.plain(bench.gflops) + " GFLOP/s) and bandwidth from memory (" + SV.plain(bench.gbs) +
    " GB/s), both measured in the same process. A mark above the slanted line is served by a cache.",
    sums.length < all.length ? "Hollow: copies, which have no arithmetic. They stand at the left edge, at the share of the bandwidth line that they reach." : null);
  figure.table(["what", "milliseconds", "quartiles", "GFLOP/s", "GB/s", "FLOP per byte", "of the limit"],
    all.map((m) => [m.name, 1e3 * m.seconds, m.quartiles.map((q) => SV.plain(1e3 * q)).join(" – "), m.flops ? m.y : "–",
      m.bytes / m.seconds / 1e9, m.flops ? m.flops / m.bytes : "–", SV.percent(m.reached)]));
};

SV.rooflineMark = (mark, bench) => ({...mark, x: mark.flops / mark.bytes, y: mark.flops / mark.seconds / 1e9,
  reached: Math.max(mark.flops / bench.gflops, mark.bytes / bench.gbs) / 1e9 / mark.seconds});

SV.rooflineLimits = function (axes, bench, left, ridge, right) {
  const {x, y, inner} = axes;
  const line = (points) => inner.append("path").attr("class", "line mark grey").attr("d", d3.line().x((p) => x(p[0])).y((p) => y(p[1]))(points));
  const note = (fpb, name) => inner.append("text").attr("class", "note").attr("text-anchor", "end")
    .attr("x", x(fpb) - 8).attr("y", y(Math.min(bench.gflops, fpb * bench.gbs)) - 8).text(name);
  line([[left, left * bench.gbs], [ridge, bench.gflops]]);
  line([[ridge, bench.gflops], [right, bench.gflops]]);
  note(Math.sqrt(ridge), "memory: " + SV.plain(bench.gbs) + " GB/s");
  note(right, "multiply-adds: " + SV.plain(bench.gflops) + " GFLOP/s");
};

// The first free place for a label of this width beside (px, py): right or left of it, near or farther up and down.
SV.labelPlace = function (px, py, width, [low, high], taken) {
  const free = (from, at) => from >= low && from + width <= high &&
    !taken.some((t) => Math.abs(t.at - at) < 12 && t.from < from + width && from < t.from + t.width);
  for (let step = 0; step < 40; ++step) {
    const at = py + (step % 2 ? 1 : -1) * Math.ceil(step / 2) * 7;
    for (const from of [px + 10, px - 10 - width]) {
      if (free(from, at)) return {from, at, width};
    }
  }
  return {from: px + 10, at: py, width};
};

SV.rooflinePoints = function (axes, all) {
  const {x, y, inner} = axes;
  const taken = all.map((m) => ({at: y(m.y), from: x(m.x) - 6, width: 12}));
  for (const m of [...all].sort((a, b) => b.y - a.y)) {
    const g = inner.append("g").attr("class", m.flops ? "c0" : "c1");
    const [px, py] = [x(m.x), y(m.y)];
    const label = SV.labelPlace(px, py, 6.6 * m.name.length, x.range(), taken);
    const right = label.from > px;
    taken.push(label);
    if (Math.abs(label.at - py) > 4) g.append("line").attr("class", "rule").attr("x1", px).attr("y1", py).attr("x2", right ? px + 8 : px - 8).attr("y2", label.at);
    SV.tooltip(g.append("circle").attr("class", "mark state" + (m.flops ? "" : " beyond")).attr("r", 4).attr("cx", px).attr("cy", py),
      m.name + ": " + (m.flops ? SV.plain(m.y) + " GFLOP/s, " : "") + SV.percent(m.reached) + " of the limit");
    g.append("text").attr("class", "note").attr("text-anchor", right ? "start" : "end").attr("x", right ? px + 10 : px - 10).attr("y", label.at + 4).text(m.name);
  }
};
