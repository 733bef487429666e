// The Proof page.  Everything from the document to the digest is computed here: the Ion hash of its metadata and its
// data, the way up the Merkle tree, and the comparison.

import { Refused, call, ledger } from "./api.js";
import { element, find, save, say } from "./dom.js";
import { reportBox, upload, work } from "./files.js";
import { dot, fromBase64, hasher, root, same, sha256, toBase64 } from "./hashes.js";
import { change, field, ionHash, ionText, readIon, scalarText, scalars } from "./ion.js";
import { seal } from "./seal.js";

const CHAIN = 6;
const LABELS = {
  revisions: "another revision of the block",
  entries: "another entry of the block",
  "previous block": "the block before",
  tree: "the other side of the tree",
};
const ABOVE = {
  revisions: "over the block's revisions",
  entries: "over the block's entries",
  "previous block": "the block's hash",
  tree: "over more blocks",
};

const form = find("[data-proof]");
const problem = find("[data-proof-problem]");
let found = null; // {ion, proof, digest, tip, number, document}
let copy = null; // the value as it is changed here

// --- computing ----------------------------------------------------------------------------------------------------

/** The hash a revision must have; its own member says what it has. */
async function revisionHash(value) {
  const metadata = await ionHash(field(value, "metadata"));
  const data = field(value, "data");
  if (data) return { hash: await dot(metadata, await ionHash(data)), metadata, data: await ionHash(data) };
  const kept = field(value, "dataHash");
  if (kept) return { hash: await dot(metadata, kept.octets), metadata, data: kept.octets, isRedacted: true };
  return { hash: await dot(metadata, await sha256(new Uint8Array())), metadata, isDeleted: true };
}

/** The hash a block must have, from its entries and the block before; its revisions must be among the entries. */
async function blockHash(value, entries) {
  const previous = field(value, "previousBlockHash")?.octets ?? new Uint8Array();
  return dot(await root(entries), previous);
}

const entriesOf = (block) => field(block, "entriesHashList").items.map((item) => item.octets);

async function prove() {
  const value = copy;
  const isBlock = !found.document;
  const about = isBlock ? { hash: await blockHash(value, entriesOf(value)) } : await revisionHash(value);
  const claimed = field(value, isBlock ? "blockHash" : "hash").octets;
  const steps = [];
  let hash = about.hash;
  for (const step of found.proof) {
    const next = await dot(hash, fromBase64(step.hash));
    steps.push({ from: hash, with: fromBase64(step.hash), to: next, in: step.in });
    hash = next;
  }
  return {
    about,
    claimed,
    steps,
    end: hash,
    holds: same(hash, fromBase64(found.digest)) && same(claimed, about.hash),
    isSelf: same(claimed, about.hash),
  };
}

// --- drawing ------------------------------------------------------------------------------------------------------

function node(title, octets, kind = "") {
  const text = toBase64(octets);
  return element(
    "div",
    { class: `node ${kind}`, title: text },
    seal(octets),
    element("span", {}, element("b", {}, title), element("br"), element("code", {}, `${text.slice(0, 16)}…`)),
  );
}

