// Fills the choice of versions.  The list stands beside the versions of the site, in versions.js; without it there is
// one version, this one.  It is a script and not JSON, so that the site also works from a directory.
addEventListener("DOMContentLoaded", () => {
  const select = document.querySelector(".versions select");
  const versions = window.QLDB_DOCS_VERSIONS || [];
  if (!select) return;
  for (const version of versions) {
    if (version === select.value) continue;
    select.add(new Option(version, version));
  }
  const here = select.value;
  select.addEventListener("change", () => {
    const root = document.documentElement.dataset.content_root || "./";
    location.href = `${root}../${select.value}/index.html`;
  });
  addEventListener("pageshow", () => { select.value = here; });
});
