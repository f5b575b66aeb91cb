// The page's own vocabulary: elements with text nodes only, the frame of a figure, tables.
const SV = {};
const SV_PALETTE = 8;  // style.css holds this many categorical and sequential colours

// An element; attributes by name, children as elements or as text nodes. Nothing ever becomes markup.
SV.el = function (tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value !== null && value !== undefined) node.setAttribute(name, value);
  }
  for (const child of children.flat()) {
    if (child === null || child === undefined) continue;
    node.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
  return node;
};

SV.isNumber = (x) => typeof x === "number" && Number.isFinite(x);
SV.percent = (x) => (SV.isNumber(x) ? (100 * x).toFixed(1) + " %" : "–");
SV.plain = (x) => {
  if (!SV.isNumber(x)) return x === null || x === undefined ? "–" : String(x);
  if (Number.isInteger(x)) return d3.format(",")(x).replace("−", "-");
  return Math.abs(x) >= 0.01 && Math.abs(x) < 1e4 ? String(+x.toPrecision(4)) : x.toExponential(2);
};
// Labels of an axis: short powers of ten below 0.01.
SV.tick = (x) => (x !== 0 && Math.abs(x) < 0.01 ? x.toExponential().replace("e-", "e−") : SV.plain(x));
SV.plural = (n, word) => SV.plain(n) + " " + word + (n === 1 ? "" : "s");
SV.mean = (values) => {
  const there = values.filter(SV.isNumber);
  return there.length ? there.reduce((a, b) => a + b, 0) / there.length : null;
};
// Positions as labels: given, or counted from 0.
SV.labels = (positions) => (Array.isArray(positions) ? positions : d3.range(positions)).map(String);
SV.column = (rows, i) => (rows || []).map((row) => row[i]);
SV.short = (text, length) => {
  const all = Array.from(String(text));
  return all.length > length ? all.slice(0, length - 1).join("") + "…" : all.join("");
};

// The frame of a figure: title, exploratory stamp, controls, place for the drawing, caption, table.
SV.figure = function (parent, kind, title, stamp) {
  const id = "figure-" + kind + "-" + (document.querySelectorAll("figure").length + 1);
  const root = SV.el("figure", {"data-figure": kind, "aria-labelledby": id});
  const controls = SV.el("div", {class: "controls"});
  const body = SV.el("div", {class: "body"});
  const caption = SV.el("figcaption", {});
  const table = SV.el("details", {}, SV.el("summary", {}, "The same numbers as a table"));
  const head = SV.el("div", {class: "figure-head"}, SV.el("h3", {id: id}, title));
  if (stamp) head.append(SV.el("span", {class: "stamp"}, stamp));
  root.append(head, controls, body, caption, table);
  parent.append(root);
  return {
    root, controls, body,
    caption: (...lines) => caption.append(...lines.filter(Boolean).map((line) => SV.el("p", {}, line))),
    // The figure's table; further ones (with a title) are added below it.
    table: (columns, rows) => {
      table.querySelectorAll(".scroll").forEach((old) => old.remove());
      table.append(SV.table(columns, rows));
    },
    furtherTable: (title, columns, rows) => table.append(SV.el("h4", {}, title), SV.table(columns, rows)),
  };
};

// A table; numbers are set right. `class` plain for a table that is not folded under a figure.
SV.table = function (columns, rows, style) {
  const cell = (tag, value) => {
    const number = SV.isNumber(value) || (typeof value === "string" && /^[–−-]?[\d.,e+-]*( %)?$/.test(value));
    return SV.el(tag, {class: number ? "number" : null}, SV.isNumber(value) ? SV.plain(value) : value);
  };
  const first = rows[0] || [];
  const head = columns.map((name, i) => SV.el("th", {scope: "col", class: cell("td", first[i]).className || null}, name));
  const body = rows.map((row) => SV.el("tr", {}, row.map((value) => cell("td", value))));
  const table = SV.el("table", {class: style || null}, SV.el("thead", {}, SV.el("tr", {}, head)), SV.el("tbody", {}, body));
  return SV.el("div", {class: style ? "scroll" : "scroll tall", tabindex: "0", role: "region", "aria-label": "table"}, table);
};

// A sentence in place of a figure whose results are not there yet.
SV.missing = function (parent, what, command) {
  parent.append(SV.el("p", {class: "missing", "data-missing": what}, "No " + what + " in this run folder yet. ",
    SV.el("code", {}, command), " makes it."));
};