function draw(result, isChanged) {
  const mark = (octets, known) => (known === undefined ? "" : same(octets, known) ? "good" : "bad");
  const intact = original?.steps;
  const rows = [];
  if (!found.document)
    rows.push(
      element(
        "li",
        {},
        node("this block", result.about.hash, mark(result.about.hash, result.claimed)),
        element("span", { class: "plus" }),
        element("span", { class: "kind" }, "from its entries and the block before"),
      ),
    );
  else {
    const other = result.about.data
      ? node(
          result.about.isRedacted ? "dataHash (redacted)" : "Ion hash of the data",
          result.about.data,
          original?.about.data ? mark(result.about.data, original.about.data) : "",
        )
      : element("span", { class: "kind" }, "no data: deleted");
    rows.push(
      element(
        "li",
        {},
        node(
          "Ion hash of the metadata",
          result.about.metadata,
          original ? mark(result.about.metadata, original.about.metadata) : "",
        ),
        element("span", { class: "plus" }, "+"),
        other,
      ),
    );
    rows.push(element("li", {}, element("div", { class: "down" }, "combined: SHA-256 of both, the smaller first")));
    rows.push(
      element(
        "li",
        {},
        node("this revision", result.about.hash, mark(result.about.hash, result.claimed)),
        element("span", { class: "plus" }),
        element("span", { class: "kind" }, result.isSelf ? "equals the hash it carries" : "is not the hash it carries"),
      ),
    );
  }
  for (const [place, step] of result.steps.entries()) {
    rows.push(element("li", {}, element("div", { class: "down" }, `with ${LABELS[step.in]}`)));
    rows.push(
      element(
        "li",
        {},
        node(
          `step ${place + 1}: ${ABOVE[step.in]}`,
          step.to,
          isChanged && intact ? mark(step.to, intact[place].to) : "",
        ),
        element("span", { class: "plus" }, "+"),
        node(LABELS[step.in], step.with, "with"),
      ),
    );
  }
  rows.push(element("li", {}, element("div", { class: "down" }, "must be equal to")));
  rows.push(
    element(
      "li",
      {},
      node(`the digest, at block ${found.tip}`, fromBase64(found.digest), result.holds ? "good" : "bad"),
      element("span", { class: "plus" }),
      element("span", { class: "kind" }, result.holds ? "it is" : "it is not"),
    ),
  );
  find("[data-path]").replaceChildren(...rows);
  const stamp = find("[data-stamp]");
  stamp.textContent = result.holds ? "Verified" : "Broken";
  stamp.className = result.holds ? "stamp" : "stamp broken";
  find("[data-trusts]").textContent =
    `Computed by ${hasher}: ${found.document ? "the Ion hash of the document and its metadata, and " : "the block's hash, and "}${result.steps.length} steps up the tree. ` +
    `It trusts this page's own code, which this server sent${found.isFetched ? ", and the digest, which was fetched just now: it proves that the ledger is consistent, and only a digest kept from earlier proves that nothing was changed since" : ", and the digest that you brought"}. ` +
    "It does not trust the document, the proof or any hash the server computed.";
  find("[data-outcome]").hidden = false;
  const data = found.document && field(copy, "data");
  find("[data-copied]").textContent = data ? ionText(data) : "";
}

let original = null;

async function show() {
  copy = readIon(found.ion);
  original = null;
  original = await prove();
  draw(original, false);
  offerFields();
  await chain();
}

// --- changing one value -------------------------------------------------------------------------------------------

const tamper = find("[data-tamper-form]");

function offerFields() {
  const root = found.document ? field(copy, "data") : field(copy, "transactionInfo");
  const paths = root ? [...scalars(root)] : [];
  find("[data-tamper]").hidden = !found.document || !paths.length;
  tamper.elements.field.replaceChildren(...paths.slice(0, 300).map(([path]) => element("option", {}, path)));
  fillValue();
}

function fillValue() {
  const chosen = [...scalars(field(copy, "data") ?? { fields: [] })].find(
    ([path]) => path === tamper.elements.field.value,
  );
  if (chosen) tamper.elements.value.value = chosen[1].text ?? scalarText(chosen[1]);
}
tamper.elements.field.addEventListener("change", fillValue);

tamper.addEventListener("submit", async (event) => {
  event.preventDefault();
  const chosen = [...scalars(field(copy, "data"))].find(([path]) => path === tamper.elements.field.value);
  if (!chosen) return;
  change(chosen[1], tamper.elements.value.value);
  draw(await prove(), true);
  await chain();
  find("[data-outcome]").scrollIntoView({ behavior: "smooth" });
});
find("[data-restore]").addEventListener("click", () => show());

