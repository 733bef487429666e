// Ion binary in the browser: read, shown as text or JSON, and hashed (Ion Hash 1.0 with SHA-256).
//
// A value is {type, annotations, isNull} with, by its type: octets (what stands in the binary), text (string, symbol),
// items (list, sexp), fields (struct: {name, value}).  Numbers and times keep their octets, so nothing is rounded.

import { joined, sha256 } from "./hashes.js";

const SYSTEM = [
  null,
  "$ion",
  "$ion_1_0",
  "$ion_symbol_table",
  "name",
  "version",
  "imports",
  "symbols",
  "max_id",
  "$ion_shared_symbol_table",
];
const TYPES = [
  "null",
  "bool",
  "int",
  "int",
  "float",
  "decimal",
  "timestamp",
  "symbol",
  "string",
  "clob",
  "blob",
  "list",
  "sexp",
  "struct",
];
const DEPTH = 300;
const decoder = new TextDecoder("utf-8", { fatal: true });
const encoder = new TextEncoder();

export class IonError extends Error {}

/** The one value in a self-contained piece of Ion binary.  Throws IonError. */
export function readIon(octets) {
  if (octets.length < 4 || octets[0] !== 0xe0 || octets[3] !== 0xea) throw new IonError("This is not Ion binary.");
  const reader = new Reader(octets);
  let place = 4;
  while (place < octets.length) {
    if (octets[place] >> 4 === 14) {
      const wrapped = reader.value(place, octets.length, DEPTH);
      place = reader.place;
      if (wrapped.annotations[0] === "$ion_symbol_table") {
        const symbols = wrapped.fields.find((field) => field.name === "symbols")?.value.items ?? [];
        const keeps = wrapped.fields.some((field) => field.name === "imports" && field.value.type === "symbol");
        reader.symbols = [...(keeps ? reader.symbols : SYSTEM), ...symbols.map((symbol) => symbol.text ?? null)];
        continue;
      }
      return wrapped;
    }
    if (octets[place] >> 4 === 0 && octets[place] !== 0x0f) {
      reader.value(place, octets.length, DEPTH);
      place = reader.place;
      continue;
    }
    return reader.value(place, octets.length, DEPTH);
  }
  throw new IonError("There is no value.");
}

class Reader {
  constructor(octets) {
    this.octets = octets;
    this.symbols = SYSTEM;
    this.place = 0;
  }

  number() {
    let value = 0;
    for (;;) {
      const octet = this.octets[this.place++];
      if (octet === undefined || value > 2 ** 45) throw new IonError("A number is broken off.");
      value = value * 128 + (octet & 0x7f);
      if (octet & 0x80) return value;
    }
  }

  /** The value that begins at a place; afterwards this.place is behind it. */
  value(place, end, depth) {
    if (!depth) throw new IonError("It is nested too deeply.");
    const { octets } = this;
    const head = octets[place];
    const code = head >> 4;
    let length = head & 15;
    this.place = place + 1;
    const made = { type: TYPES[code], annotations: [], isNull: false };
    if (code > 14) throw new IonError("A type is unknown.");
    if (length === 15 && code < 14) return { ...made, isNull: true, head: head === 0x3f ? 0x2f : head };
    if (code === 1) return { ...made, octets: new Uint8Array([length]) };
    if (length === 14 || head === 0xd1) length = this.number();
    const start = this.place;
    const stop = start + length;
    if (stop > end) throw new IonError("A value is broken off.");
    if (code === 14) return this.annotated(stop, depth);
    if (code === 11 || code === 12) {
      made.items = [];
      while (this.place < stop) {
        const item = this.value(this.place, stop, depth - 1);
        if (item.type !== "null" || item.isNull) made.items.push(item);
      }
    } else if (code === 13) {
      made.fields = [];
      while (this.place < stop) {
        const name = this.symbol(this.number());
        const value = this.value(this.place, stop, depth - 1);
        if (value.type !== "null" || value.isNull) made.fields.push({ name, value });
      }
    } else {
      made.octets = octets.slice(start, stop);
      if (code === 3) made.isNegative = true;
      if (code === 8) made.text = decoder.decode(made.octets);
      if (code === 7) made.text = this.symbol(made.octets.reduce((sum, octet) => sum * 256 + octet, 0));
    }
    this.place = stop;
    return made;
  }

