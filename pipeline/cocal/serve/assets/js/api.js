// What is asked of the server: the same host, nothing else.

const base = new URL(".", document.baseURI);

export const address = (...parts) => new URL(parts.map(encodeURIComponent).join("/"), base).href;

/** URL of a set of tiles, with the placeholders that MapLibre fills in. */
export const tiles = (...parts) => `${address(...parts)}/{z}/{x}/{y}.png`;

const answers = new Map();

async function ask(url) {
  const answer = await fetch(url, { credentials: "same-origin" });
  if (answer.status === 401) window.location.assign("login");
  if (answer.status === 404) return null;
  if (!answer.ok) throw new Error(`${answer.status}`);
  return answer.json();
}

/** URL of the rows of one region in hectares.csv. */
export function tableAddress(run, period, id) {
  const url = new URL(address("data", run, period, "table.csv"));
  url.searchParams.set("id", id);
  return url.href;
}

/** JSON, asked for each time; null where there is nothing of that name. */
export function fresh(parts, query) {
  return ask(`${address(...parts)}?${new URLSearchParams(query)}`);
}

/** JSON, asked for once; null where there is nothing of that name. */
export function get(parts, query = {}) {
  const url = new URL(address("data", ...parts));
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
  if (!answers.has(url.href)) {
    const answer = ask(url.href);
    answer.catch(() => answers.delete(url.href));
    answers.set(url.href, answer);
  }
  return answers.get(url.href);
}
