// Accuracy and fixed-point residual against the number of latent updates at test time.
SV.kDepthPanels = [
  {key: "exact", title: "Whole items right", label: "items solved completely (%)", percent: true},
  {key: "accuracy", title: "Answer tokens right", label: "answer tokens right (%)", percent: true},
  {key: "residual", title: "Fixed-point residual", label: "‖h(r) − h(r−1)‖ / ‖h(r)‖ (relative)", percent: false},
];

SV.depth_curves = function (parent, depth, context, title) {
  const groups = (depth.groups || []).map((g) => ({...g, seeds: SV.seedsOf(g, context)}));
  const most = groups.reduce((a, g) => (g.seeds.length > a.length ? g.seeds : a), []);
  const figure = SV.figure(parent, "depth_curves", title || "Accuracy and residual against test depth", SV.stamp(most, context, groups.map((g) => g.seeds)));
  const legend = SV.el("div", {});
  const grid = SV.el("div", {class: "panels three"});
  figure.body.append(legend, grid);
  SV.legend(legend, groups.map((g) => ({name: g.name + " (" + SV.plural(g.seeds.length, "seed") + ")", color: SV.colorOf(context, g.name)})));
  for (const panel of SV.kDepthPanels.filter((p) => groups.some((g) => g[p.key]))) {
    SV.depthPanel(grid, panel, depth, groups, context);
  }
  const train = context.train_depth || {};
  for (const g of groups) {
    figure.caption(g.name + ": " + SV.evidence(context, {seeds: g.seeds, depths: depth.depths, items: g.items}));
  }
  const given = groups.some((g) => g.accuracy_interval || g.exact_interval || g.residual_interval);
  figure.caption(SV.bandSays(most, given, depth.interval_method) +
    (depth.interval_method && groups.some((g) => g.residual_interval) ? " The residual's interval is over seeds alone." : ""),
    SV.isNumber(train.max) ? "Shaded: the depths seen in training; everything to the right of it is extrapolation." : null);
  SV.depthTable(figure, depth, groups);
  return figure;
};

SV.depthPanel = function (grid, panel, depth, groups, context) {
  const train = context.train_depth || {};
  const values = groups.flatMap((g) => (g[panel.key] || []).flat());
  const box = grid.appendChild(SV.el("div", {}, SV.el("h4", {}, panel.title)));
  const axes = SV.axes(box, {
    width: 380, height: 290,
    describe: panel.title + " against latent updates at test time", trained: [train.min, train.max],
    x: {values: depth.depths, label: "latent updates at test time", ticks: true, log: SV.wideRange(depth.depths)},
    y: panel.percent ? {label: panel.label, domain: [0, 1], format: d3.format(".0%")} :
      {label: panel.label, log: true, domain: SV.logDomain(values), format: SV.tick},
  });
  const format = panel.percent ? SV.percent : SV.plain;
  for (const g of groups.filter((one) => one[panel.key])) {
    SV.drawSeries(axes, {name: g.name, color: SV.colorOf(context, g.name), xs: depth.depths, rows: g[panel.key], seeds: g.seeds,
      interval: g[panel.key + "_interval"]}, format);
  }
};

// One row per (group, measure, depth, seed), so that groups with different seeds stand in one table.
SV.depthTable = function (figure, depth, groups) {
  const rows = [];
  for (const g of groups) {
    for (const panel of SV.kDepthPanels.filter((p) => g[p.key])) {
      const format = panel.percent ? SV.percent : SV.plain;
      depth.depths.forEach((r, i) => {
        const values = SV.column(g[panel.key], i);
        const spread = SV.spread(g[panel.key], i, g[panel.key + "_interval"]);
        const items = g[panel.key + "_item_interval"];
        rows.push([g.name, panel.title, r, format(SV.mean(values)), spread ? spread.map(format).join(" – ") : "–",
          values.map((v, s) => g.seeds[s] + ": " + format(v) +
            (items && items[s][i] ? " (" + items[s][i].map(format).join(" – ") + ")" : "")).join("   ")]);
      });
    }
  }
  const items = groups.some((g) => g.exact_item_interval || g.accuracy_item_interval);
  figure.table(["group", "measure", "test depth", "mean", "interval over seeds", "seed: value" + (items ? " (interval over items)" : "")], rows);
};
