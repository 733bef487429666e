# Sourced by the other scripts: where the project is, and `environment`, which makes a Python environment once.
set -euo pipefail
PROJECT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
PYTHON="${PYTHON:-python3}"

# environment NAME REQUIREMENT... - makes .venvs/NAME with these requirements, anew when they change.
# "-e PROJECT[extra]" is a requirement like any other.  Prints nothing when there is nothing to do.
# uv makes it, where it is installed: some times faster than venv and pip.
environment() {
  local name="$1" directory="$PROJECT/.venvs/$1" wanted started=$SECONDS
  shift
  "$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    { echo "Python 3.11 or newer is needed; set PYTHON to one (found $("$PYTHON" --version 2>&1))" >&2; exit 1; }
  wanted="$("$PYTHON" --version) $* $(cksum <"$PROJECT/pyproject.toml")"
  if [ "$(cat "$directory/.made-of" 2>/dev/null)" = "$wanted" ]; then return; fi
  rm -rf "$directory"
  if command -v uv >/dev/null; then
    say_what "$name" "uv" "$@"
    uv venv --quiet --python "$(command -v "$PYTHON")" "$directory"
    uv pip install --quiet --python "$directory/bin/python" "$@"
  else
    say_what "$name" "pip; with uv installed it is faster" "$@"
    # A pip of its own is most of what making an environment costs; Python's pip can install into another one (22.3).
    local own_pip=()
    if "$PYTHON" -c 'import sys, pip; sys.exit([int(n) for n in pip.__version__.split(".")[:2]] < [22, 3])' 2>/dev/null
    then own_pip=(--without-pip); fi
    "$PYTHON" -m venv "${own_pip[@]}" "$directory" ||
      { echo "The venv module is missing (Debian: apt-get install python3-venv)" >&2; exit 1; }
    local pip=("$directory/bin/python" -m pip)
    if [ ${#own_pip[@]} -gt 0 ]; then pip=("$PYTHON" -m pip --python "$directory/bin/python"); fi
    "${pip[@]}" install --quiet --disable-pip-version-check --no-compile "$@"
  fi
  echo "$wanted" >"$directory/.made-of"
  echo "  done in $((SECONDS - started)) s; the next start does not need this" >&2
}

# install_into DIRECTORY REQUIREMENT - installs one package, without what it needs, into a folder.
install_into() {
  if command -v uv >/dev/null; then
    uv pip install --quiet --python "$(command -v "$PYTHON")" --no-deps --target "$1" "$2"
  else
    "$PYTHON" -m pip install --quiet --disable-pip-version-check --no-deps --target "$1" "$2"
  fi
}

# say_what NAME TOOL REQUIREMENT... - which packages are about to be installed, where and by what.
say_what() {
  local name="$1" tool="$2"
  shift 2
  echo "Setting up .venvs/$name once: $(printf '%s\n' "$@" | sed "s#^-e\$#this checkout,#; s#^$PROJECT##" | tr '\n' ' ')(by $tool) ..." >&2
}

# dependencies [EXTRA...] - what the package and these extras of it need, one requirement a line.
dependencies() {
  "$PYTHON" - "$PROJECT/pyproject.toml" "$@" <<'PYTHON'
import sys, tomllib
project = tomllib.load(open(sys.argv[1], "rb"))["project"]
print("\n".join(sum((project["optional-dependencies"][extra] for extra in sys.argv[2:]), project["dependencies"])))
PYTHON
}

# run_checkout COMMAND... - qldb-emulator of this checkout, as it is now, in an environment with what the command needs:
# .venvs/serve, or one of its own for options that need an extra.  The package is not installed, which would take as
# long as all the rest.
run_checkout() {
  local extras=() word name=serve requirements
  for word in "$@"; do
    case "$word" in
      --with-aws) extras+=(aws) ;;
      --tls) extras+=(tls) ;;
      --journal | --journal=*) extras+=(postgres) ;;
      --traces | --traces=*) extras+=(otel) ;;
      --s3-endpoint | --s3-endpoint=* | --kinesis-endpoint | --kinesis-endpoint=* | s3://*) extras+=(aws) ;;
    esac
  done
  if [ -n "${QLDB_EMULATOR_WITH_AWS:-}" ]; then extras+=(aws); fi
  if [ -n "${QLDB_EMULATOR_TLS:-}" ]; then extras+=(tls); fi
  if [ -n "${QLDB_EMULATOR_JOURNAL:-}" ]; then extras+=(postgres); fi
  if [ -n "${QLDB_EMULATOR_TRACES:-}" ]; then extras+=(otel); fi
  if [ ${#extras[@]} -gt 0 ]; then
    mapfile -t extras < <(printf '%s\n' "${extras[@]}" | sort -u)
    name="serve-$(IFS=-; echo "${extras[*]}")"
  fi
  mapfile -t requirements < <(dependencies "${extras[@]}")
  environment "$name" "${requirements[@]}"
  export PYTHONPATH="$PROJECT/emulator${PYTHONPATH:+:$PYTHONPATH}"
  exec "$PROJECT/.venvs/$name/bin/python" -m qldb_emulator "$@"
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
