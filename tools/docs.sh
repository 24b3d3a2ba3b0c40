#!/usr/bin/env bash
# Makes the API documentation of lipschitz/ in docs/ (docs/html/index.html) with
# Doxygen, which it installs on Debian when it is not there. A comment that
# Doxygen warns about is an error.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! command -v doxygen >/dev/null; then
  as_root=()
  [ "$(id -u)" = 0 ] || as_root=(sudo)
  # The package lists may be partly out of reach.
  "${as_root[@]}" apt-get update >&2 || true
  "${as_root[@]}" apt-get install --yes --no-install-recommends doxygen >&2 || {
    echo "docs: needs doxygen: run this as root, or install it" >&2
    exit 1
  }
fi
doxygen Doxyfile
echo "documentation: $PWD/docs/html/index.html"
