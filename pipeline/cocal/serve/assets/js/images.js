// Images: which bands or index, of which date, and the dates of a place as a strip with their share of cloud.

import { address, fresh } from "./api.js";
import { el, find, replace, swatch } from "./dom.js";
import { number, percent, t } from "./words.js";

export const MEDIAN = "median";
const OWN = "own", WAIT_MS = 400, RGB = ["#ff0000", "#00ff00", "#0000ff"];

let asked = "", strip = null, timer = 0, centred = MEDIAN;

/** What colours the right side: its own layer, or that of the left. */
export const rightLayer = (view) => view.layer_b || view.layer;

/** The source of a side's tiles for MapLibre. */
export function imageSource(run, period, { shown, when }) {
  const [least, leastMedian] = run.images.zooms;
  return {
    type: "raster", tiles: [`${address("images", run.name, period, when, shown)}/{z}/{x}/{y}.webp`], tileSize: 256,
    minzoom: when === MEDIAN ? leastMedian : least, maxzoom: run.zooms[1], bounds: run.bounds,
  };
}

/** The zoom of the map from which the sides that show images have them. */
export function leastZoom(view, run, other) {
  const least = (of, when) => of.images.zooms[when === MEDIAN ? 1 : 0] - 1;
  return Math.max(view.layer === "image" ? least(run, view.when) : 0,
    view.compare && rightLayer(view) === "image" ? least(other, view.when_b) : 0);
}

const isListed = (run, shown) => run.images.pictures.some((p) => p.id === shown);

/** What of the images a view may show: a picture of the run's bands, a day of the period or its median. */
export function settledImage(run, period, shown, when) {
  if (!run.images) return { shown: "", when: MEDIAN };
  const parts = (shown ?? "").split("-"), { bands, pictures } = run.images;
  const own = parts.length === 3 && parts.every((band) => bands.includes(band));
  const known = run.images.dates[period].includes(when);
  return { shown: own || isListed(run, shown) ? shown : pictures[0]?.id ?? bands.slice(0, 3).join("-"), when: known ? when : MEDIAN };
}

export const nameOf = (shown) => (["true", "false", "infrared"].includes(shown) ? t(`picture.${shown}`) : shown);

/** The choice of a picture; `change(part)` is told what was chosen. */
export function showImages(view, run, other, change) {
  const left = view.layer === "image", right = view.compare && rightLayer(view) === "image";
  const here = run.images && (left || right);
  find("when-b-row").hidden = !right;
  if (right) showRightDate(view, other, change);
  find("images").hidden = !here;
  find("stage").classList.toggle("dated", Boolean(left));
  find("strip").hidden = !left;
  if (!here) return;
  const { pictures, bands } = run.images, own = !isListed(run, view.shown);
  const option = (id, text) => el("option", { value: id, selected: id === (own ? OWN : view.shown) }, text);
  const [indices, combinations] = [true, false].map((index) => pictures.filter((p) => (p.legend.length > 0) === index));
  const select = find("shown");
  replace(select, combinations.map((p) => option(p.id, nameOf(p.id))), bands.length >= 3 ? option(OWN, t("picture.own")) : null,
    el("optgroup", { label: t("indices") }, indices.map((p) => option(p.id, p.id))));
  select.onchange = () => change({ shown: select.value === OWN ? first(view, run) : select.value });
  find("bands").hidden = !own;
  replace(find("bands"), own ? view.shown.split("-").map((band, i) => chooser(view, band, i, bands, change)) : []);
}

function showRightDate(view, run, change) {
  const select = find("when-b"), option = (value, text) => el("option", { value, selected: value === view.when_b }, text);
  replace(select, option(MEDIAN, t("median")), run.images.dates[view.at].map((day) => option(day, day)));
  select.onchange = () => change({ when_b: select.value });
}

