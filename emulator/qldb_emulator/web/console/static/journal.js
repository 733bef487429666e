// The Journal page: older blocks are added below, new ones above.

import { at, fragment, ledger } from "./api.js";
import { find } from "./dom.js";

const chain = find("[data-chain]");

/** Put what follows in the place of a link to it; the first row that came. */
async function goOn(link) {
  const row = link.closest("li");
  try {
    const part = await fragment(`${link.href}${link.href.includes("?") ? "&" : "?"}part`);
    const first = part.firstElementChild;
    row.replaceWith(part);
    return first;
  } catch (error) {
    link.textContent = error.message;
    return null;
  }
}

chain.addEventListener("click", async (event) => {
  const link = event.target.closest("[data-further]");
  if (!link) return;
  event.preventDefault();
  link.textContent = "…";
  (await goOn(link))?.querySelector("a")?.focus();
});

// A search looks at a part of the journal at a time: it goes on by itself until there is something to show.
const isSearch = "search" in chain.dataset;
while (isSearch && !find(".link", chain) && find("[data-further]", chain)) {
  const further = find("[data-further]", chain);
  for (const empty of chain.querySelectorAll(".empty")) empty.remove();
  further.textContent = `${further.textContent.replace(" …", "")} …`;
  if (!(await goOn(further))) break;
}

const box = find("[data-tail]");
const state = find("[data-tail-state]");
let events;
let newest = Number(box?.dataset.tip);

box?.addEventListener("change", () => {
  events?.close();
  state.textContent = "";
  if (!box.checked) return;
  events = new EventSource(at(`${ledger}/tail?after=${newest}`));
  events.onopen = () => (state.textContent = "following");
  events.onerror = () => (state.textContent = "the server is away; trying again");
  events.addEventListener("block", async (event) => {
    const { sequenceNo } = JSON.parse(event.data);
    newest = Math.max(newest, sequenceNo);
    const part = await fragment(at(`${location.pathname}?part&before=${sequenceNo + 1}`));
    const made = find(`[data-block="${sequenceNo}"]`, part);
    if (!made || find(`[data-block="${sequenceNo}"]`, chain)) return;
    made.classList.add("new");
    const before = [...chain.children].find((each) => Number(each.dataset.block) < sequenceNo);
    chain.insertBefore(made, before ?? null);
  });
});
addEventListener("pagehide", () => events?.close());
