// The page: head, summary, one section per kind of result, in the order in which a reader asks.
SV.context = function (data) {
  const findings = data.findings || {};
  const groups = findings.groups || SV.trainingGroups(data.training || []).map(({name, seeds}) => ({name, seeds}));
  const trained = [...new Set((data.training || []).map((curve) => curve.seed))];
  const seeds = findings.seeds || (groups[0] && groups[0].seeds) || trained;
  const spec = data.spec || {};  // what spec.toml says where the results do not say it yet
  const context = {...findings, groups, seeds, colors: new Map(), run: data.run_folder,
    train_depth: findings.train_depth || spec.train_depth, task: findings.task || spec.task};
  for (const group of groups) SV.colorOf(context, group.name);
  return context;
};

SV.head = function (data, context) {
  const head = document.getElementById("head");
  const task = context.task || {};
  const title = context.title || (SV.onlyBench(data) ? "Speed" : "Run " + data.run_folder);
  document.title = title;
  head.append(SV.el("h1", {}, title), SV.el("p", {class: "lead"}, SV.el("code", {}, data.run_folder)));
  if (SV.onlyBench(data)) return;
  const {main, controls} = SV.claimSeeds(context);
  if (context.exploratory || main.length < SV.kClaimSeeds) {
    head.append(SV.el("p", {}, SV.el("span", {class: "stamp"}, "exploratory"), " " + SV.seedsSay(context) +
      "; a claim needs at least " + SV.kClaimSeeds + "."));
  }
  const depth = context.train_depth || {};
  const facts = [["task", task.name], ["training items", SV.isNumber(task.train_size) ? SV.plain(task.train_size) : null],
    ["unseen test items", SV.isNumber(task.test_size) ? SV.plain(task.test_size) : null],
    ["training depth (updates)", SV.range([depth.min, depth.max]) + (depth.law ? " (" + depth.law + ")" : "")],
    ["seeds", main.join(", ") + (controls.length ? "; control: " + controls.join(", ") : "")], ["settings digest", context.spec_digest ? SV.short(context.spec_digest, 13) : null],
  ].filter((fact) => fact[1]);
  head.append(SV.el("dl", {class: "facts"}, facts.map(([name, value]) => SV.el("div", {}, SV.el("dt", {}, name), SV.el("dd", {}, value)))));
  for (const note of task.notes || []) head.append(SV.el("p", {class: "lead"}, note));
};

// Shares become percentages unless the line names a unit of its own.
SV.intervalText = function (line) {
  const shares = !line.unit && line.interval.every((v) => SV.isNumber(v) && v >= 0 && v <= 1);
  return line.interval.map(shares ? SV.percent : SV.plain).join(" – ") + (line.unit ? " " + line.unit : "");
};

// Each section: [id, heading, what one looks for there, draw(section)].
SV.sections = function (data, context) {
  const speed = ["speed", "Speed", "How near do the kernels come to what the machine can do?", data.bench ? (s) => SV.guard(s, () => SV.roofline(s, data.bench)) : null];
  const origin = ["origin", "Where the numbers come from", null, (s) => {
    if (((data.findings || {}).timing || []).length) SV.timing(s, data.findings.timing);
    SV.provenance(s, data.run);
  }];
  // A folder of `subvocal bench` holds no model: nothing else is missing there.
  if (SV.onlyBench(data)) return [speed, origin];
  const f = data.findings || {};
  const run = data.run_folder;
  const dynamics = f.dynamics || {};
  const or = (there, what, command, draw) => (section) => (there && (!Array.isArray(there) || there.length) ? draw(section) : SV.missing(section, what, "subvocal " + command + " " + run));
  return [
    ["training", "Training", "Did every seed learn?", or(data.training, "training log", "train --out",
      (s) => SV.guard(s, () => SV.loss_curves(s, data.training, context)))],
    ["depth", "Past the training depth", "Does more latent thinking help, and does the state settle?", or(f.depth, "accuracy against test depth", "eval", (s) => {
      SV.guard(s, () => SV.depth_curves(s, f.depth, context));
      if ((f.depth.by_difficulty || []).length) SV.guard(s, () => SV.difficulty_curves(s, f.depth, context));
    })],
    ["lens", "The answer as it forms", "What would the model answer if it stopped earlier?", or(f.lens && f.lens.examples, "read-out lens", "lens",
      (s) => SV.guard(s, () => SV.lens_map(s, f.lens, context)))],
    ["probe", "What can be read from the state", "Are the steps of the known solution in the state, and when?", or(f.probe, "probe", "probe",
      (s) => SV.guard(s, () => SV.probe_curves(s, f.probe, context)))],
    ["patch", "What the state does", "Does the answer follow when the state is changed?", or(f.patch, "patching result", "patch",
      (s) => f.patch.forEach((patch) => SV.guard(s, () => SV.patch_map(s, patch, context))))],
    ["dynamics", "How the state moves", "Does it settle, circle or drift?", (s) => SV.dynamicsSection(s, dynamics, run, context)],
    ["tables", "Further results", null, (f.tables || []).length ? (s) => f.tables.forEach((t) => SV.guard(s, () => SV.resultTable(s, t, context))) : null],
    speed, origin,
  ].filter((section) => section[3]);
};

