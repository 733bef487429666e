// SHA-256 by SubtleCrypto where the browser has it (https and this machine), else here; and QLDB's way of combining hashes.

const subtle = globalThis.crypto?.subtle;

/** Who computes the hashes on this page, in words. */
export const hasher = subtle
  ? "your browser's SubtleCrypto"
  : "this page's own SHA-256, for browsers offer SubtleCrypto to https and localhost only";

/** The SHA-256 of octets. */
export async function sha256(octets) {
  return subtle ? new Uint8Array(await subtle.digest("SHA-256", octets)) : sha256Here(octets);
}

/** Octets of several arrays, one after another. */
export function joined(...parts) {
  const all = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let place = 0;
  for (const part of parts) {
    all.set(part, place);
    place += part.length;
  }
  return all;
}

/** Which of two hashes goes first: as signed octets, from the last to the first. */
function compare(a, b) {
  for (let place = a.length - 1; place >= 0; place--) {
    const difference = ((a[place] << 24) >> 24) - ((b[place] << 24) >> 24);
    if (difference) return difference;
  }
  return 0;
}

/** SHA-256 over two hashes, the smaller first; an empty side is neutral. */
export async function dot(a, b) {
  if (!a.length) return b;
  if (!b.length) return a;
  return sha256(compare(a, b) <= 0 ? joined(a, b) : joined(b, a));
}

/** The Merkle root over leaves: neighbours are combined, a last odd one is carried up. */
export async function root(leaves) {
  let level = leaves;
  while (level.length > 1) {
    const above = [];
    for (let i = 0; i < level.length; i += 2)
      above.push(i + 1 < level.length ? await dot(level[i], level[i + 1]) : level[i]);
    level = above;
  }
  return level[0] ?? new Uint8Array();
}

export const same = (a, b) => a.length === b.length && a.every((octet, place) => octet === b[place]);

export function toBase64(octets) {
  return btoa(Array.from(octets, (octet) => String.fromCharCode(octet)).join(""));
}

export function fromBase64(text) {
  return Uint8Array.from(atob(text.trim()), (character) => character.charCodeAt(0));
}

// --- SHA-256, FIPS 180-4 ------------------------------------------------------------------------------------------

const primes = [];
for (let n = 2; primes.length < 64; n++) if (primes.every((prime) => n % prime)) primes.push(n);
const fraction = (value) => Math.floor((value - Math.floor(value)) * 2 ** 32);
const ROUNDS = primes.map((prime) => fraction(Math.cbrt(prime)) | 0);
const START = primes.slice(0, 8).map((prime) => fraction(Math.sqrt(prime)) | 0);
const turn = (word, by) => (word >>> by) | (word << (32 - by));

/** The same without SubtleCrypto. */
export function sha256Here(octets) {
  const size = Math.ceil((octets.length + 9) / 64) * 64;
  const padded = new Uint8Array(size);
  padded.set(octets);
  padded[octets.length] = 0x80;
  const view = new DataView(padded.buffer);
  view.setUint32(size - 8, Math.floor((octets.length * 8) / 2 ** 32));
  view.setUint32(size - 4, (octets.length * 8) >>> 0);
  const state = [...START];
  const words = new Int32Array(64);
  for (let start = 0; start < size; start += 64) {
    for (let i = 0; i < 16; i++) words[i] = view.getInt32(start + 4 * i);
    for (let i = 16; i < 64; i++) {
      const [x, y] = [words[i - 15], words[i - 2]];
      words[i] =
        words[i - 16] +
        (turn(x, 7) ^ turn(x, 18) ^ (x >>> 3)) +
        words[i - 7] +
        (turn(y, 17) ^ turn(y, 19) ^ (y >>> 10));
    }
    let [a, b, c, d, e, f, g, h] = state;
    for (let i = 0; i < 64; i++) {
      const first = (h + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + ((e & f) ^ (~e & g)) + ROUNDS[i] + words[i]) | 0;
      const second = ((turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      [h, g, f, e, d, c, b, a] = [g, f, e, (d + first) | 0, c, b, a, (first + second) | 0];
    }
    [a, b, c, d, e, f, g, h].forEach((word, i) => (state[i] = (state[i] + word) | 0));
  }
  const result = new DataView(new ArrayBuffer(32));
  state.forEach((word, i) => result.setInt32(4 * i, word));
  return new Uint8Array(result.buffer);
}