  annotated(stop, depth) {
    const annotationsEnd = this.number() + this.place;
    const annotations = [];
    while (this.place < annotationsEnd) annotations.push(this.symbol(this.number()));
    const made = this.value(this.place, stop, depth);
    this.place = stop;
    return { ...made, annotations };
  }

  symbol(id) {
    if (id >= this.symbols.length) throw new IonError(`The symbol ${id} is unknown.`);
    return this.symbols[id];
  }
}

// --- numbers and times --------------------------------------------------------------------------------------------

function magnitude(octets) {
  let value = 0n;
  for (const octet of octets) value = (value << 8n) | BigInt(octet);
  return value;
}

/** (value, whether there is a sign) of octets with the sign in the first bit. */
function signed(octets) {
  if (!octets.length) return [0n, false];
  const value = magnitude([octets[0] & 0x7f, ...octets.slice(1)]);
  return [value, Boolean(octets[0] & 0x80)];
}

/** A number with its sign in the second bit, at a place: [value, is negative, next place]. */
function variable(octets, place) {
  const isNegative = Boolean(octets[place] & 0x40);
  let value = octets[place] & 0x3f;
  while (!(octets[place++] & 0x80)) value = value * 128 + (octets[place] & 0x7f);
  return [isNegative ? -value : value, isNegative, place];
}

function decimalParts(octets) {
  if (!octets.length) return [0n, false, 0];
  const [exponent, , place] = variable(octets, 0);
  return [...signed(octets.slice(place)), exponent];
}

function decimalText(octets) {
  const [coefficient, isNegative, exponent] = decimalParts(octets);
  const digits = coefficient.toString();
  const sign = isNegative ? "-" : "";
  if (exponent === 0) return `${sign}${digits}.`;
  if (exponent < 0 && -exponent <= digits.length + 5) {
    const padded = digits.padStart(1 - exponent, "0");
    return `${sign}${padded.slice(0, exponent)}.${padded.slice(exponent)}`;
  }
  return `${sign}${digits}d${exponent}`;
}

function floatValue(octets) {
  const view = new DataView(octets.buffer, octets.byteOffset, octets.length);
  return octets.length === 8 ? view.getFloat64(0) : octets.length === 4 ? view.getFloat32(0) : 0;
}

function timestampText(octets) {
  let [offset, isUnknown, place] = variable(octets, 0);
  isUnknown = isUnknown && offset === 0;
  const parts = [];
  while (place < octets.length && parts.length < 6) {
    let value = 0;
    for (;;) {
      const octet = octets[place++];
      value = value * 128 + (octet & 0x7f);
      if (octet & 0x80) break;
    }
    parts.push(value);
  }
  const two = (number) => String(number).padStart(2, "0");
  const year = (number) => String(number).padStart(4, "0");
  if (parts.length === 1) return `${year(parts[0])}T`;
  if (parts.length === 2) return `${year(parts[0])}-${two(parts[1])}T`;
  if (parts.length === 3) return `${year(parts[0])}-${two(parts[1])}-${two(parts[2])}`;
  const moment = new Date(0);
  moment.setUTCFullYear(parts[0], parts[1] - 1, parts[2]);
  moment.setUTCHours(parts[3], parts[4] + offset);
  let text = `${year(moment.getUTCFullYear())}-${two(moment.getUTCMonth() + 1)}-${two(moment.getUTCDate())}T${two(moment.getUTCHours())}:${two(moment.getUTCMinutes())}`;
  if (parts.length === 6) {
    text += `:${two(parts[5])}`;
    if (place < octets.length) {
      const [coefficient, , exponent] = decimalParts(octets.slice(place));
      if (exponent < 0) text += `.${coefficient.toString().padStart(-exponent, "0")}`;
    }
  }
  if (isUnknown) return `${text}-00:00`;
  if (!offset) return `${text}Z`;
  const minutes = Math.abs(offset);
  return `${text}${offset < 0 ? "-" : "+"}${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`;
}

const integerText = (value) => `${value.isNegative ? "-" : ""}${magnitude(value.octets)}`;