SV.onlyBench = (data) => data.bench && !data.findings && !data.training;

SV.dynamicsSection = function (section, dynamics, run, context) {
  const command = "subvocal dynamics " + run;
  if ((dynamics.trajectory || []).length) SV.guard(section, () => SV.trajectory(section, dynamics.trajectory, context));
  else SV.missing(section, "trajectory of the state", command);
  if (dynamics.residual) SV.guard(section, () => SV.depth_curves(section, dynamics.residual, context, "Residual per update"));
  if (dynamics.halting) SV.guard(section, () => SV.halting(section, dynamics.halting, context));
  else SV.missing(section, "halting histogram", command);
};

// A figure that cannot be drawn says so in its place and is counted; the others stay.
SV.errors = 0;
SV.guard = function (section, draw) {
  try {
    draw();
  } catch (error) {
    SV.errors += 1;
    section.append(SV.el("p", {class: "missing", "data-failed": "1"}, "This figure could not be drawn: " + error.message));
  }
};

SV.render = function (data) {
  const context = SV.context(data);
  const main = document.getElementById("report");
  main.replaceChildren();
  SV.head(data, context);
  const links = SV.el("ul", {});
  document.getElementById("head").append(SV.el("nav", {"aria-label": "contents"}, links));
  if ((context.summary || []).length) {
    main.append(SV.el("h2", {id: "summary"}, "In short"), SV.el("ul", {class: "summary"}, context.summary.map((line) => SV.el("li", {}, line.text,
      line.interval ? SV.el("span", {class: "interval"}, " [" + SV.intervalText(line) + "]") : null))));
  }
  for (const [id, heading, question, draw] of SV.sections(data, context)) {
    const section = SV.el("section", {"aria-labelledby": id}, SV.el("h2", {id: id}, heading), question ? SV.el("p", {class: "lead"}, question) : null);
    main.append(section);
    links.append(SV.el("li", {}, SV.el("a", {href: "#" + id}, heading)));
    draw(section);
  }
};

// The page checks itself and leaves the outcome on its root element, where the test reads it.
SV.report = function () {
  const root = document.documentElement;
  window.addEventListener("error", () => (root.dataset.errors = ++SV.errors));
  let refused = 0;
  document.addEventListener("securitypolicyviolation", () => (root.dataset.refused = ++refused));
  root.dataset.refused = refused;
  try {
    SV.render(JSON.parse(document.getElementById("data").textContent));
  } catch (error) {
    SV.errors += 1;
    document.getElementById("report").append(SV.el("p", {class: "missing"}, "This report could not be drawn: " + error.message));
  }
  for (const figure of document.querySelectorAll("figure")) figure.dataset.marks = figure.querySelectorAll(".mark").length;
  root.dataset.requests = performance.getEntriesByType("resource").length;
  root.dataset.errors = SV.errors;
  root.dataset.ready = "1";
};

SV.report();
