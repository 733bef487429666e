"""The console: a ledger, its past and its proof, for people.

In: requests of a browser.
Out: pages that are readable without scripts; small ES modules make them live by the JSON interface.
Nothing comes from elsewhere: no CDN, no build step, no fonts to fetch (docs/console.md says why there is no larger
editor).  Open ``pages`` first, then its templates, then ``static/main.js`` and the module of a page.
"""
