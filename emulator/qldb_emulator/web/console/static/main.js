// What every page does: theme, ledger switch, forms that call the interface, copying, digests.

import { call } from "./api.js";
import { element, find, kept, save, say } from "./dom.js";

const theme = kept.get("qldb-theme", null);
if (theme) document.documentElement.dataset.theme = theme;
find("button[data-theme]")?.addEventListener("click", () => {
  const isDark = document.documentElement.dataset.theme
    ? document.documentElement.dataset.theme === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches;
  document.documentElement.dataset.theme = isDark ? "light" : "dark";
  kept.set("qldb-theme", document.documentElement.dataset.theme);
});

find("#ledger-switch")?.addEventListener("change", (event) => {
  const { value, dataset } = event.target;
  if (value) {
    const region = document.body.dataset.region;
    const query = region ? `?region=${encodeURIComponent(region)}` : "";
    location.href = `${document.body.dataset.base}/ledgers/${encodeURIComponent(value)}/${dataset.page}${query}`;
  }
});

const readers = {
  flag: (input) => (input.type === "checkbox" ? input.checked : input.value === "true"),
  list: (input) => [input.value],
  optional: (input) => input.value || undefined,
  time: (input) => {
    const moment = Date.parse(input.value);
    if (Number.isNaN(moment)) throw new Error(`${input.value} is no time: it looks like 2026-11-28T12:00:00Z`);
    return moment / 1000;
  },
};

/** The members of a form: dots in names nest, data-type says what a value is. */
export function membersOf(form) {
  const members = {};
  for (const input of form.elements) {
    if (!input.name || input.hasAttribute("data-typed-name")) continue;
    if (input.dataset.into) {
      members[input.dataset.into] = { [input.value]: form.elements.value.value };
      continue;
    }
    if (input.name === "value" && form.elements.key?.dataset.into) continue;
    const value = input.dataset.type ? readers[input.dataset.type](input) : input.value;
    if (value === undefined) continue;
    const names = input.name.split(".");
    let place = members;
    for (const name of names.slice(0, -1)) place = place[name] ??= {};
    place[names.at(-1)] = value;
  }
  return members;
}

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!form.dataset.call) return;
  event.preventDefault();
  const problem = find("output", form);
  if (form.dataset.typed && find("[data-typed-name]", form).value !== form.dataset.typed) {
    problem.textContent = `Type ${form.dataset.typed} to go on.`;
    return;
  }
  if (form.dataset.sure && !(await sure(form.dataset.sure))) return;
  const button = find("button[type=submit]", form);
  button.disabled = true;
  try {
    const [method, path] = form.dataset.call.split(" ");
    await call(method, path, method === "DELETE" ? undefined : membersOf(form));
    if (form.dataset.then === "home") location.href = "/";
    else location.reload();
  } catch (error) {
    if (problem) problem.textContent = error.message;
    button.disabled = false;
  }
});

/** Ask before something is lost. */
export function sure(question) {
  return new Promise((answer) => {
    const no = element("button", { type: "button" }, "No");
    const yes = element("button", { type: "button", class: "danger" }, "Yes");
    const dialog = element(
      "dialog",
      { class: "sheet" },
      element("p", {}, question),
      element("div", { class: "row" }, no, yes),
    );
    const end = (value) => () => (dialog.close(), dialog.remove(), answer(value));
    no.addEventListener("click", end(false));
    yes.addEventListener("click", end(true));
    dialog.addEventListener("cancel", end(false));
    document.body.append(dialog);
    dialog.showModal();
  });
}

document.addEventListener("click", async (event) => {
  const copy = event.target.closest("[data-copy]");
  if (copy) {
    const text = find("pre", copy.closest("section")).textContent;
    try {
      await navigator.clipboard.writeText(text);
      say("Copied.");
    } catch {
      getSelection().selectAllChildren(find("pre", copy.closest("section")));
      say("Selected: copy it with the keyboard.");
    }
  }
  const digest = event.target.closest("[data-digest]");
  if (digest) {
    try {
      const answer = await call("POST", `/_qldb/ledgers/${encodeURIComponent(digest.dataset.digest)}/digest`);
      save(
        `${answer.ledger}-digest-${answer.digestTipAddress.sequenceNo}.json`,
        [JSON.stringify(answer, null, 2)],
        "application/json",
      );
    } catch (error) {
      say(error.message);
    }
  }
});
