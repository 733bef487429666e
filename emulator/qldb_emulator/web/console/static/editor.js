// The editor: colours under a textarea, completion, parameters, transactions, results.

import { Refused, call, isReadOnly, ledger, lines } from "./api.js";
import { all, element, find, kept, pausing, save, say } from "./dom.js";
import { fromBase64 } from "./hashes.js";
import { ionText, jsonText, readIon, scalarText } from "./ion.js";
import { KEYWORDS, offsetOf, parameterCount, statements, tokens } from "./partiql.js";

const ROWS = 200;
const MORE_ROWS = 5000;
const HISTORY = 50;

const work = find(".work");
const text = find("[data-text]");
const under = find("[data-under]");
const problem = find("[data-problem]");
const name = document.body.dataset.ledger;
const keys = { history: `qldb-history-${name}`, saved: `qldb-saved-${name}`, text: `qldb-text-${name}` };

// --- colours ------------------------------------------------------------------------------------------------------

let wrong = null;
let shownBy = "plan";

function paint() {
  const parts = tokens(text.value).map((token) => {
    const isWrong =
      wrong !== null && (token.start === wrong || (token.start < wrong && wrong < token.start + token.text.length));
    if (token.kind === "space" && !isWrong) return token.text;
    return element("span", { class: `t-${token.kind}${isWrong ? " t-wrong" : ""}` }, token.text);
  });
  under.replaceChildren(
    ...parts,
    wrong !== null && wrong >= text.value.length ? element("span", { class: "t-wrong" }, " ") : "",
    "\n",
  );
  under.scrollTop = text.scrollTop;
}

/** Show what is wrong, or that nothing is.  by: what a live plan says must not take away what a run has said. */
function show(error, start = 0, by = "run") {
  if (by === "plan" && problem.textContent && shownBy === "run") return;
  shownBy = by;
  problem.textContent = error ? error.message : "";
  wrong = null;
  if (error?.answer?.line) {
    const rest = text.value.slice(start);
    wrong = start + offsetOf(rest, error.answer.line, error.answer.column);
    text.setAttribute("aria-invalid", "true");
  } else text.removeAttribute("aria-invalid");
  paint();
}

text.addEventListener("scroll", () => (under.scrollTop = text.scrollTop));

// --- parameters and plan ------------------------------------------------------------------------------------------

const parameters = find("[data-parameters]");

function fitParameters() {
  const wanted = parameterCount(text.value);
  const inputs = all("input", parameters);
  for (let n = inputs.length; n < wanted; n++)
    parameters.append(
      element(
        "label",
        {},
        `${n + 1}`,
        element("input", { size: 18, spellcheck: "false", placeholder: '"text", 42, {a: 1}', autocomplete: "off" }),
      ),
    );
  for (const input of inputs.slice(wanted)) input.parentElement.remove();
  parameters.hidden = !wanted;
}

const planBox = find("[data-plan]");
const explain = pausing(350, async () => {
  const parts = statements(text.value);
  if (!parts.length) {
    planBox.hidden = true;
    show(null, 0, "plan");
    return;
  }
  const asked = text.value;
  const found = [];
  for (const part of parts.slice(0, 10)) {
    try {
      found.push(await call("POST", `${ledger}/explain`, { statement: part.text }));
    } catch (error) {
      // A statement may use what an earlier one makes: then only a mistake of syntax is sure to be one.
      if (asked === text.value && (parts.length === 1 || /^(Parser|Lexer)/.test(error.message)))
        show(error, part.start, "plan");
      if (asked === text.value && !found.length) planBox.hidden = true;
      return;
    }
    if (asked !== text.value) return;
  }
  show(null, 0, "plan");
  planBox.hidden = false;
  find("[data-plan-text]").textContent = found.map((each) => each.plan).join("\n\n");
  const unique = (name) => [...new Set(found.flatMap((each) => each[name]))];
  find("[data-reads]").replaceChildren(...unique("reads").map((line) => element("li", {}, line)));
  find("[data-scans]").replaceChildren(
    ...unique("scans").map((line) =>
      element(
        "p",
        { class: "problem amber" },
        `This reads ${line.replace(": a scan", "")}. It gets slower as the table grows and conflicts with every write to it; an index on a field that is compared with = avoids that.`,
      ),
    ),
  );
});