function floatText(octets) {
  const value = floatValue(octets);
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "+inf" : "-inf";
  const text = Object.is(value, -0) ? "-0" : String(value);
  return text.includes("e") ? text : `${text}e0`;
}

// --- as text ------------------------------------------------------------------------------------------------------

const PLAIN = /^(?!(?:null|true|false|nan)$)[A-Za-z_$][A-Za-z0-9_$]*$/;
const symbolText = (text) =>
  text === null ? "$0" : PLAIN.test(text) && !/^\$[0-9]+$/.test(text) ? text : quoted(text, "'");

function quoted(text, mark, last = 0x10ffff) {
  const escapes = { "\n": "\\n", "\r": "\\r", "\t": "\\t", "\\": "\\\\", [mark]: `\\${mark}` };
  let made = "";
  for (const character of text) {
    const code = character.codePointAt(0);
    made +=
      escapes[character] ??
      (code < 32 || (code > 126 && code < 160) || code > last ? `\\x${code.toString(16).padStart(2, "0")}` : character);
  }
  return mark + made + mark;
}

/** A scalar as Ion text, without its annotations. */
export function scalarText(value) {
  if (value.isNull) return value.type === "null" ? "null" : `null.${value.type}`;
  switch (value.type) {
    case "bool":
      return value.octets[0] ? "true" : "false";
    case "int":
      return integerText(value);
    case "float":
      return floatText(value.octets);
    case "decimal":
      return decimalText(value.octets);
    case "timestamp":
      return timestampText(value.octets);
    case "symbol":
      return symbolText(value.text);
    case "string":
      return quoted(value.text, '"');
    case "clob":
      return `{{${quoted(String.fromCharCode(...value.octets), '"', 126)}}}`;
    case "blob":
      return `{{${btoa(Array.from(value.octets, (octet) => String.fromCharCode(octet)).join(""))}}}`;
  }
  throw new IonError("This is no scalar.");
}

/** A value as Ion text over several lines. */
export function ionText(value, indent = "") {
  const names = value.annotations.map((name) => `${symbolText(name)}::`).join("");
  const deeper = `${indent}  `;
  if (value.items && !value.isNull) {
    const [open, close, between] = value.type === "list" ? ["[", "]", ","] : ["(", ")", ""];
    if (!value.items.length) return `${names}${open}${close}`;
    return `${names}${open}\n${value.items.map((item) => deeper + ionText(item, deeper)).join(`${between}\n`)}\n${indent}${close}`;
  }
  if (value.fields && !value.isNull) {
    if (!value.fields.length) return `${names}{}`;
    const lines = value.fields.map((field) => `${deeper}${symbolText(field.name)}: ${ionText(field.value, deeper)}`);
    return `${names}{\n${lines.join(",\n")}\n${indent}}`;
  }
  return names + scalarText(value);
}

/** A value as JSON text, after the down-conversion rules of the Ion cookbook. */
export function jsonText(value, indent = "") {
  const deeper = `${indent}  `;
  if (value.isNull) return "null";
  if (value.items) {
    if (!value.items.length) return "[]";
    return `[\n${value.items.map((item) => deeper + jsonText(item, deeper)).join(",\n")}\n${indent}]`;
  }
  if (value.fields) {
    if (!value.fields.length) return "{}";
    return `{\n${value.fields.map((field) => `${deeper}${JSON.stringify(field.name ?? "$0")}: ${jsonText(field.value, deeper)}`).join(",\n")}\n${indent}}`;
  }
  switch (value.type) {
    case "bool":
    case "int":
      return scalarText(value);
    case "decimal":
      return decimalText(value.octets).replace(/\.$/, "").replace("d", "e");
    case "float":
      return Number.isFinite(floatValue(value.octets)) ? String(floatValue(value.octets)) : "null";
    case "string":
    case "symbol":
      return JSON.stringify(value.text ?? "$0");
    case "clob":
      return JSON.stringify(String.fromCharCode(...value.octets));
    case "blob":
      return JSON.stringify(scalarText(value).slice(2, -2));
  }
  return JSON.stringify(scalarText(value));
}

// --- hashed -------------------------------------------------------------------------------------------------------

