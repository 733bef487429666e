"""The console: a ledger, its past and its proof, for people.

Pages are rendered here and stay readable without scripts; small ES modules make them live, and talk to the JSON
interface like any other program.  Nothing comes from elsewhere: no CDN, no build step, no fonts to fetch.  The editor
is a plain textarea with colours laid under it (docs/console.md says why there is no larger one).
"""