text.addEventListener("input", () => {
  wrong = null;
  problem.textContent = "";
  paint();
  fitParameters();
  explain();
  kept.set(keys.text, text.value);
  complete(false);
});

// --- completion ---------------------------------------------------------------------------------------------------

const list = find("[data-completion]");
const names = [
  ...all(".table[data-table]").map((table) => ({ text: table.dataset.table, kind: "table" })),
  ...[...new Set(all("[data-field]").map((button) => button.dataset.insert))].map((each) => ({
    text: each,
    kind: "field",
  })),
  ...all("[data-insert]")
    .filter((b) => /^(history|_ql|information)/.test(b.dataset.insert))
    .map((b) => ({ text: b.dataset.insert, kind: "view" })),
  ...KEYWORDS.map((each) => ({ text: each, kind: "word" })),
];
let chosen = 0;

function wordBefore() {
  return /[A-Za-z_][\w$]*$/.exec(text.value.slice(0, text.selectionStart))?.[0] ?? "";
}

function complete(isAsked) {
  const word = wordBefore();
  const lower = word.toLowerCase();
  const found =
    word.length > 1 || isAsked
      ? names.filter((each) => each.text.toLowerCase().startsWith(lower) && each.text !== word).slice(0, 12)
      : [];
  const isOpen = found.length > 0;
  list.hidden = !isOpen;
  if (!isOpen) return text.removeAttribute("aria-activedescendant");
  chosen = 0;
  list.replaceChildren(
    ...found.map((each, place) =>
      element(
        "li",
        {
          role: "option",
          id: `c${place}`,
          "data-word": each.text,
          "aria-selected": place === 0,
          onmousedown: (event) => (event.preventDefault(), take(each.text)),
        },
        each.text,
        element("small", {}, each.kind),
      ),
    ),
  );
  text.setAttribute("aria-activedescendant", "c0");
  const before = text.value.slice(0, text.selectionStart).split("\n");
  list.style.top = `${before.length * 1.6 - text.scrollTop / 16 + 0.1}rem`;
  list.style.left = `${Math.min(2.7 + (before.at(-1).length - word.length) * 0.57, 40)}rem`;
}

function take(word) {
  const start = text.selectionStart - wordBefore().length;
  text.setRangeText(word, start, text.selectionStart, "end");
  list.hidden = true;
  text.dispatchEvent(new Event("input"));
  list.hidden = true;
}

text.addEventListener("keydown", (event) => {
  const options = all("li", list);
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    list.hidden = true;
    run();
  } else if (event.key === " " && event.ctrlKey) {
    event.preventDefault();
    complete(true);
  } else if (!list.hidden && ["ArrowDown", "ArrowUp"].includes(event.key)) {
    event.preventDefault();
    chosen = (chosen + (event.key === "ArrowDown" ? 1 : options.length - 1)) % options.length;
    options.forEach((option, place) => option.setAttribute("aria-selected", String(place === chosen)));
    options[chosen].scrollIntoView({ block: "nearest" });
    text.setAttribute("aria-activedescendant", `c${chosen}`);
  } else if (!list.hidden && event.key === "Enter") {
    event.preventDefault();
    take(options[chosen].dataset.word);
  } else if (!list.hidden && event.key === "Escape") {
    list.hidden = true;
  }
});
text.addEventListener("blur", () => (list.hidden = true));

document.addEventListener("click", (event) => {
  const insert = event.target.closest("[data-insert]");
  if (!insert) return;
  event.preventDefault();
  text.focus();
  text.setRangeText(insert.dataset.insert, text.selectionStart, text.selectionEnd, "end");
  text.dispatchEvent(new Event("input"));
  list.hidden = true;
});

// --- history and saved statements ---------------------------------------------------------------------------------

