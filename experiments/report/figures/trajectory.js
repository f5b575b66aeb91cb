// The path of the state over latent updates in its first two principal components, with a slider.
SV.trajectory = function (parent, paths, context) {
  const seeds = [...new Set(paths.map((p) => p.seed).filter(SV.isNumber))];
  const figure = SV.figure(parent, "trajectory", "Path of the state over latent updates", SV.stamp(seeds.length ? seeds : context.seeds, context));
  const place = figure.body.appendChild(SV.el("div", {}));
  const names = paths.map((p) => "item " + p.id + (SV.isNumber(p.seed) ? ", seed " + p.seed : "") + (p.label ? ", " + p.label : ""));
  const longest = paths.reduce((a, b) => (b.pc.length > a.pc.length ? b : a));
  const depths = longest.depths || d3.range(longest.pc.length);
  let show = null;
  let at = depths.length - 1;
  const draw = (i) => {
    place.replaceChildren();
    show = SV.trajectoryPlot(place, paths, i, context);
    show(at);
  };
  SV.choice(figure, "Example", names, draw);
  draw(0);
  SV.slider(figure, "Latent update", depths, at, (r) => {
    at = r;
    show(r);
  });
  figure.caption(SV.evidence(context, {seeds: seeds.length ? seeds : context.seeds, depths, items: null}) + " · single examples, not a sample",
    "Filled: updates within the training depth. Hollow: beyond it. Ring: the chosen update. Pale lines: other examples of the same seed, in the same projection;" +
    " each seed has axes of its own. Both axes have the same scale.");
  figure.table(["item", "seed", "update", "PC 1", "PC 2"], paths.flatMap((p) =>
    p.pc.map((point, i) => ["" + p.id, SV.isNumber(p.seed) ? "" + p.seed : "–", (p.depths || depths)[i], point[0], point[1]])));
};

SV.trajectoryPlot = function (parent, paths, chosen, context) {
  const path = paths[chosen];
  const depths = path.depths || d3.range(path.pc.length);
  const trained = SV.isNumber((context.train_depth || {}).max) ? context.train_depth.max : Infinity;
  const others = paths.filter((p, i) => i !== chosen && p.seed === path.seed);
  const points = [path, ...others].flatMap((p) => p.pc).filter((p) => p.every(SV.isNumber));
  const [xs, ys] = SV.equalScales(points, 900, 420);
  const axisName = (k) => "principal component " + (k + 1) + " (state units" +
    (path.explained && SV.isNumber(path.explained[k]) ? ", " + SV.percent(path.explained[k]) + " of variance" : "") + ")";
  const axes = SV.axes(parent, {width: 980, height: 460, describe: "state of item " + path.id + " over latent updates, two principal components",
    x: {values: xs, label: axisName(0)}, y: {label: axisName(1), domain: ys, format: SV.tick}});
  const line = d3.line().defined((p) => p.every(SV.isNumber)).x((p) => axes.x(p[0])).y((p) => axes.y(p[1]));
  for (const other of others) axes.inner.append("path").attr("class", "line thin mark grey").attr("d", line(other.pc));
  const main = axes.inner.append("g").attr("class", "c0");
  const segments = path.pc.slice(1).map((p, i) => main.append("path").attr("class", "line mark").attr("d", line([path.pc[i], p])));
  const dots = path.pc.map((p, i) => {
    const dot = main.append("circle").attr("class", "state mark" + (depths[i] > trained ? " beyond" : "")).attr("r", 4.5);
    if (p.every(SV.isNumber)) dot.attr("cx", axes.x(p[0])).attr("cy", axes.y(p[1]));
    SV.tooltip(dot, "update " + depths[i] + ": " + p.map(SV.plain).join(", "));
    return dot;
  });
  if (path.pc[0].every(SV.isNumber)) {
    const leftward = path.pc.length > 1 && path.pc[1][0] > path.pc[0][0];  // away from where the path goes
    axes.inner.append("text").attr("class", "note").attr("text-anchor", leftward ? "end" : "start")
      .attr("x", axes.x(path.pc[0][0]) + (leftward ? -11 : 11)).attr("y", axes.y(path.pc[0][1]) + 4).text("update " + depths[0]);
  }
  return (r) => {
    segments.forEach((segment, i) => segment.classed("later", i >= r));
    dots.forEach((dot, i) => dot.classed("later", i > r).classed("now", i === r).attr("r", i === r ? 7 : 4.5));
  };
};

// Domains with equal units per pixel, so that a circle stays a circle.
SV.equalScales = function (points, width, height) {
  const [x0, x1] = d3.extent(points, (p) => p[0]), [y0, y1] = d3.extent(points, (p) => p[1]);
  const unit = 1.1 * Math.max((x1 - x0) / width, (y1 - y0) / height, 1e-9);
  const around = (low, high, pixels) => [(low + high - unit * pixels) / 2, (low + high + unit * pixels) / 2];
  return [around(x0, x1, width), around(y0, y1, height)];
};