/** The blocks from this one on, each hashed here; the first with what was changed in it. */
async function chain() {
  const box = find("[data-chain]");
  if (!found.document || found.isOffline) return box.replaceChildren();
  const last = Math.min(found.tip, found.number + CHAIN - 1);
  const items = [];
  let before = null;
  for (let number = found.number; number <= last; number++) {
    const response = await fetch(`${ledger}/blocks/${number}`, { headers: { Accept: "application/ion" } });
    if (!response.ok) break; // reading blocks may not be allowed: the proof above stands by itself
    const block = readIon(new Uint8Array(await response.arrayBuffer()));
    const entries = entriesOf(block);
    if (number === found.number) await putChanged(block, entries);
    const claimedPrevious = field(block, "previousBlockHash")?.octets ?? new Uint8Array();
    const hash = await dot(await root(entries), before ?? claimedPrevious);
    const isSound = same(hash, field(block, "blockHash").octets) && (!before || same(before, claimedPrevious));
    before = hash;
    items.push(
      element(
        "li",
        { class: isSound ? "sound" : "broken" },
        element("b", {}, `Block ${number}`),
        element("div", { class: "hash" }, seal(hash), element("code", {}, toBase64(hash).slice(0, 8))),
        element(
          "small",
          {},
          isSound
            ? "fits the one before"
            : number === found.number
              ? "its hash is another one now"
              : "does not fit the one before",
        ),
      ),
    );
  }
  box.replaceChildren(...items);
}

/** Put the revision as it is here into its block's entries. */
async function putChanged(block, entries) {
  const revisions = field(block, "revisions").items;
  const was = await root(revisions.map((item) => field(item, "hash").octets));
  const mine = (await revisionHash(copy)).hash;
  const hashes = revisions.map((item) => {
    const metadata = field(item, "metadata");
    return metadata && field(metadata, "id").text === found.document ? mine : field(item, "hash").octets;
  });
  const place = entries.findIndex((entry) => same(entry, was));
  entries[place] = await root(hashes);
}

// --- the form -----------------------------------------------------------------------------------------------------

let isFetched = false;

async function fetchDigest() {
  const answer = await call("POST", `${ledger}/digest`);
  form.elements.digest.value = answer.digest;
  form.elements.tip.value = answer.digestTipAddress.sequenceNo;
  isFetched = true;
}
find("[data-fetch-digest]").addEventListener("click", () => guarded(fetchDigest));
for (const name of ["digest", "tip"]) form.elements[name].addEventListener("input", () => (isFetched = false));

async function guarded(action) {
  problem.textContent = "";
  try {
    await action();
  } catch (error) {
    problem.textContent = error.message;
    if (!(error instanceof Refused || error.name === "InvalidCharacterError" || error.name === "IonError"))
      console.error(error);
  }
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  guarded(async () => {
    if (!form.elements.digest.value.trim()) await fetchDigest();
    const document = form.elements.document.value.trim();
    const number = Number(form.elements.block.value);
    const tip = form.elements.tip.value.trim();
    const query = new URLSearchParams({ ...(document && { document }), ...(tip && { tip }) });
    const answer = await call("GET", `${ledger}/blocks/${number}/proof?${query}`);
    found = {
      ion: fromBase64(answer.ion),
      proof: answer.proof,
      digest: form.elements.digest.value.trim(),
      tip: answer.tip,
      number,
      document,
      isFetched,
    };
    await show();
    find("[data-outcome]").scrollIntoView({ behavior: "smooth", block: "start" });
  });
});

find("[data-receipt]").addEventListener("click", () => {
  const receipt = {
    kind: "qldb-emulator receipt",
    document: found.document,
    block: found.number,
    ion: toBase64(found.ion),
    proof: found.proof,
    digest: found.digest,
    tip: found.tip,
  };
  save(
    `receipt-${found.document || "block"}-${found.number}.json`,
    [JSON.stringify(receipt, null, 2)],
    "application/json",
  );
});

// --- dropped files ------------------------------------------------------------------------------------------------

