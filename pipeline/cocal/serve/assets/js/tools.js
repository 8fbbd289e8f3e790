// What analysts do on a map: find a place, copy coordinates, measure, draw a polygon and count its hectares.

import { get } from "./api.js";
import { el, find, replace } from "./dom.js";
import { number, own, t } from "./words.js";

const MOST_FOUND = 8;

/** A text without accents and capitals. */
const plain = (text) => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();

const closer = (onClose) => el("button", { type: "button", class: "close", "aria-label": t("close"), onclick: onClose }, "×");

const metres = (m) => (m < 1000 ? `${number(m, 1)} m` : `${number(m / 1000, 3)} km`);

export class Tools {
  /** `maps` show the ground; `page`: {view(), run(), change(part), draw(), attempt(work)}; `limits`: {corners, count_ha}. */
  constructor(maps, page, limits) {
    this.maps = maps;
    this.page = page;
    this.limits = limits;
    this.kind = null;
    this.corners = [];
    for (const kind of ["line", "area"]) find(`tool-${kind}`).addEventListener("click", () => this.choose(this.kind === kind ? null : kind));
    find("tool-place").addEventListener("click", () => this.showPlace(maps.middle()));
    find("draw-add").addEventListener("click", () => this.add(maps.middle()));
    find("draw-undo").addEventListener("click", () => this.undo());
    find("draw-clear").addEventListener("click", () => this.choose(null));
    find("search").addEventListener("submit", (e) => { e.preventDefault(); this.search(find("wanted").value); });
    find("stage").addEventListener("keydown", (e) => this.pressed(e));
  }

  /** Begin to draw a line or an area; null ends it. */
  choose(kind) {
    this.kind = kind;
    this.corners = [];
    this.show();
    this.update();
    if (kind) find("stage").scrollIntoView({ block: "nearest" });
  }

  show() {
    for (const kind of ["line", "area"]) find(`tool-${kind}`).setAttribute("aria-pressed", String(this.kind === kind));
    for (const id of ["drawing", "cross"]) find(id).hidden = !this.kind;
    find("draw-undo").disabled = this.corners.length === 0;
    this.maps.zoomsOnDoubleClick(!this.kind);
  }

  pressed(event) {
    const does = { Enter: () => this.add(this.maps.middle()), Backspace: () => this.undo(), Escape: () => this.choose(null) }[event.key];
    if (!this.kind || !does || event.target.tagName !== "CANVAS") return;
    event.preventDefault();
    does();
  }

  add(place) {
    if (this.corners.length >= this.limits.corners) return;
    this.corners = [...this.corners, place];
    this.show();
    this.update();
  }

  undo() {
    this.corners = this.corners.slice(0, -1);
    this.show();
    this.update();
  }

  /** What was drawn, as GeoJSON for the style of the map. */
  drawn() {
    const feature = (type, coordinates) => ({ type: "Feature", properties: {}, geometry: { type, coordinates } });
    const { corners } = this, line = this.kind === "area" && corners.length > 2 ? [...corners, corners[0]] : corners;
    const features = corners.map((c) => feature("Point", c));
    if (line.length > 1) features.push(feature("LineString", line));
    return { type: "FeatureCollection", features };
  }

  /** Measure what was drawn, and draw it; a later corner overtakes an answer that is still awaited. */
  async update() {
    this.page.draw();
    await this.measure();
  }

  async measure() {
    const { kind, corners } = this, run = this.page.run(), period = this.page.view().period;
    const node = find("measured"), stale = () => corners !== this.corners || run !== this.page.run() || period !== this.page.view().period;
    if (!kind || corners.length < 2) { node.hidden = true; return; }
    await this.page.attempt(async () => {
      const at = corners.flat().join(",");
      const facts = await get(["measure"], { at });
      if (stale()) return;
      node.hidden = false;
      const head = el("h2", {}, t(kind === "area" ? "polygon" : "distance"), closer(() => this.choose(null)));
      const lines = kind === "line" ? [t("length", { m: metres(facts.length_m) })] : polygonLines(facts, corners);
      const counts = kind === "area" && facts.area_ha !== null && run.pixels && facts.area_ha <= this.limits.count_ha;
      if (run.pixels && facts.area_ha > this.limits.count_ha) lines.push(t("too_large", { ha: number(this.limits.count_ha) }));
      replace(node, head, lines.map((text) => el("p", {}, text)), counts ? el("p", {}, t("waiting")) : null);
      if (!counts) return;
      const count = await get([run.name, period, "count"], { at });
      if (!stale()) node.lastChild.replaceWith(...countTable(count, run, period));
    });
  }

