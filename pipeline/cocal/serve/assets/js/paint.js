// Colours of regions: steps of hectares, or of the interval's width.

import { number, t } from "./words.js";

const HECTARES = ["#ffffd4", "#fed98e", "#fe9929", "#d95f0e", "#993404"]; // ColorBrewer YlOrBr
const WIDTH = ["#f2f0f7", "#cbc9e2", "#9e9ac8", "#756bb1", "#54278f"]; // ColorBrewer Purples
export const NO_FIGURE = "#d9d9d9";

/** "estimated" where the period has estimates, else "mapped": the two are never mixed in one picture. */
export const told = (figures) => (Object.values(figures).some((f) => f.estimated_ha !== null) ? "estimated" : "mapped");

/** Width of the interval over the estimate: 0 ha [0 to 82] is the least certain of all, 0 ha [0 to 0] certain. */
export function relativeWidth({ estimated_ha, ci_low_ha, ci_high_ha }) {
  if (estimated_ha === null || ci_low_ha === null || ci_high_ha === null) return null;
  return ci_high_ha === ci_low_ha ? 0 : (ci_high_ha - ci_low_ha) / Math.max(estimated_ha, 0);
}

/** {colours: region id -> colour, legend: [{colour, text}], title} of the way to paint that `layer` names. */
export function paintRegions(layer, figures, target) {
  if (layer === "hectares") {
    const kind = told(figures);
    const values = each(figures, (f) => f[`${kind}_ha`]);
    const what = kind === "estimated" ? t("estimated") : `${t("mapped")}. ${t("mapped_only")}`;
    return shaded(values, quantiles(values), HECTARES, (v) => number(v, v < 10 ? 1 : 0), t("hectares_legend", { what, target }));
  }
  const text = (v) => number(100 * v) + "\u00a0%";
  return shaded(each(figures, relativeWidth), [0.25, 0.5, 1, 2], WIDTH, text, t("width_legend", { target }));
}

const each = (figures, of) => Object.fromEntries(Object.entries(figures).map(([id, f]) => [id, of(f)]));

/** Fifths of the values, rounded to two digits. */
function quantiles(values) {
  const known = Object.values(values).filter((v) => v !== null).sort((a, b) => a - b);
  const at = (share) => Number(known[Math.min(known.length - 1, Math.floor(share * known.length))].toPrecision(2));
  return known.length ? [...new Set([0.2, 0.4, 0.6, 0.8].map(at))] : [];
}

function shaded(values, steps, all, text, title) {
  const colours = steps.length === 4 ? all : all.slice(0, steps.length + 1);
  const colour = (v) => (v === null ? NO_FIGURE : colours[steps.filter((s) => v >= s).length]);
  const range = (i) =>
    i === 0 ? `< ${text(steps[0])}` : i === steps.length ? `≥ ${text(steps[i - 1])}` : `${text(steps[i - 1])} – ${text(steps[i])}`;
  const legend = steps.length ? colours.map((c, i) => ({ colour: c, text: range(i) })) : [];
  if (Object.values(values).includes(null)) legend.push({ colour: NO_FIGURE, text: t("no_figure") });
  return { colours: each(values, colour), legend, title };
}
