#!/usr/bin/env bash
# Creates .venv in the checkout and installs requirements.lock and this package into it.
# Needs Python 3.11-3.13 with pip; uv is used when it is on PATH and installed into .venv when it is not.
# usage: scripts/setup.sh [extra]      an extra of pyproject.toml besides those in the lock, e.g. spark
set -euo pipefail
cd "$(dirname "$0")/.."

extra=${1:-}
uv_version=0.13.9

# Without compiled bytecode every dbt command spends seconds on compiling its imports.
export UV_COMPILE_BYTECODE=1

supported='import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))'

find_python() {
  local candidate
  for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.11}; do
    if command -v "$candidate" >/dev/null && "$candidate" -c "$supported"; then
      command -v "$candidate"
      return
    fi
  done
  echo "set-up: needs Python 3.11, 3.12 or 3.13; name one with PYTHON=..." >&2
  return 1
}

find_uv() {
  local candidate
  for candidate in .venv/bin/uv "$(command -v uv || true)" .venv-bootstrap/bin/uv; do
    if [ -n "$candidate" ] && [ -x "$candidate" ]; then
      echo "$candidate"
      return
    fi
  done
}

uv=$(find_uv)
if ! .venv/bin/python -c "$supported" 2>/dev/null; then
  python=$(find_python)
  echo "set-up: .venv with $("$python" --version)"
  rm -rf .venv
  if [ -n "$uv" ] && [ "$uv" != .venv/bin/uv ]; then
    "$uv" venv --quiet --python "$python" .venv
  elif "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    "$python" -m venv .venv
  else
    # Debian's python3 comes without ensurepip unless python3-venv is installed; uv makes an environment without it.
    "$python" -m pip install --quiet --target .venv-bootstrap "uv==$uv_version"
    PYTHONPATH=.venv-bootstrap "$python" -m uv venv --quiet --python "$python" .venv
  fi
fi

uv=$(find_uv)
if [ -z "$uv" ]; then
  echo "set-up: uv into .venv"
  .venv/bin/python -m pip install --quiet --disable-pip-version-check "uv==$uv_version"
  uv=.venv/bin/uv
fi

echo "set-up: packages of requirements.lock"
"$uv" pip install --quiet --python .venv/bin/python -r requirements.lock
"$uv" pip install --quiet --python .venv/bin/python --no-deps --editable .
# DuckDB's extensions for the target ducklake, from their packages instead of a download at the first use.
.venv/bin/python - <<'EXTENSIONS'
import duckdb
import duckdb_extensions

connection = duckdb.connect(config={"extension_directory": ".venv/duckdb_extensions"})
for name in ("ducklake", "postgres_scanner"):
    duckdb_extensions.import_extension(name, con=connection)
EXTENSIONS
if [ -n "$extra" ]; then
  "$uv" pip install --quiet --python .venv/bin/python --constraint requirements.lock --editable ".[$extra]"
fi
