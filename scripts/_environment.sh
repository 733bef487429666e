# Sourced by the other scripts: where the project is, and `environment`, which makes a Python environment once.
set -euo pipefail
PROJECT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
PYTHON="${PYTHON:-python3}"

# environment NAME REQUIREMENT... - makes .venvs/NAME with these requirements, anew when they change.
# "-e PROJECT[extra]" is a requirement like any other.  Prints nothing when there is nothing to do.
environment() {
  local name="$1" directory="$PROJECT/.venvs/$1" wanted
  shift
  "$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    { echo "Python 3.11 or newer is needed; set PYTHON to one (found $("$PYTHON" --version 2>&1))" >&2; exit 1; }
  wanted="$("$PYTHON" --version) $* $(cksum <"$PROJECT/pyproject.toml")"
  if [ "$(cat "$directory/.made-of" 2>/dev/null)" = "$wanted" ]; then return; fi
  echo "Setting up the environment $name ..." >&2
  rm -rf "$directory"
  "$PYTHON" -m venv "$directory" ||
    { echo "The venv module is missing (Debian: apt-get install python3-venv)" >&2; exit 1; }
  "$directory/bin/pip" install --quiet --disable-pip-version-check "$@"
  echo "$wanted" >"$directory/.made-of"
}

# node_packages DIRECTORY - installs what its package-lock.json names, anew when that changes.
node_packages() {
  local wanted
  wanted="$(node --version) $(cksum <"$1/package-lock.json")"
  if [ "$(cat "$1/node_modules/.made-of" 2>/dev/null)" = "$wanted" ]; then return; fi
  echo "Setting up the Node.js packages of $1 ..." >&2
  (cd "$1" && npm ci --silent --no-audit --no-fund) || return 1
  echo "$wanted" >"$1/node_modules/.made-of"
}
