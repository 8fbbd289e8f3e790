// Points read on images. The same page works on a server, which keeps each answer, and from a folder, where the
// browser keeps them until they are saved as a file. It knows no place, no map and no other reader.
"use strict";

const CERTAINTY = ["sure", "likely", "unsure"], TALLY = { minutes: 5 * 60e3, least: 3 };
const find = (id) => document.getElementById(id);
const inline = find("kit") && JSON.parse(find("kit").textContent);
const state = { language: "es", at: 0, day: 0, certainty: "sure", answers: {}, pending: [], times: [], lost: false, refused: "" };
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
const standing = (name) => (state.answers[name] || []).at(-1);
const store = () => `cocal ${campaign.campaign} ${campaign.reader}`;

// What has not reached the server yet, or in a folder all of it, outlives the page.
function remember() {
  try {
    localStorage.setItem(store(), JSON.stringify(state.pending));
    return true;
  } catch {
    return false;
  }
}

function take(answer) {
  const own = (state.answers[answer.item] ||= []);
  if (answer.kind === "undo") own.pop();
  else own.push(answer);
}

let sending = false;
async function send() {
  if (inline || sending) return;
  sending = true;
  while (state.pending.length) {
    try {
      const body = JSON.stringify(state.pending.slice(0, 50)), count = Math.min(50, state.pending.length);
      const response = await fetch("data/answers", { method: "POST", headers: { "Content-Type": "application/json" }, body });
      if (response.status >= 500) throw new Error(String(response.status));
      state.refused = response.ok ? "" : (await response.json()).error;
      state.lost = false;
      state.pending.splice(0, count);
      remember();
    } catch {
      state.lost = true;
      showKept();
      await new Promise((wake) => setTimeout(wake, 1000));
    }
  }
  sending = false;
  showKept();
}

function add(kind, label = null) {
  const day = sheet && sheet.days.length ? sheet.days[state.day].day : null;
  if (kind === "class" && day === null) return;
  const answer = { item: item(), uid: crypto.randomUUID ? crypto.randomUUID() : uid(), kind, at: new Date().toISOString() };
  if (kind !== "undo") Object.assign(answer, { certainty: kind === "class" ? state.certainty : undefined, day: day ?? undefined, note: find("note").value.trim() });
  if (label) answer.label = label;
  state.pending.push(answer);
  take(answer);
  remember();
  send();
  if (kind === "undo") return show();
  state.times.push(Date.now());
  const open = campaign.items.findIndex((name, i) => i > state.at && !standing(name));
  go(open >= 0 ? open : campaign.items.findIndex((name) => !standing(name)));
}
const uid = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, "0")).join("");

const load = (name) => (sheets[name] ||= inline ? Promise.resolve(inline.sheets[name])
  : fetch(`data/items/${name}`).then((r) => (r.ok ? r.json() : Promise.reject(new Error(r.status)))));

async function go(at) {
  if (at < 0 || at >= campaign.items.length) return show();
  state.at = at;
  const name = item();
  const found = await load(name);
  const pictures = Object.entries(found.pictures).map(async ([id, src]) => [id, await picture(src)]);
  const images = Object.fromEntries(await Promise.all(pictures));
  if (name !== item()) return;
  sheet = { ...found, images };
  const given = standing(name), clear = found.days.map((d) => (d.cloud ?? 0) < 0.2).lastIndexOf(true);
  state.day = given && given.day ? Math.max(0, found.days.findIndex((d) => d.day === given.day)) : Math.max(0, clear);
  state.certainty = (given && given.certainty) || "sure";
  find("note").value = (given && given.note) || "";
  show();
  const following = campaign.items[at + 1];
  if (following) load(following).catch(() => delete sheets[following]);
}

function show() {
  const w = words();
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
  if (sheet) showSheet(w);
  showAnswer(w);
}

function showAnswer(w) {
  const given = standing(item()), stands = given && (given.kind === "class" ? given.label : "cannot_tell");
  find("given").textContent = stands ? w.given(named(stands)) : w.none;
  const choices = [...campaign.classes, { key: "cannot_tell", colour: "#767676" }];
  find("classes").replaceChildren(...choices.map(({ key, colour }, i) => {
    const digit = key === "cannot_tell" ? "0" : i < 9 ? String(i + 1) : "";
    const button = el("button", { type: "button", "aria-pressed": String(stands === key), onclick: () => choose(key) },
      el("kbd", {}, digit), ` ${named(key)}`);
    button.style.borderLeftColor = colour;
    return button;
  }));
  find("certainty").replaceChildren(...CERTAINTY.map((key, i) => el("label", {},
    el("input", { type: "radio", name: "certainty", checked: key === state.certainty, onchange: () => rate(key) }), ` ${w[key]} `, el("kbd", {}, "QWE"[i]))));
}

function showKept() {
  const w = words(), node = find("kept"), bad = state.lost || state.refused || (inline && !state.stored);
  node.textContent = state.refused ? w.refused(state.refused) : state.lost && state.pending.length ? w.lost(state.pending.length)
    : inline ? (state.stored ? w.local : w.alone) : w.kept;
  node.classList.toggle("lost", Boolean(bad));
}

const choose = (key) => (key === "cannot_tell" ? add("cannot_tell") : add("class", key));
const rate = (key) => { state.certainty = key; show(); };
const look = (day) => { if (sheet && sheet.days[day]) { state.day = day; show(); } };

function save() {
  const head = JSON.stringify({ "cocal-readings": 1, campaign: campaign.campaign, reader: campaign.reader });
  const text = [head, ...state.pending.map((answer) => JSON.stringify(answer)), ""].join("\n");
  const link = el("a", { href: URL.createObjectURL(new Blob([text], { type: "text/plain" })), download: `answers-${campaign.reader}.jsonl` });
  link.click();
}

function press(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || !item()) return;
  if (event.target.id === "note") return void (["Enter", "Escape"].includes(event.key) && event.target.blur());
  const key = event.key.toLowerCase(), digit = "123456789".indexOf(key), rated = "qwe".indexOf(key);
  if (key.length === 1 && digit >= 0 && campaign.classes[digit]) choose(campaign.classes[digit].key);
  else if (key === "0") choose("cannot_tell");
  else if (key.length === 1 && rated >= 0) rate(CERTAINTY[rated]);
  else if (key === "arrowleft") look(state.day - 1);
  else if (key === "arrowright") look(state.day + 1);
  else if (key === "arrowup") go(state.at - 1);
  else if (key === "arrowdown") go(state.at + 1);
  else if (key === "u") add("undo");
  else if (key === "c") find("note").focus();
  else return;
  event.preventDefault();
}

async function begin() {
  campaign = inline || (await (await fetch("data/campaign")).json());
  for (const answer of campaign.answers || []) take(answer);
  try {
    const known = new Set((campaign.answers || []).map((a) => a.uid));
    state.pending = JSON.parse(localStorage.getItem(store()) || "[]").filter((a) => !known.has(a.uid));
  } catch {
    state.pending = [];
  }
  state.pending.forEach(take);
  state.stored = remember();
  for (const code of ["es", "en"]) find(code).addEventListener("click", () => { state.language = code; show(); });
  find("back").addEventListener("click", () => go(state.at - 1));
  find("next").addEventListener("click", () => go(state.at + 1));
  find("undo").addEventListener("click", () => add("undo"));
  find("save").addEventListener("click", save);
  document.addEventListener("keydown", press);
  if (!campaign.items.length) return show();
  await go(Math.max(0, campaign.items.findIndex((name) => !standing(name))));
  send();
}
begin();
