// What is looked at, as one plain object; the part of the address after # says it, and restores it.

import { settledImage } from "./images.js";

const TEXT = ["lang", "run", "period", "layer", "shown", "when", "with", "at", "layer_b", "when_b", "region"];
const FLAGS = ["compare", "relief", "points"];

/** The view that an address asks for; what it does not say, or says wrongly, is as in `usual`. */
export function parse(hash, usual) {
  const said = new URLSearchParams(hash.replace(/^#/, ""));
  const view = { ...usual };
  for (const name of TEXT) if (said.has(name)) view[name] = said.get(name);
  for (const name of FLAGS) if (said.has(name)) view[name] = said.get(name) === "1";
  const swipe = Number(said.get("swipe"));
  if (said.has("swipe") && swipe >= 0 && swipe <= 100) view.swipe = swipe;
  view.camera = numbers(said.get("map"), 3) ?? usual.camera;
  view.pixel = numbers(said.get("pixel"), 2) ?? usual.pixel;
  return view;
}

export function format(view) {
  const said = new URLSearchParams();
  for (const name of TEXT) if (view[name]) said.set(name, view[name]);
  for (const name of FLAGS) said.set(name, view[name] ? "1" : "0");
  if (view.compare) said.set("swipe", String(view.swipe));
  else for (const name of ["with", "at", "layer_b", "when_b"]) said.delete(name);
  if (view.camera) said.set("map", view.camera.join(","));
  if (view.pixel) said.set("pixel", view.pixel.join(","));
  return `#${said}`;
}

function numbers(text, count) {
  const found = (text ?? "").split(",").map(Number);
  return found.length === count && text && found.every(Number.isFinite) ? found : null;
}

/** What a run can be coloured by: its rasters, its regions, nothing. */
export const choices = (run) => [...run.layers.map((l) => l.id), ...(run.images ? ["image"] : []), "hectares", ...(run.estimates ? ["width"] : []), "none"];

/** `view` with runs, periods and layers that exist. */
export function settled(view, house) {
  const run = house.runs.find((r) => r.name === view.run) ?? house.runs[0];
  const other = house.runs.find((r) => r.name === view.with) ?? house.runs[house.runs.length > 1 ? 1 : 0];
  const named = (of, name, usual) => (of.periods.find((p) => p.name === name) ?? of.periods.at(usual)).name;
  const layers = choices(run), period = named(run, view.period, -1), at = named(other, view.at, other === run ? 0 : -1);
  const image = settledImage(run, period, view.shown, view.when);
  image.shown ||= settledImage(other, at, view.shown, "").shown; // of a run without images beside one with them
  return {
    ...view,
    lang: view.lang === "en" ? "en" : "es",
    run: run.name,
    period,
    with: other.name,
    at,
    ...image,
    layer_b: choices(other).includes(view.layer_b) ? view.layer_b : "",
    when_b: settledImage(other, at, image.shown, view.when_b).when,
    layer: layers.includes(view.layer) ? view.layer : layers[0],
  };
}
