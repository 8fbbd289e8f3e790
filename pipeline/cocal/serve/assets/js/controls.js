// What can be chosen, shown as the view has it; every change makes a new view.

import { el, find, replace, swatch } from "./dom.js";
import { POINT_COLOURS } from "./style.js";
import { NO_FIGURE } from "./paint.js";
import { dateOf, imageLegend, nameOf, rightLayer } from "./images.js";
import { choices } from "./view.js";
import { own, t } from "./words.js";

/** Connect the elements once; `change(part)` is told what was chosen. */
export function connect(house, change) {
  for (const code of ["es", "en"]) find(`lang-${code}`).addEventListener("click", () => change({ lang: code }));
  const periods = (name) => house.runs.find((r) => r.name === name).periods;
  for (const [select, slider, run, period] of [["run", "period", "run", "period"], ["run-b", "period-b", "with", "at"]]) {
    replace(find(select), house.runs.map((r) => el("option", { value: r.name }, r.name)));
    find(select).addEventListener("change", (e) => change({ [run]: e.target.value }));
    find(slider).addEventListener("input", (e) => change({ [period]: periods(find(select).value)[Number(e.target.value)].name }));
  }
  for (const id of ["relief", "points", "compare"]) find(id).addEventListener("change", (e) => change({ [id]: e.target.checked }));
  find("swipe").addEventListener("input", (e) => change({ swipe: Number(e.target.value) }));
}

/** Show the view in the controls. */
export function showControls(view, house, change) {
  const run = house.runs.find((r) => r.name === view.run), other = house.runs.find((r) => r.name === view.with);
  const target = own(run.classes.find((c) => c.key === run.target));
  for (const code of ["es", "en"]) find(`lang-${code}`).setAttribute("aria-pressed", String(view.lang === code));
  for (const id of ["run-row", "run-b-row"]) find(id).hidden = house.runs.length < 2;
  find("run").value = view.run;
  find("run-b").value = view.with;
  showPeriod("period", run, view.period);
  showPeriod("period-b", other, view.at);
  showLayers(choices(run), view.layer, target.toLowerCase(), change);
  showRightLayers(choices(other), view, target.toLowerCase(), change);
  find("relief-row").hidden = !run.relief;
  find("points-row").hidden = !run.records;
  for (const id of ["relief", "points", "compare"]) find(id).checked = view[id];
  find("other").hidden = !view.compare;
  showSwipe(view);
}

function showPeriod(id, run, name) {
  const slider = find(id);
  slider.max = String(run.periods.length - 1);
  slider.value = String(run.periods.findIndex((p) => p.name === name));
  slider.disabled = run.periods.length < 2;
  slider.setAttribute("aria-valuetext", name);
  find(`${id}-name`).textContent = name;
}

function showLayers(ids, chosen, target, change) {
  const box = find("layers");
  const focused = box.contains(document.activeElement) ? document.activeElement.value : null;
  const radio = (value) => el("input", { type: "radio", name: "layer", value, checked: value === chosen, onchange: () => change({ layer: value }) });
  replace(box, ids.map((id) => el("label", {}, radio(id), ` ${t(`layer.${id}`, { target })}`)));
  if (focused) box.querySelector(`input[value="${focused}"]`)?.focus();
}

function showRightLayers(ids, view, target, change) {
  const select = find("layer-b"), option = (value, text) => el("option", { value, selected: value === view.layer_b }, text);
  replace(select, option("", t("same")), ids.map((id) => option(id, t(`layer.${id}`, { target }))));
  select.onchange = () => change({ layer_b: select.value });
}

function showSwipe(view) {
  for (const id of ["swipe", "divider", "sides"]) find(id).hidden = !view.compare;
  find("swipe").value = String(view.swipe);
  find("divider").style.left = `${view.swipe}%`;
  find("map-b").style.clipPath = `inset(0 0 0 ${view.swipe}%)`;
  const many = view.run !== view.with;
  find("side-a").textContent = (many ? `${view.run} · ${view.period}` : view.period) + dateOf(view.layer, view.when);
  find("side-b").textContent = (many ? `${view.with} · ${view.at}` : view.at) + dateOf(rightLayer(view), view.when_b);
}

/** What the colours mean. */
export function showLegend(view, run, painted) {
  const sides = view.compare ? [...new Set([view.layer, rightLayer(view)])] : [view.layer];
  const layers = run.layers.filter((l) => sides.includes(l.id));
  const target = own(run.classes.find((c) => c.key === run.target)).toLowerCase();
  const list = (title, lines) => [el("h2", {}, title), el("ul", {}, lines.map((l) => el("li", {}, swatch(l.colour), ` ${l.text}`)))];
  const ground = (layer) => [...layer.legend.map((s) => ({ colour: s.colour, text: own(s) })),
    ...(layer.id === "density" ? [] : [{ colour: NO_FIGURE, text: t("not_observed") }])];
  replace(
    find("legend"),
    sides.includes("image") && view.shown ? list(nameOf(view.shown), imageLegend(run, view.shown)) : [],
    layers.map((layer) => list(t(`layer.${layer.id}`, { target }), ground(layer))).flat(),
    painted ? list(painted.title, painted.legend) : [],
    view.points && run.records
      ? list(t("points"), Object.entries(POINT_COLOURS).map(([k, colour]) => ({ colour, text: t(k) }))) : [],
  );
}
