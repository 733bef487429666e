// The Workbench: differences, faults as switches, imports.  Plain forms are main.js's.

import { call } from "./api.js";
import { all, element, find, say } from "./dom.js";
import { reportBox, upload, work } from "./files.js";

const ledgerName = document.body.dataset.ledger;

// --- differences --------------------------------------------------------------------------------------------------

const SIGNS = { added: "+", removed: "−", changed: "~" };

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!form.dataset.diff) return;
  event.preventDefault();
  const box = find("[data-diff-result]");
  try {
    const query = new URLSearchParams({
      from: form.elements.from.value,
      to: form.elements.to.value || "now",
      limit: 100,
    });
    const found = await call("GET", `${form.dataset.diff}?${query}`);
    find("output", form).textContent = "";
    const { added, changed, removed } = found.changes;
    const rows = found.documents.map((each) =>
      element(
        "tr",
        { class: each.change },
        element("td", { class: "sign" }, SIGNS[each.change]),
        element(
          "th",
          { scope: "row" },
          `${each.table} `,
          element("a", { href: `documents/${each.documentId}` }, `${each.documentId.slice(0, 8)}…`),
        ),
        element("td", {}, each.before ? element("del", {}, element("code", {}, each.before.data ?? "redacted")) : ""),
        element("td", {}, each.after ? element("ins", {}, element("code", {}, each.after.data ?? "redacted")) : ""),
      ),
    );
    box.replaceChildren(
      element(
        "p",
        {},
        `${added} added, ${changed} changed, ${removed} removed; ${found.commonBlocks} ${found.commonBlocks === 1 ? "block" : "blocks"} in common.`,
      ),
      ...(rows.length ? [element("table", { class: "diff" }, element("tbody", {}, ...rows))] : []),
    );
  } catch (error) {
    box.replaceChildren();
    find("output", form).textContent = error.message;
  }
});

// --- faults -------------------------------------------------------------------------------------------------------

for (const box of all("[data-fault]"))
  box.addEventListener("change", async () => {
    const problem = find("[data-fault-problem]");
    problem.textContent = "";
    try {
      if (box.checked) {
        const count = find("[data-fault-count]").value.trim();
        const rule = {
          kind: box.dataset.fault,
          ledger: ledgerName,
          probability: Number(find("[data-fault-probability]").value || 1),
        };
        if (count) rule.count = Number(count);
        if (rule.kind === "latency") rule.latency_ms = Number(find("[data-fault-latency]").value);
        box.dataset.id = (await call("POST", "/_qldb/faults", rule)).id;
        say(`${rule.kind} is on.`);
      } else {
        await call("DELETE", `/_qldb/faults/${encodeURIComponent(box.dataset.id)}`);
        say(`${box.dataset.fault} is off.`);
      }
    } catch (error) {
      box.checked = !box.checked;
      problem.textContent = error.message;
    }
  });

// --- seeds --------------------------------------------------------------------------------------------------------

find("[data-seed]")?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = event.target;
  try {
    const filled = await call("POST", form.dataset.seed, { tables: await find("input", form).files[0].text() });
    say(`${filled.documents} documents in ${filled.tables.join(", ")}.`);
  } catch (error) {
    find("output", form).textContent = error.message;
  }
});

// --- imports ------------------------------------------------------------------------------------------------------

find("[data-import]")?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = event.target;
  const progress = find("[data-upload]");
  const result = find("[data-import-result]");
  const button = find("button", form);
  button.disabled = true;
  progress.hidden = false;
  progress.value = 0;
  result.replaceChildren();
  try {
    const id = await upload(find("[data-import-file]").files[0], (percent) => (progress.value = percent / 2));
    const members = { name: form.elements.name.value.trim(), writable: form.elements.writable.checked };
    const report = await work(id, "import", members, (percent) => (progress.value = 50 + percent / 2));
    result.replaceChildren(reportBox(report));
    const place = `${document.body.dataset.base}/ledgers/${encodeURIComponent(members.name)}/editor`;
    if (report.ledger)
      result.append(element("p", {}, "It is the ledger ", element("a", { href: place }, report.ledger), " now."));
  } catch (error) {
    result.replaceChildren(element("p", { class: "problem" }, error.message));
  } finally {
    button.disabled = false;
    progress.hidden = true;
  }
});
