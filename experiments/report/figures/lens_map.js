// The read-out lens: what the answer would be if the loop stopped after each update, at every position.
SV.asked = (example, t) => !example.targets || (example.targets[t] !== "" && example.targets[t] !== null);

SV.lensCorrect = function (example, r, t) {
  if (example.correct && example.correct[r][t] !== null) return Boolean(example.correct[r][t]);
  return Boolean(example.targets) && String(example.readout[r][t]) === String(example.targets[t]);
};

SV.lensTip = function (lens, example, r, t) {
  const target = SV.asked(example, t) ? (example.targets ? ", target " + SV.plain(example.targets[t]) : "") : ", not asked";
  return "update " + lens.depths[r] + ", position " + SV.lensPosition(lens, t) + ", token " + SV.plain(example.tokens[t]) + target +
    ": reads " + SV.plain(example.readout[r][t]) + (example.prob ? " with probability " + SV.percent(example.prob[r][t]) : "");
};

SV.lensPosition = function (lens, t) {
  if (Array.isArray(lens.positions)) return String(lens.positions[t]);
  return lens.grid ? "r" + (Math.floor(t / lens.grid[1]) + 1) + "c" + ((t % lens.grid[1]) + 1) : String(t);
};

SV.lens_map = function (parent, lens, context) {
  const seeds = [...new Set(lens.examples.map((e) => e.seed).filter(SV.isNumber))];
  const figure = SV.figure(parent, "lens_map", "How the answer forms over latent updates", SV.stamp(seeds.length ? seeds : context.seeds, context));
  const place = figure.body.appendChild(SV.el("div", {}));
  const names = lens.examples.map((e) => "item " + e.id + (SV.isNumber(e.seed) ? ", seed " + e.seed : "") + (e.note ? ", " + e.note : ""));
  let setBoard = null;
  let at = lens.depths.length - 1;
  const draw = (i) => {
    place.replaceChildren();
    setBoard = lens.grid ? SV.lensBoard(place, lens, lens.examples[i]) : null;
    if (setBoard) setBoard(at);
    SV.lensHeat(place, lens, lens.examples[i]);
    SV.lensTable(figure, lens, lens.examples[i]);
  };
  SV.choice(figure, "Example", names, draw);
  draw(0);
  if (lens.grid) {
    SV.slider(figure, "Latent update", lens.depths, Math.min(at, 1), (r) => {
      at = r;
      setBoard(r);
    });
  }
  figure.caption(SV.evidence(context, {seeds: seeds.length ? seeds : context.seeds, depths: lens.depths, items: null}) + " · single examples, not a sample",
    "Colour strength: probability of the token that is read. Blue: the right answer. Orange: a wrong one. Grey: a position that is not asked." +
    " Point at a cell for its values.");
};

SV.lensHeat = function (parent, lens, example) {
  const shown = d3.range(example.tokens.length);
  const longest = d3.max([...example.tokens, ...example.readout.flat()], (t) => Array.from(SV.plain(t)).length) || 1;
  // One-character tokens may stand close, so that a 9×9 board fits the page.
  const width = longest === 1 ? Math.max(11, Math.min(17, Math.floor(930 / shown.length))) : Math.min(46, 7 * Math.min(longest, 6) + 6);
  const headers = [{label: "token", class: "token", texts: example.tokens.map(SV.plain)}];
  if (example.targets) headers.push({label: "target", class: "target", texts: example.targets.map((t) => (t === null ? "" : String(t)))});
  const holes = example.prob && example.prob.flat().some((p) => !SV.isNumber(p));
  SV.heatScale(parent, [["pos", "right"], ["neg", "wrong"]], "0 %", "100 %",
    [shown.every((t) => SV.asked(example, t)) ? null : ["unasked", "not asked"], holes ? ["none", "no value"] : null].filter(Boolean));
  SV.heat(parent, {
    rows: lens.depths, cols: shown.map((t) => SV.lensPosition(lens, t)), headers, cell: {width, height: 17},
    value: (r, t) => (example.prob ? example.prob[r][t] : 1), text: (r, t) => example.readout[r][t],
    hue: (r, t) => (!SV.asked(example, t) ? "unasked" : SV.lensCorrect(example, r, t) ? "pos" : "neg"),
    tip: (r, t) => SV.lensTip(lens, example, r, t), rowLabel: "latent update",
    colLabel: lens.grid ? "position (row and column of the board)" : "position in the sequence",
    describe: "read-out at every latent update and position of example " + example.id,
  });
};

SV.lensTable = function (figure, lens, example) {
  const cell = (r, t) => SV.plain(example.readout[r][t]) + (example.prob ? " " + SV.percent(example.prob[r][t]) : "") +
    (SV.asked(example, t) ? (SV.lensCorrect(example, r, t) ? " right" : " wrong") : "");
  figure.table(["position", "token", "target", ...lens.depths.map((r) => "update " + r)], example.tokens.map((token, t) =>
    [SV.lensPosition(lens, t), SV.plain(token), SV.asked(example, t) && example.targets ? SV.plain(example.targets[t]) : "–",
      ...lens.depths.map((_, r) => cell(r, t))]));
};
