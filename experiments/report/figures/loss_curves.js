// Loss, accuracy and gradient norm while training, by seed with the mean and band of each group.
SV.loss_curves = function (parent, training, context) {
  const groups = SV.trainingGroups(training);
  const most = groups.reduce((a, g) => (g.seeds.length > a.length ? g.seeds : a), []);
  const figure = SV.figure(parent, "loss_curves", "Loss and accuracy while training", SV.stamp(most, context, groups.map((g) => g.seeds)));
  const panels = [["loss", "loss (nats per answer token)", true], ["accuracy", "accuracy on the training batch (%)", false],
    ["grad_norm", "gradient norm (before clipping)", true]];
  const legend = SV.el("div", {});
  const grid = SV.el("div", {class: "panels three"});
  figure.body.append(legend, grid);
  SV.legend(legend, groups.map((g) => ({name: g.name + " (" + SV.plural(g.seeds.length, "seed") + ")", color: SV.colorOf(context, g.name)})));
  for (const [key, label, log] of panels) {
    const values = groups.flatMap((g) => g[key].flat()).filter(SV.isNumber);
    if (!values.length) continue;
    const percent = key === "accuracy";
    const useLog = log && SV.wideRange(values);
    const axes = SV.axes(grid.appendChild(SV.el("div", {})), {
      width: 380, height: 290,
      describe: label + " against the training step", x: {values: groups.flatMap((g) => g.steps), label: "training step"},
      y: {label, log: useLog, format: percent ? d3.format(".0%") : SV.tick,
        domain: percent ? [0, 1] : useLog ? SV.logDomain(values) : [0, d3.max(values) * 1.05 || 1]},
    });
    for (const g of groups) {
      SV.drawSeries(axes, {name: g.name, color: SV.colorOf(context, g.name), xs: g.steps, rows: g[key], seeds: g.seeds, thin: true}, SV.plain);
    }
  }
  const thinned = d3.max(training, (curve) => curve.group_size);
  const seconds = d3.max(training, (curve) => curve.seconds);
  for (const g of groups.slice(0, -1)) figure.caption(g.name + ": " + SV.evidence(context, {seeds: g.seeds, items: null}));
  const last = groups[groups.length - 1];
  figure.caption(last.name + ": " + SV.evidence(context, {seeds: last.seeds, items: null}) + " · batch accuracy, at the depths that training draws",
    "Thick line: mean over seeds. Thin lines: single seeds. Band: lowest to highest seed." +
    (thinned > 1 ? " Each point is the mean of up to " + thinned + " logged steps." : ""),
    SV.isNumber(seconds) ? "Last logged step after " + SV.plain(seconds) + " s." : null);
  figure.table(["group", "seed", "step", "loss", "accuracy", "gradient norm"], training.flatMap((curve) =>
    curve.step.map((step, i) => [curve.label, "" + curve.seed, step, curve.loss[i], SV.percent(curve.accuracy[i]), curve.grad_norm[i]])));
};

// Seeds of one label on the union of their steps; a seed that stopped early has holes at the end.
SV.trainingGroups = function (training) {
  return [...new Set(training.map((curve) => curve.label))].map((name) => {
    const curves = training.filter((curve) => curve.label === name);
    const steps = [...new Set(curves.flatMap((curve) => curve.step))].sort((a, b) => a - b);
    const spread = (key) => curves.map((curve) => {
      const at = new Map(curve.step.map((step, i) => [step, curve[key][i]]));
      return steps.map((step) => (at.has(step) ? at.get(step) : null));
    });
    return {name, steps, seeds: curves.map((curve) => curve.seed), loss: spread("loss"), accuracy: spread("accuracy"), grad_norm: spread("grad_norm")};
  });
};
