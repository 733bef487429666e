// The Journal page: older blocks are added below, new ones above.

import { at, fragment, ledger } from "./api.js";
import { find } from "./dom.js";

const chain = find("[data-chain]");

chain.addEventListener("click", async (event) => {
  const link = event.target.closest("[data-further]");
  if (!link) return;
  event.preventDefault();
  const row = link.closest("li");
  link.textContent = "…";
  try {
    const part = await fragment(`${link.href}${link.href.includes("?") ? "&" : "?"}part`);
    const first = part.firstElementChild;
    row.replaceWith(part);
    first?.querySelector("a")?.focus();
  } catch (error) {
    link.textContent = error.message;
  }
});

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
