// The card of a place: height and slope, what all maps say, the images of the period, the user's own image; the
// record of a field point.

import { address, get } from "./api.js";
import { el, replace } from "./dom.js";
import { chip, nameOf } from "./images.js";
import { showPoint } from "./panel.js";
import { language, number, own, percent, t } from "./words.js";

let shown = "", drawn = "";

/** Fill `node` with the card of a place [longitude, latitude]; once for each place, period and language. */
export async function showCard(node, run, period, [lng, lat]) {
  const key = JSON.stringify([run.name, period, lng, lat, language()]);
  if (key === drawn && !node.hidden) return;
  drawn = key;
  const facts = await get([run.name, period, "card"], { lng, lat });
  if (key !== drawn) return;
  node.hidden = !facts;
  if (!facts) return;
  const images = el("div"), metres = (key, value, name) => value === null ? null : el("li", {}, t(key, { [name]: number(value, 1) }));
  replace(
    node,
    el("h2", {}, t("card")),
    el("ul", {}, metres("height", facts.height_m, "m"), metres("slope", facts.slope_degrees, "d")),
    maps(facts.maps, run),
    images,
    facts.imagery ? ownImage(run, period, lng, lat) : null,
  );
  await showImages(images, run, period, { lng, lat }, () => key === drawn);
}

function maps(rows, run) {
  const target = own(run.classes.find((c) => c.key === run.target)).toLowerCase();
  const heads = [t("map_of"), t("class"), t("p_target", { target })];
  return el("table", {},
    el("caption", {}, t("maps_say")),
    el("thead", {}, el("tr", {}, heads.map((h) => el("th", { scope: "col" }, h)))),
    el("tbody", {}, rows.map((m) => el("tr", {},
      el("th", { scope: "row" }, el("bdi", {}, `${m.run} · ${m.period}`)),
      el("td", {}, m.class ? own(m.class) : t("not_observed")),
      el("td", { class: "number" }, percent(m.probability, 0))))));
}

/** The dates of the period as pictures, in a choice of bands or index. */
async function showImages(node, run, period, place, current) {
  if (!run.images) return;
  const { pictures } = run.images;
  if (!pictures.some((p) => p.id === shown)) shown = pictures[0]?.id ?? "";
  if (!shown) return;
  const strip = await get([run.name, period, "strip", shown], place);
  if (!current()) return;
  const focused = document.activeElement?.id === "card-shown";
  const select = el("select", { id: "card-shown", onchange: () => { shown = select.value; showImages(node, run, period, place, current); } },
    pictures.map((p) => el("option", { value: p.id, selected: p.id === shown }, nameOf(p.id))));
  const days = strip?.days ?? [];
  replace(
    node,
    el("div", { class: "row" }, el("label", {}, `${t("picture")} `, select)),
    days.length ? el("div", { class: "chips", tabindex: 0, role: "group", "aria-label": t("year_images") },
      days.map(({ day, cloud, seen }, i) => el("figure", {}, chip(strip, seen > 0 ? i : -1), el("figcaption", {}, day, el("br"),
        cloud === null ? t("cloud_unknown") : t("cloud", { p: percent(cloud, 0) }))))) : null,
    el("p", { class: "small" }, t(days.length ? "year_images" : "no_images")),
  );
  if (focused) select.focus();
}

function ownImage(run, period, lng, lat) {
  const about = el("figcaption", { class: "small" }, t("own_image"));
  const image = el("img", { width: 256, height: 256, alt: t("own_image"), onerror: () => { image.remove(); about.textContent = t("no_own_image"); } });
  image.src = `${address("data", run.name, period, "own.webp")}?${new URLSearchParams({ lng, lat })}`;
  return el("figure", { class: "own" }, image, about);
}

/** Open the record of a field point in `node`; `choose` gets its place, so that its card is shown. */
export async function openRecord(node, point, run, period, choose) {
  const status = typeof point.status === "string" ? JSON.parse(point.status) : point.status;
  showPoint(node, { ...point, status: own(status) }, run, () => { node.hidden = true; });
  node.dataset.id = point.id;
  const found = await get([run.name, period, "record"], { id: point.id });
  if (!found || node.dataset.id !== String(point.id)) return;
  const names = Object.fromEntries(run.classes.map((c) => [c.key, own(c)])), roles = { main: t("role.main"), reserve: t("role.reserve") };
  const value = (name, text) => ({ class: names, second_class: names, role: roles })[name]?.[text] ?? text;
  node.append(el("table", {}, el("caption", {}, t("record")), el("tbody", {}, Object.entries(found.record).map(([name, text]) =>
    el("tr", {}, el("th", { scope: "row" }, t(`record.${name}`)), el("td", {}, el("bdi", {}, value(name, text))))))));
  choose?.(found.place);
}
