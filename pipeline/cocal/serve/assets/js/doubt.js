// The places where the map is least sure of the target, one after the other.

import { get } from "./api.js";
import { find } from "./dom.js";
import { number, percent, t } from "./words.js";

const ZOOM = 16;

let of = "", places = [], at = -1;

/** Connect the button; `current()` is the view, `go(camera, pixel)` shows a place, `attempt` tells failures. */
export function connectDoubt(current, go, attempt) {
  find("tool-doubt").addEventListener("click", () => attempt(async () => {
    const view = current(), own = JSON.stringify([view.run, view.period]);
    const found = (await get([view.run, view.period, "doubtful"])) ?? [];
    if (own !== of) [of, places, at] = [own, found, -1];
    if (places.length > 0) at = (at + 1) % places.length;
    const place = places[at];
    if (place) go([ZOOM, place.lat, place.lng], [place.lng, place.lat]);
    else find("doubt-at").textContent = t("doubt.none");
  }));
}

/** Which of the places is shown, in words. */
export function showDoubt(view, run, target) {
  find("tool-doubt").hidden = !run.doubtful;
  const own = of === JSON.stringify([view.run, view.period]), place = places[at];
  find("doubt-at").textContent = !own ? "" : !place ? t("doubt.none")
    : t("doubt.at", { n: number(at + 1), of: number(places.length), target, p: percent(place.probability, 0) });
}