  /** Coordinates of a place, to be copied. */
  async showPlace([lng, lat]) {
    await this.page.attempt(async () => {
      const facts = await get(["place"], { lng, lat }), node = find("place");
      node.hidden = false;
      replace(node, el("h2", {}, t("place"), closer(() => { node.hidden = true; })),
        copied("place-degrees", t("degrees"), facts.degrees), copied("place-utm", t("utm", { epsg: facts.epsg }), facts.utm));
    });
  }

  /** Regions whose name has the text; the place that it states. */
  async search(text) {
    const wanted = plain(text.trim()), list = find("found");
    if (!wanted) { replace(list); return; }
    await this.page.attempt(async () => {
      const { features } = await get([this.page.run().name, "regions"]);
      const regions = features.filter((f) => plain(f.properties.name).includes(wanted) || plain(f.properties.id) === wanted);
      const place = regions.length ? null : await get(["place"], { q: text });
      const found = regions.slice(0, MOST_FOUND).map((f) => this.entry(el("bdi", {}, f.properties.name), () => this.goToRegion(f)));
      if (place) found.push(this.entry(place.degrees, () => this.goToPlace(place)));
      const more = regions.length - MOST_FOUND;
      replace(list, found, more > 0 ? el("li", {}, t("more_found", { n: more })) : null, found.length ? null : el("li", {}, t("nothing_found")));
      if (found.length === 1) (place ? () => this.goToPlace(place) : () => this.goToRegion(regions[0]))();
    });
  }

  entry(text, onChoose) {
    return el("li", {}, el("button", { type: "button", class: "link", onclick: onChoose }, text));
  }

  goToRegion(feature) {
    this.maps.fit(boundsOf(feature.geometry));
    this.page.change({ region: feature.properties.id });
  }

  goToPlace({ lng, lat }) {
    this.maps.look([Math.max(14, this.maps.zoom()), lat, lng]);
    this.showPlace([lng, lat]);
  }
}

function polygonLines(facts, corners) {
  if (corners.length < 3) return [t("length", { m: metres(facts.length_m) }), t("more_corners")];
  if (facts.area_ha === null) return [t("crossing")];
  return [t("area", { ha: number(facts.area_ha, 2) }), t("perimeter", { m: metres(facts.perimeter_m) })];
}

/** The hectares of each class inside a polygon, with the words that they are a count. */
function countTable(count, run, period) {
  const title = t("count_of", { period });
  const names = run.classes.map((c) => [own(c), count.classes[c.key], c.key === run.target]);
  const rest = [[t("not_observed"), count.not_observed_ha], [t("no_map"), count.no_map_ha]].filter((r) => r[1] > 0);
  const row = ([name, ha, strong]) => el("tr", { class: strong ? "target" : null }, el("th", { scope: "row" }, name), el("td", { class: "number" }, number(ha, 2)));
  return [
    el("p", { class: "warning" }, t("count_only")),
    el("table", {},
      el("caption", {}, title),
      el("thead", {}, el("tr", {}, el("th", { scope: "col" }, t("class")), el("th", { scope: "col", class: "figures" }, t("counted")))),
      el("tbody", {}, [...names, ...rest].map(row))),
  ];
}

/** A text with a button that copies it. */
function copied(id, label, text) {
  const field = el("input", { id, readonly: true, value: text, class: "copy" });
  const copy = async () => {
    field.select();
    if (navigator.clipboard) await navigator.clipboard.writeText(text);
    else document.execCommand("copy"); // a page without TLS that is not on this machine
    find("message").textContent = t("copied", { text });
  };
  return el("div", { class: "row" }, el("label", { for: id }, label),
    el("span", { class: "copying" }, field, el("button", { type: "button", "aria-label": t("copy_what", { what: label }), onclick: copy }, t("copy"))));
}

/** West, south, east, north of a polygon or of several. */
function boundsOf({ coordinates }) {
  const flat = coordinates.flat(Infinity), lng = flat.filter((_, i) => i % 2 === 0), lat = flat.filter((_, i) => i % 2 === 1);
  const least = (all) => all.reduce((a, b) => Math.min(a, b)), most = (all) => all.reduce((a, b) => Math.max(a, b));
  return [least(lng), least(lat), most(lng), most(lat)];
}

