// The panel of a pixel: what the map says of it, and its year beside a class.

import { chart } from "./chart.js";
import { el, replace } from "./dom.js";
import { own, number, percent, t } from "./words.js";

/** Fill `node` with the facts of a pixel; `choice` keeps {index, beside} while the page lives. */
export function showPixel(node, facts, run, choice, onClose) {
  const names = Object.fromEntries(run.classes.map((c) => [c.key, own(c)]));
  const called = facts.class ? names[facts.class] : t("not_observed");
  const target = names[run.target].toLowerCase();
  const indices = facts.indices ?? {}; // a map that no model made has no probability, dates and indices
  if (!(choice.index in indices)) choice.index = Object.keys(indices)[0];
  choice.beside ??= facts.class ?? run.target;
  const again = () => showPixel(node, facts, run, choice, onClose);
  node.hidden = false;
  replace(
    node,
    el("h2", {}, t("pixel"), el("button", { type: "button", class: "close", "aria-label": t("close"), onclick: onClose }, "×")),
    el("ul", {},
      el("li", {}, t("says", { class: called })),
      facts.shares && el("li", {}, t("shares", { shares: sharesOf(facts.shares, names) })),
      facts.indices && el("li", {}, t("probability", { target, p: percent(facts.probability, 0) })),
      facts.indices && el("li", {}, t("looks", { n: facts.looks }))),
    choice.index && el("div", { class: "row" },
      chooser("index", Object.keys(indices).map((k) => [k, k]), choice.index, (v) => { choice.index = v; again(); }),
      chooser("beside", run.classes.map((c) => [c.key, own(c)]), choice.beside, (v) => { choice.beside = v; again(); })),
    choice.index && year(facts, run, choice, names),
  );
}

const sharesOf = (shares, names) => Object.entries(shares).map(([key, share]) => `${names[key]} ${percent(share, 0)}`).join(", ");

function chooser(key, options, chosen, onChange) {
  const select = el("select", { id: `pixel-${key}`, onchange: (e) => onChange(e.target.value) },
    options.map(([value, text]) => el("option", { value, selected: value === chosen }, text)));
  return el("label", {}, `${t(key)} `, select);
}

function year(facts, run, { index, beside }, names) {
  const { pixel, classes } = facts.indices[index];
  const curve = classes[beside], words = { n: number(facts.pixels[beside]), class: names[beside].toLowerCase(), m: facts.reach_m };
  const colour = run.classes.find((c) => c.key === beside).colour;
  return [
    chart(facts.dates, pixel, curve, colour, t("chart", { index, class: names[beside] })),
    el("p", { class: "small" }, t(curve ? "curve" : "no_curve", words)),
    el("details", {}, el("summary", {}, t("values")), table(facts.dates, pixel, curve, index)),
  ];
}

function table(dates, pixel, curve, index) {
  const cell = (v) => el("td", { class: "number" }, v === null || v === undefined ? "—" : number(v, 2));
  return el("table", {},
    el("thead", {}, el("tr", {}, [t("date"), index, t("usual")].map((h) => el("th", { scope: "col" }, h)))),
    el("tbody", {}, dates.map((d, i) => el("tr", {}, el("th", { scope: "row" }, d), cell(pixel[i]), cell(curve?.middle[i])))));
}
