// Points read on images. The same page works on a server, which keeps each answer, and from a folder, where the
// browser keeps them until they are saved as a file. It knows no place, no map and no other reader.
"use strict";

const CERTAINTY = ["sure", "likely", "unsure"], TALLY = { minutes: 5 * 60e3, least: 3 };
const find = (id) => document.getElementById(id);
const inline = find("kit") && JSON.parse(find("kit").textContent);
let campaign, sheet, sheets = {};

function el(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== false && value !== null) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null));
  return node;
}
const words = () => WORDS[state.language];
const named = (key) => (key === "cannot_tell" ? words().cannot_tell : campaign.classes.find((c) => c.key === key)[state.language]);
const item = () => campaign.items[state.at];
const stands = () => { const given = standing(item()); return given && (given.label || given.kind); };

// Only a point whose pictures are on the screen is answered.
const ready = () => Boolean(sheet) && sheet.name === item();

function facts(kind) {
  const note = find("note").value.trim(), day = sheet.days[state.day]?.day;
  if (kind === "cannot_tell") return { item: item(), kind, day, note };
  return { item: item(), kind: "class", label: kind, certainty: state.certainty, day, note };
}

function choose(key) {
  if (!ready() || (key !== "cannot_tell" && !sheet.days.length)) return;
  record(facts(key));
  state.times.push(Date.now());
  const open = campaign.items.findIndex((name, i) => i > state.at && !standing(name));
  go(open >= 0 ? open : campaign.items.findIndex((name) => !standing(name)));
}

// What is changed of an answer that stands is an answer too.
function amend() {
  if (ready() && stands() && find("note").value.trim() !== standing(item()).note) repeat();
}
function repeat() {
  const { uid, at, ...given } = standing(item()), rated = given.kind === "class" ? { certainty: state.certainty } : {};
  record({ ...given, ...rated, note: find("note").value.trim() });
  show();
}
function rate(key) {
  state.certainty = key;
  if (ready() && standing(item())?.kind === "class") repeat();
  else show();
}

// Takes the last answer back, of whichever point, and shows that point.
function undo() {
  const last = state.order.at(-1);
  if (!last) return;
  record({ item: last, kind: "undo" });
  state.times.pop();
  go(campaign.items.indexOf(last));
}

async function asked(path) {
  const response = await fetch(path);
  if (response.ok) return response.json();
  throw Object.assign(new Error(), { refused: `${response.status} ${(await response.json().catch(() => ({}))).error ?? ""}` });
}
function load(name) {
  sheets[name] ||= inline ? Promise.resolve(inline.sheets[name]) : asked(`data/items/${name}`);
  sheets[name].catch(() => delete sheets[name]);
  return sheets[name];
}
async function opened(name) {
  const found = await load(name);
  const pictures = Object.entries(found.pictures).map(async ([id, src]) => [id, await picture(src)]);
  return { ...found, name, images: Object.fromEntries(await Promise.all(pictures)) };
}

async function go(at) {
  if (at < 0 || at >= campaign.items.length) return show();
  if (document.activeElement === find("note")) find("note").blur();
  state.at = at;
  const name = item();
  find("look").setAttribute("aria-busy", String(!ready()));
  try {
    const found = await opened(name);
    if (name !== item()) return;
    sheet = found;
  } catch (err) {
    if (name !== item()) return;
    if (err.refused) return void (find("caption").textContent = words().unread(err.refused));
    state.trouble ||= { lost: true };
    showKept();
    await pause(1000);
    return name === item() ? go(at) : undefined;
  }
  if (state.trouble?.lost && !state.pending.length) state.trouble = null;
  const given = standing(name), clear = sheet.days.map((d) => (d.cloud ?? 0) < 0.2).lastIndexOf(true);
  state.day = given && given.day ? Math.max(0, sheet.days.findIndex((d) => d.day === given.day)) : Math.max(0, clear);
  state.certainty = (given && given.certainty) || "sure";
  find("note").value = (given && given.note) || "";
  find("look").setAttribute("aria-busy", "false");
  show();
  keepFew();
  const following = campaign.items[at + 1];
  if (following) load(following).catch(() => {});
}
function keepFew() {
  const near = new Set(campaign.items.slice(Math.max(0, state.at - 2), state.at + 3));
  for (const name of Object.keys(sheets)) if (!near.has(name)) delete sheets[name];
}

