// The Time page: the picture follows the slider, and new blocks while it is live.

import { at, fragment, ledger } from "./api.js";
import { all, find, pausing } from "./dom.js";

const form = find("[data-time]");
const picture = find("[data-picture]");
const slider = form.elements.at;
let newest = Number(slider.max);
let number = 0;

async function draw(query) {
  const mine = ++number;
  picture.setAttribute("aria-busy", "true");
  const known = new Set(all("[data-block]", picture).map((each) => each.dataset.block));
  try {
    const part = await fragment(
      at(`${location.pathname}/picture?${new URLSearchParams({ table: form.elements.table.value, ...query })}`),
    );
    if (mine !== number) return; // a later one was asked for meanwhile
    if (form.elements.live.checked && known.size)
      for (const each of all("[data-block]", part)) if (!known.has(each.dataset.block)) each.classList.add("new");
    picture.replaceChildren(part);
    const moment = find(".moment", picture);
    newest = Number(moment.dataset.tip);
    slider.max = newest;
    slider.value = moment.dataset.at;
    find("[data-at]").textContent = moment.dataset.at;
  } catch (error) {
    picture.textContent = error.message;
  } finally {
    picture.setAttribute("aria-busy", "false");
  }
}

const follow = pausing(120, () => draw(form.elements.live.checked ? {} : { at: slider.value }));
slider.addEventListener("input", () => {
  find("[data-at]").textContent = slider.value;
  form.elements.live.checked = Number(slider.value) === newest;
  form.elements.time.value = "";
  follow();
});
form.elements.table.addEventListener("change", () => follow());
form.elements.live.addEventListener("change", () => follow());
form.elements.time.addEventListener("change", () => {
  if (!form.elements.time.value) return;
  form.elements.live.checked = false;
  draw({ time: form.elements.time.value });
});
form.addEventListener("submit", (event) => event.preventDefault());

// What belongs together is lit together: a document's versions, and the blocks that hold them.
picture.addEventListener("mouseover", light);
picture.addEventListener("focusin", light);
function light(event) {
  const line = event.target.closest("[data-document], [data-block]");
  const ids = new Set();
  const blocks = new Set();
  if (line) {
    if (line.dataset.document) ids.add(line.dataset.document);
    else blocks.add(line.dataset.block);
    for (const each of all("[data-document]", picture)) {
      if (ids.has(each.dataset.document) && each.dataset.block) blocks.add(each.dataset.block);
      else if (blocks.has(each.dataset.block)) ids.add(each.dataset.document);
    }
  }
  for (const each of all("[data-document], [data-block]", picture)) {
    const isLit = each.dataset.document ? ids.has(each.dataset.document) : blocks.has(each.dataset.block);
    each.classList.toggle("lit", isLit);
  }
}

const events = new EventSource(at(`${ledger}/tail`));
events.addEventListener("block", () => form.elements.live.checked && follow());
addEventListener("pagehide", () => events.close());
