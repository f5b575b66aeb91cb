// Results that come as a table, the times, and where the numbers come from.
SV.resultTable = function (parent, table, context) {
  const figure = SV.figure(parent, "table", table.title, SV.stamp(context.seeds, context));
  figure.body.append(SV.table(table.columns, table.rows, "plain mark"));
  figure.caption(table.note, SV.evidence(context, {seeds: context.seeds}));
  figure.root.querySelector("details").remove();
};

SV.timing = function (parent, timing) {
  const rows = timing.map((phase) => [phase.name, phase.seconds.toFixed(1)]);
  parent.append(SV.table(["what", "seconds"], rows, "plain"));
};

SV.provenance = function (parent, run) {
  const rows = Object.entries(run || {}).map(([key, value]) => [key, typeof value === "string" ? value : JSON.stringify(value)]);
  if (rows.length) parent.append(SV.table(["run.json", ""], rows, "plain"));
  else parent.append(SV.el("p", {class: "missing"}, "This run folder holds no run.json, so the report cannot say how it was made."));
};
