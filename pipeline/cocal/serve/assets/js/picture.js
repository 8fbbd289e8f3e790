// The view as a picture: the map with its legend, scale, north and sources.

import { el, find } from "./dom.js";
import { number, t } from "./words.js";

const PAD = 12, LINE = 18, INK = "#1b1b1b", EQUATOR_M = 40075016.686;

/** A canvas with all that is on the stage; `facts`: {heading, swipe (null: one map), zoom, latitude}. */
export async function picture(maps, { heading, swipe, zoom, latitude }) {
  const sides = await maps.grab(), { width, height } = sides[0];
  const ratio = width / find("stage").clientWidth;
  const canvas = el("canvas"), pen = canvas.getContext("2d");
  const inner = width / ratio - 2 * PAD;
  const size = (font) => { pen.font = `${font} 13px system-ui, sans-serif`; };
  size("400");
  const lists = [...find("legend").querySelectorAll("h2, li")].map(entryOf);
  const columns = Math.max(1, Math.floor(inner / 300)), rows = Math.ceil(lists.length / columns);
  const below = wrapped(pen, [find("sources").textContent, t("picture_note")], inner);
  const above = wrapped(pen, heading, inner);
  const top = PAD + LINE * above.length + 4, foot = PAD + LINE * (rows + below.length) + PAD;
  canvas.width = width;
  canvas.height = Math.round(height + (top + foot) * ratio);
  pen.scale(ratio, ratio);
  pen.fillStyle = "#fff";
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.fillStyle = INK;
  above.forEach((text, i) => { size(i ? "400" : "700"); pen.fillText(text, PAD, PAD + LINE * i + 10); });
  const stage = { left: 0, top, width: width / ratio, height: height / ratio };
  drawSides(pen, sides, stage, swipe);
  drawScale(pen, stage, zoom, latitude);
  drawNorth(pen, stage);
  const base = top + stage.height + PAD;
  lists.forEach((entry, i) => drawEntry(pen, entry, PAD + (inner / columns) * Math.floor(i / rows), base + LINE * (i % rows), size));
  size("400");
  below.forEach((text, i) => pen.fillText(text, PAD, base + LINE * (rows + i) + 12));
  return canvas;
}

function drawSides(pen, [left, right], { top, width, height }, swipe) {
  pen.drawImage(left, 0, top, width, height);
  if (!right || swipe === null) return;
  const cut = (width * swipe) / 100;
  pen.save();
  pen.beginPath();
  pen.rect(cut, top, width - cut, height);
  pen.clip();
  pen.drawImage(right, 0, top, width, height);
  pen.restore();
  pen.fillRect(cut - 1, top, 2, height);
}

const entryOf = (node) =>
  node.tagName === "H2" ? { heading: node.textContent } : { colour: node.querySelector(".swatch").style.backgroundColor, text: node.textContent.trim() };

function drawEntry(pen, { heading, colour, text }, x, y, size) {
  size(heading ? "700" : "400");
  pen.fillText(heading ?? text, heading ? x : x + 20, y + 12, 300 - 24);
  if (heading) return;
  pen.save();
  pen.fillStyle = colour;
  pen.fillRect(x, y, 14, 14);
  pen.restore();
  pen.strokeRect(x + 0.5, y + 0.5, 13, 13);
}

/** A bar of a round length, true at the middle of the picture. */
function drawScale(pen, { top, width, height }, zoom, latitude) {
  const metres = (EQUATOR_M * Math.cos((latitude * Math.PI) / 180)) / (512 * 2 ** zoom);
  const most = metres * Math.min(160, width / 3), power = 10 ** Math.floor(Math.log10(most));
  const length = [5, 2, 1].find((n) => n * power <= most) * power, wide = length / metres;
  const y = top + height - 14;
  box(pen, 8, y - 18, wide + 16, 26);
  pen.fillText(length < 1000 ? `${number(length)} m` : `${number(length / 1000)} km`, 16, y - 5);
  pen.fillRect(16, y, wide, 3);
}

/** The map is never turned: north is up. */
function drawNorth(pen, { top, width }) {
  const x = width - 26;
  box(pen, x - 14, top + 8, 28, 40);
  pen.beginPath();
  pen.moveTo(x, top + 12);
  pen.lineTo(x - 7, top + 29);
  pen.lineTo(x + 7, top + 29);
  pen.fill();
  pen.fillText("N", x - 5, top + 43);
}

function box(pen, x, y, width, height) {
  pen.save();
  pen.fillStyle = "rgba(255, 255, 255, 0.85)";
  pen.fillRect(x, y, width, height);
  pen.restore();
}

function wrapped(pen, texts, width) {
  return texts.filter(Boolean).flatMap((text) => {
    const lines = [""];
    for (const word of text.split(" ")) {
      const longer = `${lines.at(-1)} ${word}`.trim();
      if (pen.measureText(longer).width <= width || !lines.at(-1)) lines[lines.length - 1] = longer;
      else lines.push(word);
    }
    return lines;
  });
}

/** Hand a canvas to the user as a file. */
export async function save(canvas, name) {
  const content = await new Promise((done) => canvas.toBlob(done, "image/png"));
  const address = URL.createObjectURL(content);
  const link = el("a", { href: address, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  URL.revokeObjectURL(address);
}
