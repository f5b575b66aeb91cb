// How well a named intermediate is read from the state by a linear probe, with its null controls.
SV.probe_curves = function (parent, probes, context) {
  const groups = d3.group ? [...d3.group(probes, (p) => JSON.stringify([p.truth, p.site || ""])).values()] : SV.groupProbes(probes);
  for (const group of groups) SV.probeFigure(parent, group, context);
};

// d3.group came with a later D3 than the oldest we embed.
SV.groupProbes = function (probes) {
  const groups = new Map();
  for (const p of probes) {
    const key = JSON.stringify([p.truth, p.site || ""]);
    groups.set(key, [...(groups.get(key) || []), p]);
  }
  return [...groups.values()];
};

SV.probeName = (probe) => (probe.step === undefined || probe.step === null ? probe.truth : "step " + probe.step);

SV.probeFigure = function (parent, group, context) {
  const first = group[0];
  const seeds = SV.seedsOf(first, context);
  const figure = SV.figure(parent, "probe_curves", "Reading “" + SV.short(first.truth, 60) + "” from the state" +
    (first.site ? " at " + SV.short(first.site, 60) : ""), SV.stamp(seeds, context));
  if (group.length > 1) SV.probeOverview(figure, group, context);
  SV.legend(figure.body, [{name: "trained model", color: "c0"}, {name: "labels shuffled", color: "c1", dash: "dashed"},
    {name: "untrained model", color: "c3", dash: "dotted"}, {name: "always the commonest class", color: "grey", dash: "dotted"}]);
  const wide = [1, 2, 4].includes(group.length);  // two columns leave no hole
  const grid = figure.body.appendChild(SV.el("div", {class: wide ? "panels" : "panels three"}));
  for (const probe of group) SV.probePanel(grid, probe, context, wide ? 500 : 380);
  for (const probe of group.filter((p) => p.by_position)) SV.probeMap(figure, probe);
  figure.caption(SV.evidence(context, {seeds, depths: first.depths, items: first.items, trainItems: first.train_items}),
    SV.bandSays(seeds, group.some((p) => p.interval), null) + " Selectivity is the accuracy minus that with shuffled labels.",
    "That a probe reads a value does not show that the model uses it: see the patching figures.");
  figure.table(["step", "test depth", ...SV.seedColumns(seeds, Boolean(first.interval)), "labels shuffled", "untrained", "selectivity", "commonest class"],
    group.flatMap((p) => p.depths.map((r, i) => [SV.plain(p.step), r, ...SV.seedCells(p.accuracy, i, SV.percent, p.interval),
      ...[p.control_shuffled, p.control_untrained, p.selectivity].map((rows) => SV.percent(SV.mean(SV.column(rows, i)))), SV.percent(p.majority)])));
  for (const probe of group.filter((p) => p.by_position)) SV.probeMapTable(figure, probe);
};

// All steps in one plot, with the depth at which each is read best.
SV.probeOverview = function (figure, group, context) {
  const train = context.train_depth || {};
  const all = [...new Set(group.flatMap((p) => p.depths))].sort((a, b) => a - b);
  SV.legend(figure.body, group.map((p, i) => ({name: SV.probeName(p), color: SV.orderedColor(i, group.length)})));
  const axes = SV.axes(figure.body.appendChild(SV.el("div", {})), {
    width: 980, height: 320, describe: "probe accuracy of every step against latent updates", trained: [train.min, train.max],
    x: {values: all, label: "latent updates before reading (ring: where a step is read best)", ticks: true, log: SV.wideRange(all)},
    y: {label: "probe accuracy, mean over seeds (%)", domain: SV.probeDomain(group), format: d3.format(".0%")},
  });
  group.forEach((p, i) => {
    const g = SV.drawSeries(axes, {name: SV.probeName(p), color: SV.orderedColor(i, group.length), xs: p.depths, rows: p.accuracy,
      seeds: SV.seedsOf(p, context), interval: p.interval}, SV.percent);
    const means = p.depths.map((_, at) => SV.mean(SV.column(p.accuracy, at)) ?? -1);
    const best = means.indexOf(Math.max(...means));
    if (means[best] >= 0) {
      SV.tooltip(g.append("circle").attr("class", "peak mark").attr("r", 5).attr("cx", axes.x(p.depths[best])).attr("cy", axes.y(means[best])),
        SV.probeName(p) + " is read best after " + SV.plural(p.depths[best], "update") + ": " + SV.percent(means[best]));
    }
  });
};

