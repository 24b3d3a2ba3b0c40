#!/usr/bin/env bash
# Fails, and names the files, unless C++ is as clang-format and BUILD files are
# as buildifier would write them. With --fix, writes them so.
set -euo pipefail
cd "$(dirname "$0")/.."

fix=${1:-}

if ! command -v clang-format >/dev/null; then
  root=()
  [ "$(id -u)" = 0 ] || root=(sudo)
  "${root[@]}" apt-get update -qq
  "${root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends clang-format >/dev/null
fi
if command -v buildifier >/dev/null; then
  buildifier=(buildifier)
else
  # From npm, kept outside the checkout.
  cache=${XDG_CACHE_HOME:-$HOME/.cache}/lipschitz/buildifier
  if [ ! -x "$cache/node_modules/.bin/buildifier" ]; then
    command -v npm >/dev/null || {
      echo "check_format: needs buildifier, or npm to install @bazel/buildifier" >&2
      exit 1
    }
    npm install --silent --no-audit --no-fund --prefix "$cache" @bazel/buildifier@6.4.0 >&2
  fi
  buildifier=("$cache/node_modules/.bin/buildifier")
fi

mapfile -t sources < <(git ls-files '*.h' '*.cc')
mapfile -t builds < <(git ls-files 'WORKSPACE' 'BUILD' '*/BUILD' '*.BUILD' '*.bzl' |
  grep -v '^third_party/libtorch/libtorch.BUILD$')

if [ "$fix" = --fix ]; then
  clang-format -i "${sources[@]}"
  "${buildifier[@]}" -mode=fix "${builds[@]}"
  exit
fi
status=0
clang-format --dry-run -Werror "${sources[@]}" || status=1
"${buildifier[@]}" -mode=check "${builds[@]}" || status=1
[ "$status" = 0 ] || echo "check_format: run tools/check_format.sh --fix" >&2
exit "$status"
