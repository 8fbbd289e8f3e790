// The answers: what stands, what is kept in the browser, and what the server has not taken yet. In a folder the
// browser keeps all of them until they are saved as a file.
"use strict";

const state = { language: "es", at: 0, day: 0, certainty: "sure", answers: {}, order: [], pending: [], times: [], trouble: null };

// Each answer is kept under a key of its own, so that two windows do not overwrite each other's.
const prefix = () => `cocal ${campaign.campaign} ${campaign.reader} `;
const byTime = (one, other) => (one.at < other.at ? -1 : one.at > other.at ? 1 : 0);

function remember(answer) {
  try {
    localStorage.setItem(prefix() + answer.uid, JSON.stringify(answer));
  } catch {
    state.unstored = true;
  }
}

function forget(answer) {
  try {
    localStorage.removeItem(prefix() + answer.uid);
  } catch {
    state.unstored = true;
  }
}

function remembered() {
  try {
    const keys = Object.keys(localStorage).filter((key) => key.startsWith(prefix()));
    return keys.map((key) => JSON.parse(localStorage.getItem(key))).sort(byTime);
  } catch {
    state.unstored = true;
    return [];
  }
}

// The answers of an item, the last of which stands, and the items in the order of what stands.
function take(answer) {
  const own = (state.answers[answer.item] ||= []);
  if (answer.kind !== "undo") {
    own.push(answer);
    state.order.push(answer.item);
  } else if (own.pop()) state.order.splice(state.order.lastIndexOf(answer.item), 1);
}

function drop(answer) {
  state.answers[answer.item] = (state.answers[answer.item] || []).filter((one) => one.uid !== answer.uid);
  state.order.splice(state.order.lastIndexOf(answer.item), 1);
}

const standing = (name) => (state.answers[name] || []).at(-1);
const uid = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, "0")).join("");

// The time of an answer is after that of the one before, whatever the clock says.
function record(facts) {
  const before = Math.max(0, ...state.pending.slice(-1).map((one) => Date.parse(one.at)));
  const answer = { ...facts, uid: uid(), at: new Date(Math.max(Date.now(), before + 1)).toISOString() };
  state.pending.push(answer);
  take(answer);
  remember(answer);
  send();
}

const pause = (ms) => new Promise((wake) => setTimeout(wake, ms));

// One answer after the other. What the server cannot take is told and no longer shown as given; where another
// reader's server answers, all is kept for the right one.
let sending = false;
async function send() {
  if (inline || sending) return;
  sending = true;
  while (state.pending.length) {
    const [answer] = state.pending, body = JSON.stringify({ campaign: campaign.campaign, reader: campaign.reader, answer });
    try {
      const response = await fetch("data/answers", { method: "POST", headers: { "Content-Type": "application/json" }, body });
      if (response.status >= 500) throw new Error(String(response.status));
      if (response.status === 409) {
        state.trouble = { other: true };
        break;
      }
      if (!response.ok) {
        state.trouble = { refused: (await response.json()).error };
        drop(answer);
        show();
      } else if (!state.trouble?.refused) state.trouble = null;
      state.pending.shift();
      forget(answer);
    } catch {
      state.trouble = { lost: true };
      showKept();
      await pause(1000);
    }
  }
  sending = false;
  showKept();
}

function save() {
  const all = [...new Map([...state.pending, ...remembered()].map((answer) => [answer.uid, answer])).values()].sort(byTime);
  const head = JSON.stringify({ "cocal-readings": 1, campaign: campaign.campaign, reader: campaign.reader });
  const text = [head, ...all.map((answer) => JSON.stringify(answer)), ""].join("\n");
  el("a", { href: URL.createObjectURL(new Blob([text], { type: "text/plain" })), download: `answers-${campaign.reader}.jsonl` }).click();
}

function showKept() {
  const w = words(), node = find("kept"), { lost, other, refused } = state.trouble || {};
  node.textContent = refused ? w.refused(refused) : other ? w.other : lost ? w.lost(state.pending.length)
    : inline ? (state.unstored ? w.alone : w.local) : state.pending.length ? w.sending : w.kept;
  node.classList.toggle("lost", Boolean(state.trouble || (inline && state.unstored)));
}