function showLists() {
  for (const [kind, place] of [
    ["saved", "[data-saved]"],
    ["history", "[data-history]"],
  ]) {
    const items = kept.get(keys[kind], []);
    find(place).replaceChildren(
      ...items.slice(0, 15).map((item) =>
        element(
          "li",
          {},
          element(
            "button",
            { type: "button", class: "insert", title: item, onclick: () => put(item) },
            item.replace(/\s+/g, " "),
          ),
          element(
            "button",
            {
              type: "button",
              class: "drop-it",
              "aria-label": `Forget ${item.slice(0, 40)}`,
              onclick: () => (
                kept.set(
                  keys[kind],
                  items.filter((each) => each !== item),
                ),
                showLists()
              ),
            },
            "×",
          ),
        ),
      ),
      ...(items.length ? [] : [element("li", { class: "kind" }, kind === "saved" ? "nothing saved" : "nothing yet")]),
    );
  }
}

function put(statement) {
  text.value = statement;
  text.dispatchEvent(new Event("input"));
  list.hidden = true;
  text.focus();
}

function remember(kind, statement) {
  if (!statement.trim()) return;
  kept.set(keys[kind], [statement, ...kept.get(keys[kind], []).filter((each) => each !== statement)].slice(0, HISTORY));
  showLists();
}

find("[data-save]").addEventListener(
  "click",
  () => (remember("saved", text.value.trim()), say("Saved in this browser.")),
);

// --- transactions -------------------------------------------------------------------------------------------------

let transaction = null;
let ticking;
const begin = find("[data-begin]");

function showTransaction() {
  find("[data-transaction]").hidden = !transaction;
  begin.hidden = Boolean(transaction);
  clearInterval(ticking);
  if (transaction) {
    const tick = () => {
      if (!transaction) return; // a commit is on its way: its end stops the clock
      const left = Math.max(0, transaction.ends - performance.now());
      find("[data-clock]").value = (100 * left) / (transaction.seconds * 1000);
      find("[data-left]").textContent = left ? `${Math.ceil(left / 1000)} s left` : "expired";
    };
    tick();
    ticking = setInterval(tick, 250);
  }
}

async function guarded(action) {
  try {
    show(null);
    return await action();
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    const { conflict, "conflict-block": block } = error.answer.debug ?? {};
    if (conflict) error.message += `: ${conflict} was written by block ${block}. Begin again.`;
    show(error);
    if (error.status === 404 || error.answer.__type === "InvalidSessionException") transaction = null;
    showTransaction();
  }
}

begin.addEventListener("click", () =>
  guarded(async () => {
    const answer = await call("POST", `${ledger}/transactions`);
    transaction = {
      path: `${ledger}/transactions/${answer.transactionId}`,
      id: answer.transactionId,
      seconds: answer.seconds,
      ends: performance.now() + answer.seconds * 1000,
    };
    showTransaction();
  }),
);
find("[data-commit]").addEventListener("click", () => {
  const { path } = transaction;
  transaction = null;
  guarded(async () => {
    await call("POST", `${path}/commit`);
    say("Committed.");
  }).finally(showTransaction);
});
find("[data-abort]").addEventListener("click", () => {
  const { path } = transaction;
  transaction = null;
  guarded(async () => {
    await call("DELETE", path);
    say("Aborted.");
  }).finally(showTransaction);
});

// --- running ------------------------------------------------------------------------------------------------------

const results = find("[data-results]");

function asked() {
  const from = text.selectionStart;
  const selected = text.value.slice(from, text.selectionEnd);
  const source = selected.trim() ? selected : text.value;
  const offset = selected.trim() ? from : 0;
  let number = parameterCount(text.value.slice(0, offset));
  const given = all("input", parameters).map((input) => input.value.trim() || "null");
  return statements(source).map((part) => {
    const count = parameterCount(part.text);
    const ionParameters = given.slice(number, number + count);
    number += count;
    return { statement: part.text, ionParameters, start: offset + part.start };
  });
}

