// What every accuracy must carry: seeds, interval, training-set size, train depth, test depth; and the stamp.
SV.kClaimSeeds = 10;  // fewer seeds are exploratory

SV.seedsOf = (part, context) => (part && part.seeds) || context.seeds || [];

// Models that a claim rests on, and the controls of the same pack: "4 seeds and 1 control".
SV.claimSeeds = function (context) {
  const groups = (context.groups || []).filter((g) => g.seeds);
  const controls = groups.filter((g) => g.control || g.name === "no injection").flatMap((g) => g.seeds);
  const main = groups.filter((g) => !(g.control || g.name === "no injection")).flatMap((g) => g.seeds);
  return {main: main.length ? [...new Set(main)] : context.seeds, controls: main.length ? controls : []};
};
SV.seedsSay = function (context) {
  const {main, controls} = SV.claimSeeds(context);
  return SV.plural(main.length, "seed") + (controls.length ? " and " + SV.plural(controls.length, "control") : "");
};

// `others`: seeds of further groups in the same figure, where they are not as many.
SV.stamp = function (seeds, context, others) {
  const counts = [seeds.length, ...(others || []).map((s) => s.length)];
  const few = Math.min(...counts) < SV.kClaimSeeds;
  const text = SV.range(counts) + (Math.max(...counts) === 1 ? " seed" : " seeds");
  return few || context.exploratory ? "exploratory · " + text : null;
};

SV.range = function (values) {
  const there = (values || []).filter(SV.isNumber);
  if (!there.length) return "not recorded";
  const [low, high] = [Math.min(...there), Math.max(...there)];
  return low === high ? SV.plain(low) : SV.plain(low) + "–" + SV.plain(high);
};

SV.trainedAt = function (context) {
  const depth = context.train_depth || {};
  const at = SV.range([depth.min, depth.max]);
  return at === "not recorded" ? "train depth not recorded" :
    "train depth " + at + (depth.law ? " (" + depth.law + ")" : "");
};

SV.trainedOn = function (context) {
  const size = (context.task || {}).train_size;
  return SV.isNumber(size) ? SV.plain(size) + " training items" : "training-set size not recorded";
};

// "4 seeds (0, 1, 2, 3) · 20,000 training items · train depth 2–4 (uniform) · test depth 1–32 · 1,024 test items"
SV.evidence = function (context, {seeds, depths, items, trainItems}) {
  const tested = items === undefined ? (context.task || {}).test_size : items;  // null: nothing is tested here
  return [
    SV.plural(seeds.length, "seed") + (seeds.length ? " (" + seeds.join(", ") + ")" : ""),
    SV.trainedOn(context), SV.trainedAt(context), depths ? "test depth " + SV.range(depths) : null,
    SV.isNumber(tested) ? SV.plain(tested) + " test items" : null,
    SV.isNumber(trainItems) ? "probe fitted on " + SV.plain(trainItems) + " items" : null,
  ].filter(Boolean).join(" · ");
};

// How the band of a series is to be read; intervals without a method are bootstrapped over seeds (README.md).
SV.bandSays = function (seeds, given, method) {
  if (given) return "Line: mean over seeds. Band: " + (method || "95 % bootstrap interval over seeds") + ". Points: single seeds.";
  return seeds.length > 1 ? "Line: mean over seeds. Band: lowest to highest seed. Points: single seeds." :
    "One seed: there is no interval over seeds.";
};

// Cells of a table row: every seed's value, then the mean and the interval (or the range over seeds).
SV.seedCells = function (rows, i, format, intervals) {
  const values = SV.column(rows, i);
  const there = values.filter(SV.isNumber);
  const range = intervals && intervals[i] ? intervals[i] : there.length ? [Math.min(...there), Math.max(...there)] : [];
  return [...values.map(format), format(SV.mean(values)), range.length ? range.map(format).join(" – ") : "–"];
};
SV.seedColumns = (seeds, given) => [...seeds.map((s) => "seed " + s), "mean", given ? "interval" : "lowest – highest seed"];
