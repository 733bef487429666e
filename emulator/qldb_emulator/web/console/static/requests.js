// The Requests page: new statements come to the top.  Those without an outcome yet are looked at again.

import { at, fragment } from "./api.js";
import { all, find } from "./dom.js";

const rows = find("[data-rows]");
const follow = find("[data-follow]");
const SECONDS = 2;

async function look() {
  if (!follow.checked || document.hidden) return;
  const only = follow.dataset.only ? `&only=${follow.dataset.only}` : "";
  try {
    // The last rows once more: their transactions may have been committed, or refused, since.
    const from = Math.max(0, Number(follow.dataset.last) - 20);
    const part = await fragment(at(`${location.pathname}?part&after=${from}${only}`));
    const fresh = all("[data-number]", part);
    if (!fresh.length) return;
    find("[data-none]", rows)?.remove();
    const newest = Number(fresh[0].dataset.number);
    for (const each of fresh.reverse()) {
      const known = find(`[data-number="${each.dataset.number}"]`, rows);
      if (known) {
        if (!known.open && known.className !== each.className) known.replaceWith(each);
      } else rows.prepend(each);
    }
    follow.dataset.last = Math.max(newest, Number(follow.dataset.last));
    for (const each of all("[data-number]", rows).slice(200)) each.remove();
  } catch {
    // The server is away: the next look tells.
  }
}
if (follow) setInterval(look, SECONDS * 1000);
