// The page: one view, drawn from top to bottom whenever it changes.

import { get } from "./api.js";
import { openRecord, showCard } from "./card.js";
import { connect, showControls, showLegend } from "./controls.js";
import { find, replace } from "./dom.js";
import { connectDoubt, showDoubt } from "./doubt.js";
import { dateOf, leastZoom, rightLayer, showImages, showStrip } from "./images.js";
import { Maps, placeOf } from "./maps.js";
import { paintRegions } from "./paint.js";
import { showList, showRegion } from "./panel.js";
import { showPixel } from "./pixel.js";
import { picture, save } from "./picture.js";
import { Tools } from "./tools.js";
import { format, parse, settled } from "./view.js";
import { label, own, publish, speak, t } from "./words.js";

const PIXEL_ZOOM = 11;
const USUAL = { relief: true, points: false, compare: false, layer_b: "", swipe: 50, camera: null, pixel: null, region: "" };

const house = await get(["house"]);
const lang = navigator.language.startsWith("en") ? "en" : "es";
const maps = new Maps(moved, clicked);
let view = settled(parse(window.location.hash, { ...USUAL, lang }), house);
let facts = null;
const choice = {};

const tools = new Tools(maps, { view: () => view, run: () => runOf(view.run), change, draw, attempt }, house.limits);
connect(house, change);
connectDoubt(() => view, (camera, pixel) => { maps.look(camera); change({ pixel }); }, attempt);
find("tool-picture").addEventListener("click", () => attempt(keepPicture));
window.addEventListener("hashchange", () => {
  if (window.location.hash === format(view)) return;
  view = settled(parse(window.location.hash, { ...USUAL, lang: view.lang }), house);
  facts = null;
  if (view.camera) maps.look(view.camera);
  draw();
});
find("controls").open = window.innerWidth > 700;
await draw();
await maps.still();
document.documentElement.dataset.ready = "1";

function change(part) {
  const other = "run" in part || "period" in part;
  if (other || "pixel" in part) facts = null;
  view = settled({ ...view, ...part }, house);
  if (part.compare) view.swipe = 50;
  draw();
  if (other || "lang" in part) tools.measure();
}

/** The view as a PNG. */
async function keepPicture() {
  const run = runOf(view.run), [lng, lat] = maps.middle();
  const right = view.compare ? rightLayer(view) : view.layer;
  const layer = [...new Set([view.layer, right])].map((id) => t(`layer.${id}`, { target: targetOf(run) })).join(" | ");
  const left = `${view.run} · ${view.period}${dateOf(view.layer, view.when)}`;
  const sides = view.compare ? `${left} | ${view.with} · ${view.at}${dateOf(right, view.when_b)}` : left;
  const marks = [house.runs.some((r) => r.simulated) ? t("simulated") : "", t(house.restricted ? "restricted" : "public")];
  const heading = [`${t("title")}: ${layer}`, sides, ...marks, t("middle", { place: `${lat}, ${lng}` })];
  const canvas = await picture(maps, { heading, swipe: view.compare ? view.swipe : null, zoom: maps.zoom(), latitude: lat });
  await save(canvas, `cocal-${view.run}-${view.period}.png`);
}

function moved(camera) {
  view.camera = camera; // in place: a view that still waits for the server stays the one to be drawn
  remember();
  showDates(view);
}

/** The dates of the chosen pixel, or of the middle of the map. */
function showDates(now) {
  const [zoom, lat, lng] = now.camera ?? maps.camera();
  showStrip(now, runOf(now.run), now.pixel ?? [lng, lat], change);
  find("images-far").hidden = zoom >= leastZoom(now, runOf(now.run), runOf(now.with));
}

function remember() {
  window.history.replaceState(null, "", format(view));
}

function runOf(name) {
  return house.runs.find((r) => r.name === name);
}

function targetOf(run) {
  return own(run.classes.find((c) => c.key === run.target)).toLowerCase();
}