function show() {
  const w = words(), focused = document.activeElement?.id;
  document.documentElement.lang = state.language;
  document.title = w.title;
  for (const node of document.querySelectorAll("[data-t]")) node.textContent = w[node.dataset.t];
  for (const node of document.querySelectorAll("[data-label]")) node.setAttribute("aria-label", w[node.dataset.label]);
  for (const id of ["back", "next", "undo", "save"]) find(id).textContent = w[id];
  for (const code of ["es", "en"]) find(code).setAttribute("aria-pressed", code === state.language);
  find("simulated").hidden = !campaign.simulated;
  find("save").hidden = !inline;
  showKept();
  if (!item()) return void (find("point").textContent = w.done);
  find("point").textContent = w.point(state.at + 1, campaign.items.length);
  const done = campaign.items.filter(standing).length, recent = state.times.filter((t) => t > Date.now() - TALLY.minutes);
  const pace = recent.length < TALLY.least ? 0 : Math.max(1, Math.round((recent.at(-1) - recent[0]) / 1000 / (recent.length - 1)));
  find("progress").textContent = w.progress(done, campaign.items.length, pace, Math.ceil((campaign.items.length - done) * pace / 60));
  if (ready()) showSheet(w);
  showAnswer(w);
  if (focused && document.activeElement?.id !== focused) find(focused)?.focus();
}

function showAnswer(w) {
  const given = stands();
  find("given").textContent = given ? w.given(named(given)) : w.none;
  const choices = [...campaign.classes, { key: "cannot_tell", colour: "#767676" }];
  find("classes").replaceChildren(...choices.map(({ key, colour }, i) => {
    const digit = key === "cannot_tell" ? "0" : i < 9 ? String(i + 1) : "";
    const button = el("button", { type: "button", id: `class-${key}`, "aria-pressed": String(given === key), onclick: (e) => e.detail > 1 || choose(key) },
      el("kbd", {}, digit), ` ${named(key)}`);
    button.style.borderLeftColor = colour;
    return button;
  }));
  find("certainty").replaceChildren(...CERTAINTY.map((key, i) => el("label", {},
    el("input", { type: "radio", id: `rate-${key}`, name: "certainty", checked: key === state.certainty, onchange: () => rate(key) }), ` ${w[key]} `, el("kbd", {}, "QWE"[i]))));
}

const look = (day) => { if (ready() && sheet.days[day]) { state.day = day; show(); } };

function press(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || !item()) return;
  if (event.target.id === "note") return void (["Enter", "Escape"].includes(event.key) && event.target.blur());
  const key = event.key.toLowerCase(), digit = "123456789".indexOf(key), rated = "qwe".indexOf(key);
  if (event.repeat && !key.startsWith("arrow")) return; // a key held down answers one point
  if (key.length === 1 && digit >= 0 && campaign.classes[digit]) choose(campaign.classes[digit].key);
  else if (key === "0") choose("cannot_tell");
  else if (key.length === 1 && rated >= 0) rate(CERTAINTY[rated]);
  else if (key === "arrowleft") look(state.day - 1);
  else if (key === "arrowright") look(state.day + 1);
  else if (key === "arrowup") go(state.at - 1);
  else if (key === "arrowdown") go(state.at + 1);
  else if (key === "u") undo();
  else if (key === "c") find("note").focus();
  else return;
  event.preventDefault();
}

async function begin() {
  campaign = inline || (await asked("data/campaign"));
  const known = new Set((campaign.answers || []).map((answer) => answer.uid));
  for (const answer of campaign.answers || []) take(answer);
  for (const answer of remembered()) known.has(answer.uid) ? inline || forget(answer) : state.pending.push(answer);
  state.pending.forEach(take);
  for (const code of ["es", "en"]) find(code).addEventListener("click", () => { state.language = code; show(); });
  find("back").addEventListener("click", () => go(state.at - 1));
  find("next").addEventListener("click", () => go(state.at + 1));
  find("undo").addEventListener("click", (event) => event.detail > 1 || undo());
  find("save").addEventListener("click", save);
  find("note").addEventListener("change", amend);
  document.addEventListener("keydown", press);
  if (!campaign.items.length) return show();
  await go(Math.max(0, campaign.items.findIndex((name) => !standing(name))));
  send();
}
begin();
