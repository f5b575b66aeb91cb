// The board of a grid task: what the read-out says in each cell after the chosen update.
SV.lensBoard = function (parent, lens, example) {
  const [rows, cols] = lens.grid;
  const size = Math.max(26, Math.min(44, Math.floor(460 / cols)));
  const box = parent.appendChild(SV.el("div", {class: "board"}));
  const svg = SV.svg(box, cols * size + 4, rows * size + 4, "board with the read-out after the chosen update", true);
  const says = box.appendChild(SV.el("p", {"aria-live": "polite"}));
  const cells = d3.range(rows * cols).map((t) => {
    const x = 2 + (t % cols) * size, y = 2 + Math.floor(t / cols) * size;
    const asked = SV.asked(example, t);
    const base = svg.append("rect").attr("class", asked ? "board-cell" : "board-clue").attr("x", x).attr("y", y).attr("width", size).attr("height", size);
    const fill = svg.append("rect").attr("class", "cell mark").attr("x", x + 1).attr("y", y + 1).attr("width", size - 2).attr("height", size - 2).attr("fill-opacity", 0);
    const text = svg.append("text").attr("x", x + size / 2).attr("y", y + size / 2 + 6).attr("class", "board-text" + (asked ? "" : " clue"))
      .text(asked ? "" : SV.short(example.tokens[t], 3));
    return {asked, base, fill, text, tip: fill.append("title")};
  });
  const [boxRows, boxCols] = lens.box || [rows, cols];
  for (let r = 0; r < rows; r += boxRows) {
    for (let c = 0; c < cols; c += boxCols) {
      svg.append("rect").attr("class", "board-box").attr("x", 2 + c * size).attr("y", 2 + r * size)
        .attr("width", Math.min(boxCols, cols - c) * size).attr("height", Math.min(boxRows, rows - r) * size);
    }
  }
  const asked = cells.filter((cell) => cell.asked).length;
  return (r) => {
    let right = 0;
    cells.forEach((cell, t) => {
      if (!cell.asked) return;
      const correct = SV.lensCorrect(example, r, t);
      const p = example.prob ? example.prob[r][t] : 1;
      right += correct ? 1 : 0;
      cell.fill.attr("class", "cell mark " + (correct ? "pos" : "neg")).attr("fill-opacity", SV.isNumber(p) ? Math.max(0.08, Math.min(1, p)) : 0.08);
      cell.text.classed("on", p > 0.6).text(SV.short(SV.plain(example.readout[r][t]), 3));
      cell.tip.text(SV.lensTip(lens, example, r, t));
    });
    says.textContent = "After update " + lens.depths[r] + ": " + right + " of " + asked + " open cells right.";
  };
};
