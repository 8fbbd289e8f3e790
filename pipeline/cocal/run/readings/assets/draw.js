// The pictures of a point, its dates, and the curve of its index.
"use strict";

function picture(src) {
  const image = new Image();
  image.src = src;
  return image.decode().then(() => image);
}

// A picture of one day. The large ones have a thin square exactly around the pixel that is judged, which a frame
// some pixels away makes easy to find.
function cut(image, day, label, scale = 1) {
  const side = sheet.side * scale, said = label ? { role: "img", "aria-label": label } : { "aria-hidden": "true" };
  const canvas = el("canvas", { width: side, height: side, ...said });
  const pen = canvas.getContext("2d");
  pen.imageSmoothingEnabled = false;
  pen.drawImage(image, day * sheet.side, 0, sheet.side, sheet.side, 0, 0, side, side);
  if (scale === 1) return canvas;
  const at = Math.floor(sheet.side / 2) * scale;
  for (const [colour, out] of [["#000", 1.5], ["#fff", 0.5]]) {
    pen.strokeStyle = colour;
    pen.strokeRect(at - out, at - out, scale + 2 * out, scale + 2 * out);
  }
  return canvas;
}

const percent = (share) => (share === null ? null : Math.round(100 * share));
const about = (day) => `${day.day} · ${words().cloud(percent(day.cloud))}`;

function showSheet(w) {
  const day = sheet.days[state.day];
  find("large").replaceChildren(...(day ? Object.entries(sheet.images).map(([id, image]) =>
    el("figure", {}, cut(image, state.day, `${w[id]}, ${about(day)}`, 6), el("figcaption", {}, w[id]))) : []));
  find("caption").textContent = day ? about(day) : w.no_days;
  const [first] = Object.values(sheet.images);
  find("days").replaceChildren(...sheet.days.map((d, i) => el("li", {}, el("button",
    { type: "button", "aria-pressed": String(i === state.day), onclick: () => look(i) }, cut(first, i, ""), d.day, el("br", {}), words().cloud(percent(d.cloud))))));
  find("days").children[state.day]?.scrollIntoView({ block: "nearest", inline: "nearest" });
  find("cloudy").textContent = sheet.left_out ? w.left_out(sheet.left_out) : "";
  find("curve").replaceChildren(curve());
}

function curve() {
  const space = "http://www.w3.org/2000/svg", whole = document.createElementNS(space, "svg");
  const part = (tag, attributes, text) => {
    const node = whole.appendChild(document.createElementNS(space, tag));
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    if (text) node.textContent = text;
  };
  whole.setAttribute("viewBox", "0 0 792 110");
  whole.setAttribute("role", "img");
  whole.setAttribute("aria-label", sheet.index || "-");
  const times = sheet.days.map((d) => Date.parse(d.day)), [start, end] = [times[0], times.at(-1)];
  const x = (t) => 36 + (end > start ? ((t - start) / (end - start)) * 740 : 370), y = (v) => 92 - Math.min(1, Math.max(0, v)) * 82;
  for (const v of [0, 0.5, 1]) {
    part("line", { x1: 36, x2: 776, y1: y(v), y2: y(v), stroke: "#ddd" });
    part("text", { x: 4, y: y(v) + 4 }, v.toFixed(1));
  }
  part("text", { x: 36, y: 106 }, `${sheet.index || ""} ${sheet.days[0]?.day ?? ""}`);
  part("text", { x: 776, y: 106, "text-anchor": "end" }, sheet.days.at(-1)?.day ?? "");
  sheet.days.forEach((d, i) => {
    if (d.value !== null) part("circle", { cx: x(times[i]), cy: y(d.value), r: i === state.day ? 6 : 3, fill: i === state.day ? "#0b4fd0" : "#1b1b1b" });
  });
  return whole;
}
