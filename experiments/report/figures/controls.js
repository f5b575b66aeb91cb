// Controls that work from the keyboard: a choice, and a slider that can play.
SV.choice = function (figure, label, names, onChange) {
  const select = SV.el("select", {}, names.map((name, i) => SV.el("option", {value: i}, SV.short(name, 70))));
  select.addEventListener("change", () => onChange(Number(select.value)));
  if (names.length > 1) figure.controls.append(SV.el("label", {}, label, select));
  return select;
};

// A slider over the entries of `values`; `onChange(index)`. Returns a function that sets the index.
SV.slider = function (figure, label, values, start, onChange) {
  const input = SV.el("input", {type: "range", min: 0, max: values.length - 1, step: 1, value: start});
  const output = SV.el("output", {});
  const button = SV.el("button", {type: "button"}, "Play");
  let timer = null;
  const stop = () => {
    clearInterval(timer);
    timer = null;
    button.textContent = "Play";
  };
  const show = (i) => {
    input.value = i;
    input.setAttribute("aria-valuetext", label + " " + values[i]);
    output.textContent = values[i];
    onChange(i);
  };
  input.addEventListener("input", () => {
    stop();
    show(Number(input.value));
  });
  button.addEventListener("click", () => {
    if (timer) return stop();
    if (Number(input.value) === values.length - 1) show(0);
    button.textContent = "Pause";
    timer = setInterval(() => {
      const next = Number(input.value) + 1;
      if (next >= values.length) return stop();
      show(next);
    }, 450);
  });
  if (values.length > 1) figure.controls.append(SV.el("label", {}, label, input, output), button);
  show(start);
  return show;
};
