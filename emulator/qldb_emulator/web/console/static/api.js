// Requests to the JSON interface of this server.

const body = document.body.dataset;

/** The interface's address of this page's ledger. */
export const ledger = body.api;
export const base = body.base;
export const isReadOnly = "readOnly" in body;

/** An address with this page's region. */
export function at(path) {
  if (!body.region) return path;
  return `${path}${path.includes("?") ? "&" : "?"}region=${encodeURIComponent(body.region)}`;
}

/** What the server refused: message, and what else the answer had. */
export class Refused extends Error {
  constructor(status, answer) {
    super(answer.Message || answer.message || answer.__type || `The server answers ${status}`);
    this.status = status;
    this.answer = answer;
  }
}

/** One request with JSON; its answer.  Throws Refused. */
export async function call(method, path, members) {
  const options = { method, headers: {} };
  if (members !== undefined) {
    options.body = JSON.stringify(members);
    options.headers["Content-Type"] = "application/json";
  }
  let response;
  try {
    response = await fetch(at(path), options);
  } catch {
    throw new Refused(0, { Message: "The server cannot be reached." });
  }
  const text = await response.text();
  let answer = {};
  try {
    answer = text ? JSON.parse(text) : {};
  } catch {
    answer = { Message: text.slice(0, 300) };
  }
  if (!response.ok) throw new Refused(response.status, answer);
  return answer;
}

/** The lines of an answer as they come, each as JSON.  Throws Refused. */
export async function* lines(path, options) {
  const response = await fetch(at(path), options);
  if (!response.ok) throw new Refused(response.status, await response.json().catch(() => ({})));
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) break;
    const parts = (rest + value).split("\n");
    rest = parts.pop();
    for (const part of parts) if (part.trim()) yield JSON.parse(part);
  }
  if (rest.trim()) yield JSON.parse(rest);
}

/** A part of a page, rendered and escaped by the server, as nodes. */
export async function fragment(url) {
  const response = await fetch(url, { headers: { Accept: "text/html" } });
  if (!response.ok) throw new Refused(response.status, { Message: `The server answers ${response.status}.` });
  return document.createRange().createContextualFragment(await response.text());
}
