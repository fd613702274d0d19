"use strict";
document.documentElement.classList.add("has-script");

// A table is sorted by the keys of its cells: numbers by value, text by the letter, what is undefined last.
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  const body = table.tBodies[0];
  heads.forEach((head, column) => head.querySelector("button").addEventListener("click", () => {
    const isNumber = head.classList.contains("number");
    const first = isNumber ? "descending" : "ascending";
    const second = isNumber ? "ascending" : "descending";
    const order = head.getAttribute("aria-sort") === first ? second : first;
    heads.forEach((other) => other.setAttribute("aria-sort", other === head ? order : "none"));
    const sign = order === "ascending" ? 1 : -1;
    const key = (row) => row.cells[column].dataset.key;
    const compared = (a, b) => {
      const [x, y] = [key(a), key(b)];
      if (x === "" || y === "") return (x === "") - (y === "");
      return sign * (isNumber ? Number(x) - Number(y) : x.localeCompare(y, "en", { numeric: true }));
    };
    body.append(...[...body.rows].sort(compared));
  }));
}

// A rotating projection is a strip of frames behind a window; the slider says which one is seen.
for (const figure of document.querySelectorAll("[data-frames]")) {
  const [count, width, period] = ["frames", "width", "period"].map((name) => Number(figure.dataset[name]));
  const strip = figure.querySelector("image");
  const slider = figure.querySelector("input");
  const words = figure.querySelector("output");
  const button = figure.querySelector("button");
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  const sides = ["the front", "the left front", "the left", "the left back", "the back", "the right back", "the right",
    "the right front"];
  let timer = 0;
  const show = (frame) => {
    const degrees = Math.round(frame * 360 / count);
    strip.setAttribute("x", -frame * width);
    slider.value = frame;
    const seen = `${degrees}°, seen from ${sides[Math.round(degrees / 45) % 8]}`;
    slider.setAttribute("aria-valuetext", seen);
    words.textContent = seen;
  };
  const stop = () => { clearInterval(timer); timer = 0; button.textContent = "Rotate"; };
  const start = () => {
    timer = setInterval(() => show((Number(slider.value) + 1) % count), period / count);
    button.textContent = "Stop";
  };
  button.addEventListener("click", () => (timer ? stop() : start()));
  slider.addEventListener("input", () => { stop(); show(Number(slider.value)); });
  still.addEventListener("change", () => { if (still.matches) stop(); });
  addEventListener("beforeprint", () => { stop(); show(0); });
  show(0);
  if (!still.matches) start();
}

// A figure is saved as it stands: its SVG carries all of its own looks.
for (const button of document.querySelectorAll("button[data-saves]")) {
  button.addEventListener("click", () => {
    const drawn = document.getElementById(button.dataset.saves);
    const text = new XMLSerializer().serializeToString(drawn);
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: "image/svg+xml" }));
    link.download = `${button.dataset.saves}.svg`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  });
}

// A table is narrowed to the rows of one outcome, and to those that have some words.
for (const group of document.querySelectorAll("[data-filters]")) {
  const rows = [...document.getElementById(group.dataset.filters).tBodies[0].rows];
  const texts = rows.map((row) => row.textContent.toLowerCase());
  const [choice, words, told] = ["select", "input", "output"].map((name) => group.querySelector(name));
  const narrow = () => {
    const wanted = words.value.trim().toLowerCase();
    let n = 0;
    rows.forEach((row, place) => {
      const own = row.cells[Number(group.dataset.column)].dataset.key;
      row.hidden = !((choice.value === "" || own === choice.value) && texts[place].includes(wanted));
      n += row.hidden ? 0 : 1;
    });
    told.textContent = `${n} of ${rows.length} shown`;
  };
  choice.addEventListener("change", narrow);
  words.addEventListener("input", narrow);
  narrow();
}

// Paper has no clicks: what is folded is printed open.
let folded = [];
addEventListener("beforeprint", () => {
  folded = [...document.querySelectorAll("details:not([open])")];
  folded.forEach((one) => { one.open = true; });
});
addEventListener("afterprint", () => { folded.forEach((one) => { one.open = false; }); folded = []; });
