// After how many updates the halting rule stops: mean count over seeds as bars, every seed as a point.
SV.halting = function (parent, halting, context) {
  const seeds = SV.seedsOf(halting, context);
  const figure = SV.figure(parent, "halting", "When the loop halts", SV.stamp(seeds, context));
  const means = halting.depths.map((_, i) => SV.mean(SV.column(halting.count, i)) || 0);
  const step = d3.min(halting.depths.slice(1).map((r, i) => r - halting.depths[i])) || 1;
  const axes = SV.axes(figure.body, {width: 980, height: 300, describe: "items halted by latent update",
    x: {values: [halting.depths[0] - step / 2, ...halting.depths, halting.depths[halting.depths.length - 1] + step / 2], label: "latent updates when halted"},
    y: {label: "items (count per seed)", domain: [0, (d3.max(halting.count.flat()) || 1) * 1.08], format: SV.plain}});
  const width = Math.max(2, Math.min(46, 0.8 * (axes.x(step) - axes.x(0))));
  const g = axes.inner.append("g").attr("class", "c0");
  halting.depths.forEach((r, i) => {
    SV.tooltip(g.append("rect").attr("class", "bar mark").attr("x", axes.x(r) - width / 2).attr("width", width)
      .attr("y", axes.y(means[i])).attr("height", axes.y(0) - axes.y(means[i])), "halted after " + SV.plural(r, "update") + ": " + SV.plain(means[i]) + " on average");
    halting.count.forEach((row, s) => SV.isNumber(row[i]) && SV.tooltip(g.append("circle").attr("class", "point mark").attr("r", 2.6)
      .attr("cx", axes.x(r)).attr("cy", axes.y(row[i])), "seed " + seeds[s] + ": " + SV.plain(row[i])));
  });
  figure.caption(SV.evidence(context, {seeds, depths: halting.depths}),
    (halting.rule ? "Rule: " + halting.rule + ". " : "") + "Bars: mean over seeds. Points: single seeds.");
  figure.table(["latent updates", ...SV.seedColumns(seeds, false)], halting.depths.map((r, i) => [r, ...SV.seedCells(halting.count, i, SV.plain, null)]));
};