const drop = find("[data-drop]");
const verdict = find("[data-verdict]");
const progress = find("[data-upload]");

for (const name of ["dragenter", "dragover"])
  drop.addEventListener(name, (event) => (event.preventDefault(), drop.classList.add("over")));
for (const name of ["dragleave", "drop"])
  drop.addEventListener(name, (event) => (event.preventDefault(), drop.classList.remove("over")));
drop.addEventListener("drop", (event) => event.dataTransfer.files[0] && take(event.dataTransfer.files[0]));
find("[data-file]").addEventListener("change", (event) => {
  const [file] = event.target.files;
  if (!file) return;
  take(file).finally(() => (event.target.value = "")); // so that the same file can be chosen again
});

const told = (percent) => (progress.value = percent);

async function take(file) {
  verdict.replaceChildren(element("p", { class: "kind" }, `Looking at ${file.name} …`));
  try {
    const small = file.size < 4_000_000 && /json$|text/.test(file.type || file.name) ? parsed(await file.text()) : null;
    verdict.replaceChildren(...((await known(small)) ?? (await journal(file))));
  } catch (error) {
    verdict.replaceChildren(reportBox({ verdict: "broken", text: "It could not be read.", findings: [error.message] }));
  } finally {
    progress.hidden = true;
  }
}

function parsed(text) {
  try {
    const value = JSON.parse(text);
    return value && typeof value === "object" && !Array.isArray(value) ? value : null;
  } catch {
    return null; // Ion, or JSON of an export: the server reads those
  }
}

/** What is made of a digest, a receipt or a report; null for anything else. */
async function known(value) {
  if (!value) return null;
  if (value.kind === "qldb-emulator receipt") {
    found = { ...value, ion: fromBase64(value.ion), number: value.block, isFetched: false, isOffline: true };
    await show();
    return [
      reportBox(
        {
          verdict: original.holds ? "holds" : "broken",
          text: original.holds ? "The receipt holds." : "The receipt does not hold.",
        },
        "Checked in this browser, without the ledger.",
      ),
    ];
  }
  if (value.Revision || value.Block) {
    if (!value.digest) value.digest = form.elements.digest.value.trim();
    const answer = await call("POST", "/_qldb/verify", value);
    return [
      reportBox(
        { ...answer, text: answer.verdict === "holds" ? "The receipt holds." : "The receipt does not hold." },
        "Checked by the server's verifier: Ion text is read there.",
      ),
    ];
  }
  if (value.digest && value.digestTipAddress) return setDigest(value.digest, value.digestTipAddress.sequenceNo);
  if (value.Digest) {
    const tip = value.DigestTipAddress ? /sequenceNo:\s*(\d+)/.exec(value.DigestTipAddress.IonText)?.[1] : "";
    return setDigest(value.Digest, tip);
  }
  if (value.verdict && value.journal)
    return [
      reportBox(
        {
          verdict: value.verdict,
          text: `This report says: ${value.verdict}.`,
          notProved: value.not_proved,
          notes: value.notes,
        },
        "A report is a claim. Drop the journal itself to check it.",
      ),
    ];
  return null;
}

function setDigest(digest, tip) {
  form.elements.digest.value = digest;
  form.elements.tip.value = tip ?? "";
  isFetched = false;
  say("The digest is taken.");
  return [element("p", { class: "kind" }, `A digest at block ${tip}: prove a revision under it, on the left.`)];
}

async function journal(file) {
  progress.hidden = false;
  progress.value = 0;
  const id = await upload(file, (percent) => told(percent / 2));
  const report = await work(id, "verify", { digest: find("[data-journal-digest]").value.trim() }, (percent) =>
    told(50 + percent / 2),
  );
  return [reportBox(report, `${file.name}, checked by the server's verifier.`)];
}

// --- begin --------------------------------------------------------------------------------------------------------

if (form.elements.block.value) guarded(fetchDigest).then(() => form.requestSubmit());
