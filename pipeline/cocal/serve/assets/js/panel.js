// Figures beside the map: the chosen region's table, a field point, the list of all regions.

import { tableAddress } from "./api.js";
import { el, replace } from "./dom.js";
import { told } from "./paint.js";
import { hectares, own, percent, span, t } from "./words.js";

/** The interval, or that there is an estimate from too few points for one. */
const sure = (f) => (f.estimated_ha !== null && f.ci_low_ha === null ? t("few") : span(f.ci_low_ha, f.ci_high_ha));

const closer = (onClose) => el("button", { type: "button", class: "close", "aria-label": t("close"), onclick: onClose }, "×");

/** The first heading stands over names, the others over figures. */
const headings = (first, ...others) => [
  el("th", { scope: "col" }, t(first)),
  ...others.map((k) => el("th", { scope: "col", class: "figures" }, t(k))),
];

/** The table of one region: all classes with intervals, and what the target is set beside. */
export function showRegion(node, region, place, run, period, onClose) {
  const names = Object.fromEntries([...run.classes.map((c) => [c.key, own(c)]), ["unobserved", t("not_observed")]]);
  const main = region.classes.find((c) => c.class === run.target);
  const columns = run.estimates ? ["mapped", "estimated", "interval"] : ["mapped"];
  node.hidden = false;
  replace(
    node,
    el("h2", {}, el("bdi", {}, place.name), closer(onClose)),
    el("p", {}, own(place.country), " · ", t("unobserved_share", { share: percent(main ? 1 - main.observed_fraction : null) })),
    el("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": t("table_of", { period }) },
      el("table", {},
        el("caption", {}, t("table_of", { period })),
        el("thead", {}, el("tr", {}, headings("class", ...columns))),
        el("tbody", {}, region.classes.map((c) => row(names[c.class] ?? c.class, c, c.class === run.target, columns.length))))),
    method(main),
    ...beside(main),
    el("p", { class: "small" }, t("state", { state: [own(region.state.state), region.state.by, region.state.on].filter(Boolean).join(", ") })),
    el("p", {}, el("a", { href: tableAddress(run.name, period, place.id), download: `${run.name}-${period}-${place.id}.csv` }, t("as_csv"))),
    region.compared.map((c) => el("p", {}, official(c))),
  );
}

function row(name, c, strong, count) {
  return el("tr", { class: strong ? "target" : null }, el("th", { scope: "row" }, name),
    [hectares(c.mapped_ha), hectares(c.estimated_ha), sure(c)].slice(0, count).map((v) => el("td", { class: "number" }, v)));
}

function method(main) {
  if (!main) return null;
  if (main.estimated_ha === null) return el("p", { class: "small" }, t("mapped_only"));
  const words = { estimator: own(main.estimator), interval: own(main.interval), level: percent(main.confidence, 0), n: main.n_reference };
  return el("p", { class: "small" }, t("method", words), own(main.notes) ? ` · ${own(main.notes)}` : "");
}

/** What stands beside the target's estimate: the model's figure, lighter, with its assumption; the figure before. */
function beside(main) {
  if (!main) return [];
  const model = { ha: hectares(main.small_area_ha), ends: span(main.small_area_low_ha, main.small_area_high_ha) };
  return [
    main.small_area_ha === null ? null : el("p", { class: "model" }, t("small_area", model)),
    main.last_ha === null ? null : el("p", { class: "small" }, t("before", { ha: hectares(main.last_ha), source: main.last_source })),
  ];
}

function official(c) {
  const verdict = ` · ${own(c.verdict)}`;
  return [t("official", { ha: hectares(c.official_ha), source: c.source }), verdict, own(c.why) ? ` · ${own(c.why)}` : ""].join("");
}

export function showPoint(node, point, run, onClose) {
  const names = Object.fromEntries(run.classes.map((c) => [c.key, own(c)]));
  node.hidden = false;
  replace(
    node,
    el("h2", {}, el("bdi", {}, t("point", { id: point.id })), closer(onClose)),
    el("p", {}, t("point_seen", { date: point.observed_on, class: names[point.field] ?? "—" })),
    el("p", {}, t("says", { class: names[point.map] ?? "—" }), " · ", point.status),
  );
}

/** All regions with the target's figures: what the map shows, for those who cannot see or point at it. */
export function showList(node, places, figures, run, period, onChoose) {
  const kind = told(figures);
  const title = t("list_of", { period, target: own(run.classes.find((c) => c.key === run.target)).toLowerCase() });
  const columns = kind === "estimated" ? ["estimated", "interval"] : ["mapped"];
  const cells = (f) => [hectares(f[`${kind}_ha`]), ...(kind === "estimated" ? [sure(f)] : [])];
  replace(
    node,
    el("h2", {}, t("regions")),
    el("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": title },
      el("table", {},
        el("caption", {}, title),
        el("thead", {}, el("tr", {}, headings("region", ...columns))),
        el("tbody", {}, places.filter((p) => p.id in figures).map((p) =>
          el("tr", {},
            el("th", { scope: "row" }, el("button", { type: "button", class: "link", onclick: () => onChoose(p.id) }, el("bdi", {}, p.name))),
            cells(figures[p.id]).map((v) => el("td", { class: "number" }, v))))))),
    kind === "mapped" ? el("p", { class: "small" }, t("mapped_only")) : null,
  );
}