async function run() {
  const parts = asked();
  if (!parts.length) return;
  remember("history", text.value.trim());
  find("[data-run]").disabled = true;
  results.setAttribute("aria-busy", "true");
  try {
    show(null);
    const bodies = parts.map(({ statement, ionParameters }) => ({ statement, ionParameters }));
    let found;
    if (transaction) {
      found = [];
      for (const body of bodies)
        found.push(await call("POST", `${transaction.path}/statements`, { ...body, values: "ion-binary" }));
    } else if (bodies.length === 1) {
      found = [await call("POST", `${ledger}/statements`, { ...bodies[0], values: "ion-binary", maxRows: ROWS })];
    } else {
      const answer = await call("POST", `${ledger}/statements`, {
        statements: bodies,
        values: "ion-binary",
        maxRows: ROWS,
      });
      found = answer.results.map((each) => ({
        ...each,
        transactionId: answer.transactionId,
        milliseconds: answer.milliseconds,
      }));
    }
    results.replaceChildren(...found.map((answer, place) => new Result(bodies[place], answer).box));
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    show(error, parts.length === 1 ? parts[0].start : 0);
    if (error.status === 404 || error.answer.__type === "InvalidSessionException")
      ((transaction = null), showTransaction());
  } finally {
    find("[data-run]").disabled = false;
    results.setAttribute("aria-busy", "false");
  }
}
find("[data-run]").addEventListener("click", run);

// --- results ------------------------------------------------------------------------------------------------------

const VIEWS = ["Table", "Tree", "Ion", "JSON"];

class Result {
  constructor(body, answer) {
    this.body = body;
    this.rows = answer.rows.map((row) => readIon(fromBase64(row)));
    this.next = answer.nextPage ?? null;
    this.path = transaction?.path;
    this.isCut = Boolean(answer.truncated);
    this.milliseconds = answer.milliseconds;
    this.readIOs = answer.readIOs;
    this.view = kept.get("qldb-view", "Table");
    this.box = element("section", { class: "sheet result", "aria-label": "Result" });
    this.draw();
  }

  draw() {
    const count = this.rows.length;
    const tabs = element("div", { class: "tabs", role: "tablist", "aria-label": "Views" });
    tabs.append(
      ...VIEWS.map((view) =>
        element(
          "button",
          { type: "button", role: "tab", "aria-selected": view === this.view, onclick: () => this.choose(view) },
          view,
        ),
      ),
    );
    const head = element(
      "div",
      { class: "result-head" },
      element(
        "strong",
        {},
        `${this.isCut || this.next ? "first " : ""}${count.toLocaleString("en")} row${count === 1 ? "" : "s"}`,
      ),
      element(
        "span",
        { class: "kind" },
        [
          this.milliseconds === undefined ? "" : `${this.milliseconds} ms`,
          this.readIOs === undefined ? "" : `${this.readIOs} reads`,
        ]
          .filter(Boolean)
          .join(" · "),
      ),
      element("span", { class: "grow" }),
      tabs,
      element("button", { type: "button", onclick: () => this.download() }, "Download"),
    );
    const more = [];
    if (this.next)
      more.push(element("button", { type: "button", onclick: () => guarded(() => this.fetchMore()) }, "More rows"));
    else if (this.isCut && count < MORE_ROWS)
      more.push(
        element(
          "button",
          { type: "button", onclick: () => guarded(() => this.runAgain()) },
          `Show up to ${MORE_ROWS.toLocaleString("en")}`,
        ),
      );
    if (this.isCut) more.push(element("span", { class: "kind" }, "Download streams every row."));
    this.box.replaceChildren(
      head,
      element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Rows" }, this.content()),
      element("div", { class: "row" }, ...more),
    );
  }

  choose(view) {
    this.view = view;
    kept.set("qldb-view", view);
    this.draw();
    find('[aria-selected="true"]', this.box).focus();
  }

  content() {
    if (!this.rows.length) return element("p", { class: "empty" }, "No rows.");
    if (this.view === "Ion") return element("pre", {}, this.rows.map((row) => ionText(row)).join("\n"));
    if (this.view === "JSON") return element("pre", {}, `[\n${this.rows.map((row) => jsonText(row)).join(",\n")}\n]`);
    if (this.view === "Tree")
      return element(
        "div",
        { class: "tree" },
        ...this.rows.map((row, place) => branch(`${place}`, row, this.rows.length < 6)),
      );
    return grid(this.rows);
  }

  async fetchMore() {
    const answer = await call("GET", `${this.path}/pages?values=ion-binary&page=${encodeURIComponent(this.next)}`);
    this.rows.push(...answer.rows.map((row) => readIon(fromBase64(row))));
    this.next = answer.nextPage;
    this.draw();
  }

