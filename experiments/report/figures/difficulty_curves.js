// Accuracy against test depth, one line per level of difficulty.
SV.difficulty_curves = function (parent, depth, context) {
  const levels = depth.by_difficulty.map((level) => ({...level, depths: level.depths || depth.depths}));
  const seedsOf = (level) => level.seeds || (level.accuracy.length === context.seeds.length ? context.seeds : d3.range(level.accuracy.length));
  const seeds = seedsOf(levels[0]);
  const figure = SV.figure(parent, "difficulty_curves", "Accuracy by difficulty against test depth", SV.stamp(seeds, context));
  const train = context.train_depth || {};
  const unit = SV.difficultyUnit(levels, depth);
  const all = [...new Set(levels.flatMap((level) => level.depths))].sort((a, b) => a - b);
  SV.legend(figure.body, levels.map((level, i) => ({color: SV.orderedColor(i, levels.length),
    name: "difficulty " + level.difficulty + (SV.isNumber(level.items) ? " (" + SV.plain(level.items) + " " + unit + ")" : "")})));
  const axes = SV.axes(figure.body.appendChild(SV.el("div", {})), {
    width: 980, height: 360, describe: "accuracy by difficulty against latent updates at test time", trained: [train.min, train.max],
    x: {values: all, label: "latent updates at test time", ticks: true, log: SV.wideRange(all)},
    y: {label: "answer tokens right (%)", domain: [0, 1], format: d3.format(".0%")},
  });
  levels.forEach((level, i) => SV.drawSeries(axes, {name: "difficulty " + level.difficulty, color: SV.orderedColor(i, levels.length),
    xs: level.depths, rows: level.accuracy, seeds: seedsOf(level), interval: level.interval}, SV.percent));
  const group = levels[0].group;
  figure.caption((group ? group + ": " : "") + SV.evidence(context, {seeds, depths: all, items: SV.testItems(depth, group)}),
    SV.bandSays(seeds, levels.some((level) => level.interval), null) + " The counts in the key are " + unit + ".");
  figure.table(["difficulty", unit, "test depth", ...SV.seedColumns(seeds, levels.some((level) => level.interval))],
    levels.flatMap((level) => level.depths.map((r, i) => ["" + level.difficulty, SV.isNumber(level.items) ? level.items : "–", r,
      ...SV.seedCells(level.accuracy, i, SV.percent, level.interval)])));
};

// What `items` of a level counts: said by the results, else answer tokens where they are more than the test items.
SV.difficultyUnit = function (levels, depth) {
  if (levels[0].unit) return levels[0].unit;
  const tested = SV.testItems(depth, levels[0].group);
  return SV.isNumber(tested) && d3.sum(levels, (level) => level.items || 0) > tested ? "answer tokens" : "items";
};
SV.testItems = (depth, group) => ((depth.groups || []).find((g) => g.name === group) || {}).items;
