#!/usr/bin/env bash
# Fails, and names the files, unless C++ is as clang-format 14 and BUILD files are
# as buildifier 6.4 would write them. With --fix, writes them so.
set -euo pipefail
cd "$(dirname "$0")/.."

fail() {
  echo "check_format: $*" >&2
  exit 1
}

install() {
  local root=()
  [ "$(id -u)" = 0 ] || root=(sudo)
  # The package lists may be partly out of reach.
  "${root[@]}" apt-get update -qq >/dev/null || true
  "${root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

# Other versions break lines elsewhere.
find_clang_format() {
  local candidate
  for candidate in clang-format-14 clang-format; do
    if command -v "$candidate" >/dev/null &&
      "$candidate" --version | grep -q 'version 14\.'; then
      clang_format=$candidate
      return
    fi
  done
  install clang-format-14 || fail "needs clang-format 14 (Debian 12 has it)"
  clang_format=clang-format-14
}

# From npm, kept outside the checkout.
find_buildifier() {
  local cache=${XDG_CACHE_HOME:-$HOME/.cache}/lipschitz/buildifier
  buildifier=$cache/node_modules/.bin/buildifier
  [ -x "$buildifier" ] && return
  command -v npm >/dev/null || install npm || fail "needs npm, for @bazel/buildifier"
  npm install --silent --no-audit --no-fund --prefix "$cache" \
    @bazel/buildifier@6.4.0 >&2 || fail "npm could not install @bazel/buildifier"
}

files() {
  local listed
  listed=$(git ls-files "$@") || fail "git ls-files failed; its reason is above"
  [ -n "$listed" ] || fail "git knows no file of $*"
  printf '%s\n' "$listed"
}

find_clang_format
find_buildifier
sources=$(files '*.h' '*.cc')
# These templates are not Starlark before they are filled in.
builds=$(files WORKSPACE BUILD '*/BUILD' '*.BUILD' '*.bzl' |
  grep -vE '^third_party/(libtorch/libtorch|abseil/abseil).BUILD$')

if [ "${1:-}" = --fix ]; then
  xargs "$clang_format" -i <<<"$sources"
  xargs "$buildifier" -mode=fix <<<"$builds"
  exit
fi
status=0
xargs "$clang_format" --dry-run -Werror <<<"$sources" || status=1
xargs "$buildifier" -mode=check <<<"$builds" || status=1
[ "$status" = 0 ] || fail "run tools/check_format.sh --fix"