// Probe accuracies are often all high: the axis starts at the lowest value shown, rounded down to a tenth.
SV.probeDomain = function (group) {
  const values = group.flatMap((p) => [p.accuracy, p.control_shuffled, p.control_untrained].flat(2).concat(p.majority)).filter(SV.isNumber);
  return [Math.max(0, Math.floor((Math.min(...values, 1) - 0.02) * 10) / 10), 1];
};

SV.probePanel = function (grid, probe, context, width) {
  const train = context.train_depth || {};
  const seeds = SV.seedsOf(probe, context);
  const box = grid.appendChild(SV.el("div", {}, SV.el("h4", {}, SV.short(SV.probeName(probe), 40))));
  const axes = SV.axes(box, {
    width, height: 280, describe: "probe accuracy of " + SV.probeName(probe) + " with its controls", trained: [train.min, train.max],
    x: {values: probe.depths, label: "latent updates before reading", ticks: true, log: SV.wideRange(probe.depths)},
    y: {label: "probe accuracy (%)", domain: SV.probeDomain([probe]), format: d3.format(".0%")},
  });
  if (SV.isNumber(probe.majority)) {
    const [x0, x1] = axes.x.range();
    axes.inner.append("line").attr("class", "rule mark").attr("x1", x0).attr("x2", x1).attr("y1", axes.y(probe.majority)).attr("y2", axes.y(probe.majority));
  }
  const series = [["untrained model", probe.control_untrained, "c3", "dotted"], ["labels shuffled", probe.control_shuffled, "c1", "dashed"],
    ["trained model", probe.accuracy, "c0", null]];
  for (const [name, rows, color, dash] of series.filter((s) => s[1])) {
    SV.drawSeries(axes, {name, color, dash, xs: probe.depths, rows, seeds: rows.length === seeds.length ? seeds : null,
      interval: rows === probe.accuracy ? probe.interval : null}, SV.percent);
  }
};

SV.probeMapTable = function (figure, probe) {
  const {accuracy, selectivity} = probe.by_position;
  figure.furtherTable(SV.probeName(probe) + ", by position", ["test depth", "position", "accuracy", "selectivity"],
    probe.depths.flatMap((r, i) => SV.labels(probe.by_position.positions).map((name, t) =>
      [r, name, SV.percent(accuracy[i][t]), selectivity ? SV.percent(selectivity[i][t]) : "–"])));
};

SV.probeMap = function (figure, probe) {
  const positions = SV.labels(probe.by_position.positions);
  const selective = probe.by_position.selectivity;
  const values = selective || probe.by_position.accuracy;
  const what = selective ? "selectivity" : "accuracy";
  figure.body.append(SV.el("h4", {}, SV.short(SV.probeName(probe), 40) + ": " + what + " by update and position, mean over seeds"));
  const all = values.flat();
  SV.heatScale(figure.body, [["pos", what], ...(all.some((v) => v < 0) ? [["neg", "below zero", "−100 %"]] : [])], "0 %", "100 %",
    all.every(SV.isNumber) ? [] : [["none", "dotted: no value (too few examples at this position and step)"]]);
  SV.heat(figure.body, {
    rows: probe.depths, cols: positions, cell: {width: Math.max(12, Math.min(40, Math.floor(900 / positions.length))), height: 17},
    value: (r, t) => values[r][t], tip: (r, t) => "update " + probe.depths[r] + ", position " + positions[t] + ": " + what + " " + SV.percent(values[r][t]) +
      (selective ? ", accuracy " + SV.percent(probe.by_position.accuracy[r][t]) : ""),
    rowLabel: "latent update", colLabel: "position", describe: "probe " + what + " by latent update and position",
  });
};
