// A pixel's year as a picture: dots of the pixel, line and band of a class.

import { svg } from "./dom.js";
import { number } from "./words.js";

const SIZE = { width: 320, height: 170, left: 36, right: 8, top: 8, bottom: 22 };

/** SVG of `pixel` values (null = not clear) on `dates`, over the class's `curve` {low, middle, high} or null. */
export function chart(dates, pixel, curve, colour, title) {
  const days = dates.map((d) => Date.parse(d) / 864e5);
  const known = [pixel, ...(curve ? [curve.low, curve.high] : [])].flat().filter((v) => v !== null);
  const [low, high] = range(known);
  const x = scale(days[0], days.at(-1), SIZE.left, SIZE.width - SIZE.right);
  const y = scale(low, high, SIZE.height - SIZE.bottom, SIZE.top);
  const where = (values) => values.map((v, i) => (v === null ? null : [x(days[i]), y(v)])).filter(Boolean);
  return svg(
    "svg", { viewBox: `0 0 ${SIZE.width} ${SIZE.height}`, role: "img", "aria-label": title, class: "chart" },
    grid(low, high, y), months(dates, x),
    curve && svg("path", { d: band(where(curve.low), where(curve.high)), fill: colour, "fill-opacity": 0.25 }),
    curve && svg("path", { d: line(where(curve.middle)), fill: "none", stroke: colour, "stroke-width": 2 }),
    where(pixel).map(([cx, cy]) => svg("circle", { cx, cy, r: 3.2, fill: "#1b1b1b", stroke: "#fff", "stroke-width": 1 })),
  );
}

function range(values) {
  if (!values.length) return [0, 1];
  const low = Math.min(...values), high = Math.max(...values), pad = Math.max(0.05, 0.08 * (high - low));
  return [low - pad, high + pad];
}

const scale = (from, to, start, end) => (v) => (to === from ? (start + end) / 2 : start + ((v - from) / (to - from)) * (end - start));

const line = (points) => points.map(([px, py], i) => `${i ? "L" : "M"}${px.toFixed(1)} ${py.toFixed(1)}`).join("");

const band = (low, high) => (low.length ? `${line(high)}${line([...low].reverse()).replace("M", "L")}Z` : "");

function grid(low, high, y) {
  const step = [0.05, 0.1, 0.2, 0.5, 1, 2, 5].find((s) => (high - low) / s <= 6) ?? 10;
  const marks = [];
  for (let v = Math.ceil(low / step) * step; v <= high; v += step) marks.push(Math.round(v / step) * step + 0);
  return marks.flatMap((v) => [
    svg("line", { x1: SIZE.left, x2: SIZE.width - SIZE.right, y1: y(v), y2: y(v), stroke: "#ddd" }),
    svg("text", { x: SIZE.left - 4, y: y(v) + 4, "text-anchor": "end" }, number(v, step < 0.1 ? 2 : 1)),
  ]);
}

function months(dates, x) {
  const seen = new Set();
  const marks = dates.filter((d) => {
    const quarter = `${d.slice(0, 4)}${Math.floor((Number(d.slice(5, 7)) - 1) / 3)}`;
    return !seen.has(quarter) && seen.add(quarter);
  });
  return marks.map((d) =>
    svg("text", { x: Math.min(x(Date.parse(d) / 864e5), SIZE.width - 36), y: SIZE.height - 6 }, d.slice(0, 7)));
}