const BEGIN = 0x0b;
const END = 0x0e;
const ESCAPE = 0x0c;
const CODES = {
  bool: 1,
  int: 2,
  float: 4,
  decimal: 5,
  timestamp: 6,
  symbol: 7,
  string: 8,
  clob: 9,
  blob: 10,
  list: 11,
  sexp: 12,
  struct: 13,
};

function escaped(octets) {
  const found = [];
  for (const octet of octets) {
    if (octet === BEGIN || octet === END || octet === ESCAPE) found.push(ESCAPE);
    found.push(octet);
  }
  return Uint8Array.from(found);
}

const framed = (tag, content) => joined([BEGIN, tag], content, [END]);
const symbolPart = (text) =>
  text === null ? Uint8Array.from([BEGIN, 0x71, END]) : framed(0x70, escaped(encoder.encode(text)));

function scalarOctets(value) {
  if (value.type === "string" || value.type === "symbol") return encoder.encode(value.text);
  if (value.type === "int") {
    const first = value.octets.findIndex((octet) => octet);
    return first < 0 ? new Uint8Array() : value.octets.slice(first);
  }
  if (value.type === "float") {
    const number = floatValue(value.octets);
    if (Object.is(number, 0)) return new Uint8Array();
    const view = new DataView(new ArrayBuffer(8));
    view.setFloat64(0, number);
    return Number.isNaN(number) ? Uint8Array.from([0x7f, 0xf8, 0, 0, 0, 0, 0, 0]) : new Uint8Array(view.buffer);
  }
  return value.octets; // decimals and times of this server are canonical
}

async function serialised(value) {
  if (value.annotations.length) {
    const inner = await serialised({ ...value, annotations: [] });
    return framed(0xe0, joined(...value.annotations.map(symbolPart), inner));
  }
  if (value.isNull) return Uint8Array.from([BEGIN, value.head, END]);
  if (value.items) {
    const parts = [];
    for (const item of value.items) parts.push(await serialised(item));
    return framed(CODES[value.type] << 4, joined(...parts));
  }
  if (value.fields) {
    const hashes = [];
    for (const field of value.fields)
      hashes.push(await sha256(joined(symbolPart(field.name), await serialised(field.value))));
    hashes.sort(ascending);
    return framed(0xd0, escaped(joined(...hashes)));
  }
  if (value.type === "bool") return Uint8Array.from([BEGIN, 0x10 | value.octets[0], END]);
  if (value.type === "symbol") return symbolPart(value.text);
  return framed((CODES[value.type] + (value.isNegative ? 1 : 0)) << 4, escaped(scalarOctets(value)));
}

function ascending(a, b) {
  for (let place = 0; place < a.length; place++) if (a[place] !== b[place]) return a[place] - b[place];
  return 0;
}

/** The Ion Hash of a value: 32 octets. */
export async function ionHash(value) {
  return sha256(await serialised(value));
}

// --- finding and changing -----------------------------------------------------------------------------------------

/** The value of a field; undefined when there is none. */
export function field(value, name) {
  return value?.fields?.find((each) => each.name === name)?.value;
}

/** (path, value) of every scalar of a document, in order. */
export function* scalars(value, path = "") {
  if (value.items && !value.isNull)
    for (const [place, item] of value.items.entries()) yield* scalars(item, `${path}[${place}]`);
  else if (value.fields && !value.isNull)
    for (const each of value.fields) yield* scalars(each.value, path ? `${path}.${each.name}` : `${each.name}`);
  else yield [path, value];
}

/** Put a text into a scalar, on this copy: a number stays a whole number where the text is one; else it becomes a string. */
export function change(value, text) {
  const isWhole = value.type === "int" && /^-?[0-9]+$/.test(text);
  for (const name of ["head", "isNegative", "text", "octets"]) delete value[name];
  value.isNull = false;
  if (!isWhole) return Object.assign(value, { type: "string", text });
  let rest = BigInt(text.replace("-", ""));
  const octets = [];
  for (; rest; rest >>= 8n) octets.unshift(Number(rest & 255n));
  return Object.assign(value, {
    type: "int",
    octets: Uint8Array.from(octets),
    isNegative: text.startsWith("-") && octets.length > 0,
  });
}
