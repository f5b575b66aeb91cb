// What changes when a piece of state is replaced by that of another run: a map per patch, controls beside it.
SV.kPatchModes = {at: "written once", window: "written over a window of updates", clamp: "held for all remaining updates"};

SV.patch_map = function (parent, patch, context) {
  const seeds = SV.seedsOf(patch, context);
  const figure = SV.figure(parent, "patch_map", "Patching" + (patch.site ? " " + SV.short(patch.site, 60) : "") + ", " +
    (SV.kPatchModes[patch.mode] || patch.mode), SV.stamp(seeds, context));
  const positions = SV.labels(patch.positions);
  const all = [patch.effect, ...(patch.controls || []).map((c) => c.effect), ...(patch.by_seed || [])].flat(2).filter(SV.isNumber);
  const most = Math.max(1e-12, ...all.map(Math.abs));
  const scale = most <= 1 && most > 0.2 ? 1 : most;  // shares keep the full scale unless all are small
  const share = most <= 1;
  const format = share ? SV.percent : SV.plain;
  const holes = [patch.effect, ...(patch.controls || []).map((c) => c.effect)].flat(2).some((v) => !SV.isNumber(v));
  const hues = all.some((v) => v < 0) ? [["pos", "more"], ["neg", "less"]] : [["pos", "effect"]];
  SV.heatScale(figure.body, hues, share ? "0 %" : "0", share ? Math.round(100 * scale) + " %" : SV.plain(scale),
    holes ? [["none", "dotted: not measured (controls speak about the patched position alone)"]] : []);
  const place = figure.body.appendChild(SV.el("div", {class: "panels maps"}));
  const draw = (i) => {
    place.replaceChildren();
    const main = i === 0 ? patch.effect : patch.by_seed[i - 1];
    SV.patchPanel(place, i === 0 ? "patched, mean over seeds" : "patched, seed " + seeds[i - 1], main, patch, positions, scale, format);
    for (const control of patch.controls || []) SV.patchPanel(place, "control: " + control.name, control.effect, patch, positions, scale, format);
  };
  SV.choice(figure, "Show", ["mean over seeds", ...(patch.by_seed || []).map((_, s) => "seed " + seeds[s])], draw);
  draw(0);
  figure.caption(SV.evidence(context, {seeds, depths: patch.depths, items: patch.items}),
    "Effect: " + (patch.metric || "change of the answer") + ". Rows: the update at which the patch starts. " +
    (patch.interval ? "The table gives the interval of every cell." : "The table gives the lowest and highest seed of every cell."));
  SV.patchTable(figure, patch, positions, format, seeds);
};

SV.patchPanel = function (parent, title, values, patch, positions, scale, format) {
  const box = parent.appendChild(SV.el("div", {}, SV.el("h4", {}, SV.short(title, 60))));
  const width = Math.max(12, Math.min(52, Math.floor(620 / positions.length)));
  SV.heat(box, {
    rows: patch.depths, cols: positions, cell: {width, height: 20},
    value: (r, t) => (SV.isNumber(values[r][t]) ? values[r][t] / scale : null),
    text: (r, t) => (width < 30 ? null : scale <= 1 ? Math.round(100 * values[r][t]) : SV.plain(values[r][t])),
    tip: (r, t) => title + ", update " + patch.depths[r] + ", " + positions[t] + ": " + format(values[r][t]),
    rowLabel: "latent update", colLabel: Array.isArray(patch.positions) ? "where the state is replaced" : "position that is replaced",
    describe: title + ": effect by latent update and position",
  });
};

SV.patchTable = function (figure, patch, positions, format, names) {
  const controls = patch.controls || [];
  figure.table(["update", "position", "mean effect", patch.interval ? "interval" : "lowest – highest seed",
    ...(patch.by_seed || []).map((_, s) => "seed " + names[s]), ...controls.map((c) => c.name)],
    patch.depths.flatMap((r, i) => positions.map((name, t) => {
      const all = (patch.by_seed || []).map((rows) => rows[i][t]);
      const seeds = all.filter(SV.isNumber);
      const spread = patch.interval ? patch.interval[i][t] : seeds.length ? [Math.min(...seeds), Math.max(...seeds)] : null;
      return [r, name, format(patch.effect[i][t]), spread ? spread.map(format).join(" – ") : "–",
        ...all.map(format), ...controls.map((c) => format(c.effect[i][t]))];
    })));
};
