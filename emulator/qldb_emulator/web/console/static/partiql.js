// What the editor knows of PartiQL: its words, and where a token, a statement or a parameter begins and ends.

export const KEYWORDS =
  "ALL AND ANY AS ASC AT AVG BETWEEN BY CASE CAST COALESCE COUNT CREATE CURRENT_USER DATE_ADD DATE_DIFF DELETE DESC DISTINCT DROP ELSE END ESCAPE EXEC EXISTS EXTRACT FALSE FROM HISTORY IN INDEX INSERT INTO IS JOIN LEFT LIKE LIMIT LOWER MAX MIN MISSING NOT NULL NULLIF ON OR ORDER PIVOT POSITION REDACT_REVISION REMOVE SELECT SET SIZE SUBSTRING SUM TABLE THEN TO_STRING TO_TIMESTAMP TRIM TRUE TXID UNDROP UNPIVOT UPDATE UPPER UTCNOW VALUE VALUES WHEN WHERE WITH".split(
    " ",
  );
const WORDS = new Set(KEYWORDS);

const TOKEN =
  /(--[^\n]*|\/\*[^]*?(?:\*\/|$))|('(?:[^']|'')*(?:'|$))|(`[^`]*(?:`|$))|("(?:[^"]|"")*(?:"|$))|(\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?)|([A-Za-z_$][\w$]*)|(\s+)|([^])/g;
const KINDS = [null, "comment", "string", "ion", "name", "number", "word", "space", "sign"];

/** The tokens of a text: {kind, text, start}. */
export function tokens(text) {
  const found = [];
  for (const match of text.matchAll(TOKEN)) {
    const kind = KINDS[match.findIndex((part, place) => place && part !== undefined)];
    const isKey = kind === "word" && WORDS.has(match[0].toUpperCase());
    found.push({ kind: isKey ? "key" : kind, text: match[0], start: match.index });
  }
  return found;
}

/** The statements of a text, at semicolons: {text, start}; empty ones left out. */
export function statements(text) {
  const found = [];
  let start = 0;
  const add = (end) => {
    const part = text.slice(start, end);
    const blank = part.length - part.trimStart().length;
    if (tokens(part).some((token) => token.kind !== "space" && token.kind !== "comment"))
      found.push({ text: part.trim(), start: start + blank });
    start = end + 1;
  };
  for (const token of tokens(text)) if (token.kind === "sign" && token.text === ";") add(token.start);
  add(text.length);
  return found;
}

/** How many parameters a text asks for. */
export const parameterCount = (text) => tokens(text).filter((token) => token.text === "?").length;

/** The offset of a line and column, both from 1. */
export function offsetOf(text, line, column) {
  let start = 0;
  for (let n = 1; n < line; n++) {
    const next = text.indexOf("\n", start);
    if (next < 0) break;
    start = next + 1;
  }
  return Math.min(start + column - 1, text.length);
}