/** Three bands to begin with: those of the picture so far, or the first. */
function first(view, run) {
  const { pictures, bands } = run.images, so_far = pictures.find((p) => p.id === view.shown);
  return (so_far?.bands.length === 3 && so_far.legend.length === 0 ? so_far.bands : bands.slice(0, 3)).join("-");
}

function chooser(view, chosen, i, bands, change) {
  const select = el("select", { id: `band-${i}`, onchange: (e) => change({ shown: view.shown.split("-").with(i, e.target.value).join("-") }) },
    bands.map((band) => el("option", { value: band, selected: band === chosen }, band)));
  return el("label", {}, swatch(RGB[i]), ` ${t(`band.${i}`)} `, select);
}

/** " · " and the date of a side that shows an image, "" of any other. */
export const dateOf = (layer, when) => (layer === "image" ? ` · ${when === MEDIAN ? t("median") : when}` : "");

/** Legend of a picture: [{colour, text}]. */
export function imageLegend(run, shown) {
  const found = run.images.pictures.find((p) => p.id === shown);
  if (found?.legend.length) return found.legend.map(([value, colour]) => ({ colour, text: number(value, 1) }));
  return (found?.bands ?? shown.split("-")).map((band, i) => ({ colour: RGB[i], text: band }));
}

/** The dates of a place, asked for when the map rests; `place` is [longitude, latitude]. */
export function showStrip(view, run, place, change) {
  if (find("strip").hidden) return;
  drawStrip(view, run, change);
  const key = JSON.stringify([run.name, view.period, view.shown, place]);
  if (key === asked) return;
  asked = key;
  window.clearTimeout(timer);
  timer = window.setTimeout(async () => {
    const [lng, lat] = place;
    const found = await fresh(["data", run.name, view.period, "strip", view.shown], { lng, lat }).catch(() => null);
    if (key !== asked) return;
    strip = found;
    centred = "";
    drawStrip(view, run, change);
  }, WAIT_MS);
}

function drawStrip(view, run, change) {
  const box = find("dates"), focused = box.contains(document.activeElement) ? document.activeElement.id : null;
  const known = strip?.days ?? [], scroll = box.scrollLeft;
  const days = known.some((d) => d.day === view.when) || view.when === MEDIAN ? known : [{ day: view.when, cloud: null, seen: 0 }, ...known];
  const date = ({ day, cloud, seen }, i) => choice(view, change, day, [
    chip(strip, seen > 0 ? (known.length === days.length ? i : i - 1) : -1),
    day,
    el("span", { class: "small" }, cloud === null ? t("cloud_unknown") : t("cloud", { p: percent(cloud, 0) })),
  ]);
  replace(box, choice(view, change, MEDIAN, [null, t("median")]), days.map(date));
  find("strip-about").textContent = t(strip ? "strip_about" : "strip_none", { m: strip ? strip.side * 10 : 0 });
  box.scrollLeft = scroll;
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
  else if (view.when !== centred) centre(box, document.getElementById(`when-${view.when}`)?.closest("label"));
  if (strip) centred = view.when;
}

/** Scroll the dates, not the page. */
function centre(box, date) {
  if (date) box.scrollLeft = date.offsetLeft - box.offsetLeft - (box.clientWidth - date.offsetWidth) / 2;
}

function choice(view, change, value, content) {
  const radio = el("input", { type: "radio", name: "when", id: `when-${value}`, value, checked: value === view.when, onchange: () => change({ when: value }) });
  const [image, name, ...more] = content;
  return el("label", { class: "date" }, image, el("span", {}, radio, ` ${name}`), more);
}

/** One of the pictures that stand side by side in the image of a strip; none where `i` is negative. */
export function chip(dates, i) {
  const node = el("span", { class: "chip", "aria-hidden": "true" });
  if (dates && i >= 0) {
    node.style.backgroundImage = `url(${dates.image})`;
    node.style.backgroundPosition = `${-i * dates.side}px 0`;
  }
  return node;
}