  async runAgain() {
    const answer = await call("POST", `${ledger}/statements`, {
      ...this.body,
      values: "ion-binary",
      maxRows: MORE_ROWS,
    });
    this.rows = answer.rows.map((row) => readIon(fromBase64(row)));
    this.isCut = answer.truncated;
    this.draw();
  }

  async download() {
    const isJson = this.view === "JSON" || this.view === "Table";
    const type = isJson ? "application/json" : "text/plain";
    let rows = this.rows.map((row) => (isJson ? jsonText(row) : ionText(row)));
    if (this.isCut) {
      rows = [];
      const options = {
        method: "POST",
        body: JSON.stringify({ ...this.body, values: isJson ? "json" : "ion-text" }),
        headers: { "Content-Type": "application/json", Accept: "application/x-ndjson" },
      };
      await guarded(async () => {
        for await (const line of lines(`${ledger}/statements`, options)) {
          if (line.error) throw new Refused(400, line.error);
          if ("row" in line) rows.push(isJson ? JSON.stringify(line.row) : line.row);
          if (rows.length % 1000 === 0) say(`${rows.length.toLocaleString("en")} rows`);
        }
      });
    }
    save(
      `${name}-rows.${isJson ? "json" : "ion"}`,
      [isJson ? `[\n${rows.join(",\n")}\n]\n` : `${rows.join("\n")}\n`],
      type,
    );
  }
}

const NUMBERS = new Set(["int", "decimal", "float"]);
const short = (value) =>
  value.items || value.fields
    ? ionText(value).replace(/\s*\n\s*/g, " ")
    : value.type === "string" && !value.isNull
      ? value.text
      : scalarText(value);

function cell(value) {
  if (value === undefined) return element("td", { class: "none" }, "");
  const written = short(value);
  return element(
    "td",
    { class: value.isNull ? "none" : NUMBERS.has(value.type) ? "num" : null, title: value.type },
    written.length > 300 ? `${written.slice(0, 300)}…` : written,
  );
}

function grid(rows) {
  const columns = [...new Set(rows.flatMap((row) => (row.fields ? row.fields.map((each) => each.name) : [])))].slice(
    0,
    60,
  );
  const isPlain = rows.some((row) => !row.fields || row.isNull);
  const head = element(
    "tr",
    {},
    ...columns.map((column) => element("th", { scope: "col" }, column ?? "$0")),
    isPlain ? element("th", { scope: "col" }, "value") : null,
  );
  const body = rows.map((row) =>
    element(
      "tr",
      {},
      ...columns.map((column) => cell(row.fields?.find((each) => each.name === column)?.value)),
      isPlain ? cell(row.fields && !row.isNull ? undefined : row) : null,
    ),
  );
  return element("table", { class: "grid" }, element("thead", {}, head), element("tbody", {}, ...body));
}

function branch(label, value, isOpen) {
  const key = element("span", { class: "n-key" }, `${label}: `);
  const names = value.annotations.length
    ? element("span", { class: "n-type" }, `${value.annotations.join("::")}:: `)
    : null;
  const children = value.isNull
    ? null
    : (value.items?.map((item, place) => [place, item]) ??
      value.fields?.map((each) => [each.name ?? "$0", each.value]));
  if (!children)
    return element(
      "div",
      { class: "leaf" },
      key,
      names,
      element(
        "span",
        { class: value.type === "string" || value.type === "symbol" ? "n-string" : "n-number" },
        scalarText(value),
      ),
      element("span", { class: "n-type" }, ` ${value.type}`),
    );
  const box = element(
    "details",
    { open: isOpen },
    element("summary", {}, key, names, element("span", { class: "n-type" }, `${value.type} of ${children.length}`)),
  );
  const fill = () =>
    box.childElementCount === 1 &&
    box.append(...children.slice(0, 500).map(([each, item]) => branch(each, item, false)));
  box.addEventListener("toggle", fill);
  if (isOpen) fill();
  return box;
}

// --- begin --------------------------------------------------------------------------------------------------------

const before = kept.get(keys.text, null);
if (new URLSearchParams(location.search).has("statement"))
  text.value = new URLSearchParams(location.search).get("statement");
else if (before) text.value = before;
if (isReadOnly) begin.hidden = true;
paint();
fitParameters();
explain();
showLists();
work.dataset.ready = "";