/** Draw all of it; a newer view overtakes an older one that still waits for the server. */
async function draw() {
  const now = view, run = runOf(now.run);
  remember();
  speak(now.lang);
  publish(!house.restricted);
  label(document.body);
  document.title = `cocal · ${t("title")}`;
  find("simulated").hidden = !house.runs.some((r) => r.simulated);
  find("profile").textContent = t(house.restricted ? "restricted" : "public");
  find("sources").textContent = sourcesOf(run);
  const failed = run.periods.find((p) => p.name === now.period).failed;
  find("failed").hidden = failed === 0;
  find("failed").textContent = t("failed", { n: failed });
  showControls(now, house, change);
  showDoubt(now, run, targetOf(run));
  showImages(now, run, runOf(now.with), change);
  await attempt(async () => {
    const right = { ...now, layer: rightLayer(now), when: now.when_b };
    const sides = [await side(now, now.run, now.period), now.compare ? await side(right, now.with, now.at) : null];
    if (now !== view) return;
    maps.draw(sides[0].style, sides[1]?.style ?? null, now.camera);
    maps.label();
    showDates(now);
    showLegend(now, run, sides[0].painted);
    await showFigures(now, run, sides[0].figures);
  });
}

function sourcesOf(run) {
  const years = run.periods.flatMap((p) => [p.start, p.end]).map((day) => day.slice(0, 4)).sort();
  const own = run.own_map;
  const imagery = own ? t(run.simulated ? "office_invented" : "office", own) : t(run.simulated ? "invented" : "imagery", { years: [...new Set([years[0], years.at(-1)])].join("–") });
  return `${imagery} ${t("sources", { files: run.sources.join(", "), relief: run.relief ? t("sources_relief") : "" })}`;
}

/** One side of the stage: what to draw, and how its regions are painted. */
async function side(now, name, period) {
  const run = runOf(name), figures = await get([name, period, "figures"]);
  const painted = ["hectares", "width"].includes(now.layer) ? paintRegions(now.layer, figures, targetOf(run)) : null;
  const layer = now.layer === "image" || run.layers.some((l) => l.id === now.layer) ? now.layer : "none";
  const { shown, when, relief, points, region } = now, ring = facts?.outline ?? null;
  const style = { run, period, layer, shown, when, relief, points, region, ring, drawn: tools.drawn(), colours: painted?.colours };
  return { style, painted, figures };
}

async function showFigures(now, run, figures) {
  const places = (await get([run.name, "regions"])).features.map((f) => f.properties);
  if (now !== view) return;
  showList(find("list"), places, figures, run, now.period, (id) => change({ region: id }));
  const place = places.find((p) => p.id === now.region);
  find("region").hidden = !place;
  if (place) {
    const region = await get([run.name, now.period, "region"], { id: place.id });
    if (now === view && region) showRegion(find("region"), region, place, run, now.period, () => change({ region: "" }));
  }
  await showYear(now, run);
}

/** The chosen pixel of the view, asked for once. */
async function showYear(now, run) {
  for (const id of ["pixel", "card"]) if (!now.pixel || !run.pixels) find(id).hidden = true;
  if (!now.pixel || !run.pixels) return;
  if (!facts) {
    say(t("waiting"));
    const [lng, lat] = now.pixel;
    const found = await get([run.name, now.period, "pixel"], { lng, lat });
    if (now.pixel !== view.pixel || now.period !== view.period || now.run !== view.run) return;
    say(found ? "" : t("no_pixel"));
    find("pixel").hidden = !found;
    if (!found) return;
    facts = found;
    draw();
    return;
  }
  showPixel(find("pixel"), facts, run, choice, () => { facts = null; change({ pixel: null }); });
  await showCard(find("card"), run, now.period, now.pixel);
}

function clicked(event, map, right) {
  if (tools.kind) {
    tools.add(placeOf(event.lngLat));
    return;
  }
  tools.showPlace(placeOf(event.lngLat));
  const at = (layer) => (map.getLayer(layer) ? map.queryRenderedFeatures(event.point, { layers: [layer] })[0] : undefined);
  const run = runOf(right ? view.with : view.run);
  const part = { region: at("regions")?.properties.id ?? "", pixel: null };
  const point = at("points");
  find("point").hidden = !point;
  facts = null;
  delete choice.beside;
  say("");
  if (point) attempt(() => openRecord(find("point"), point.properties, run, right ? view.at : view.period, right ? null : (pixel) => change({ pixel })));
  else if (run.pixels && !right && map.getZoom() >= PIXEL_ZOOM) part.pixel = [event.lngLat.lng, event.lngLat.lat].map((v) => Number(v.toFixed(6)));
  else if (run.pixels && !right) say(t("zoom_in"));
  change(part);
  find("panel").scrollTop = 0;
}

function say(text) {
  replace(find("message"), text);
}

async function attempt(work) {
  try {
    await work();
  } catch (err) {
    say(t("trouble", { what: err.message }));
    if (!(err instanceof Error && /^\d+$/.test(err.message))) throw err;
  }
}
