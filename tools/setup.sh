#!/usr/bin/env bash
# Installs what the project needs on Debian 12 and 13; silent and quick when
# nothing is missing. Elsewhere it says what to install by hand.
set -euo pipefail

packages=(
  # Bazel and its rule sets, the compiler
  bazel-bootstrap bazel-rules-cc bazel-rules-java bazel-rules-proto
  bazel-skylib bazel-platforms g++
  # libraries
  libtorch-dev libopenblas0-openmp libabsl-dev libgflags-dev libgtest-dev
  libgmock-dev libbenchmark-dev nlohmann-json3-dev zlib1g-dev
  # figures; data; the commit in every record
  gnuplot-nox dataset-fashion-mnist git ca-certificates
)

say() { printf 'setup: %s\n' "$*" >&2; }

fail() {
  say "$*"
  exit 1
}

# Runs a command as root: itself, or through sudo.
as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    fail "needs root to run '$*'; install sudo, or run it as root"
  fi
}

explain_elsewhere() {
  cat >&2 <<TEXT
setup: this script installs Debian 12 (bookworm) and 13 (trixie) packages, and
setup: this system is '$1'. By hand, what is needed:
setup:   Bazel 4.2 or newer with WORKSPACE support, and its rule sets under
setup:     /usr/share/bazel (packages bazel-rules-cc, -java, -proto, -skylib,
setup:     -platforms), a C++17 compiler, gnuplot
setup:   LibTorch 1.13 or newer: Debian's libtorch-dev, or any other whose
setup:     folder the environment variable LIBTORCH names
setup:   development files of Abseil, gflags, GoogleTest with gMock, Google
setup:     Benchmark, nlohmann-json 3 and zlib; OpenBLAS built with OpenMP
TEXT
  exit 1
}

missing_packages() {
  local package
  for package in "${packages[@]}"; do
    case "$(dpkg-query --show --showformat='${Status}' "$package" 2>/dev/null)" in
      'install ok installed') ;;
      *) printf '%s\n' "$package" ;;
    esac
  done
}

install_missing() {
  local missing
  mapfile -t missing < <(missing_packages)
  [ "${#missing[@]}" = 0 ] && return
  say "installing ${missing[*]}"
  local log
  log=$(mktemp)
  if ! { as_root env DEBIAN_FRONTEND=noninteractive apt-get update -qq &&
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
      --no-install-recommends "${missing[@]}"; } </dev/null >"$log" 2>&1; then
    cat "$log" >&2
    rm -f "$log"
    fail "the installation failed; the reason is above"
  fi
  rm -f "$log"
}

# Debian lets any BLAS answer for libblas.so.3. The reference BLAS is tens of
# times slower; OpenBLAS with pthreads oversubscribes the processors and does not
# follow LibTorch's number of threads.
choose_blas() {
  local triplet link wanted
  triplet=$(gcc -dumpmachine)
  for link in libblas.so.3 liblapack.so.3 libopenblas.so.0; do
    wanted=/usr/lib/$triplet/openblas-openmp/$link
    [ -e "$wanted" ] || continue
    [ "$(readlink -f "/usr/lib/$triplet/$link")" = "$(readlink -f "$wanted")" ] && continue
    say "choosing $wanted"
    as_root update-alternatives --set "$link-$triplet" "$wanted" >/dev/null
  done
  wanted=/usr/lib/$triplet/openblas-openmp/libblas.so.3
  [ "$(readlink -f "/usr/lib/$triplet/libblas.so.3")" = "$(readlink -f "$wanted")" ] ||
    fail "libblas.so.3 is $(readlink -f "/usr/lib/$triplet/libblas.so.3"), not OpenBLAS with OpenMP"
}

id=unknown
version=
if [ -r /etc/os-release ]; then
  # shellcheck disable=SC1091
  id=$(. /etc/os-release && echo "$ID")
  # shellcheck disable=SC1091
  version=$(. /etc/os-release && echo "${VERSION_ID:-}")
fi
case "$id-$version" in
  debian-12 | debian-13) ;;
  *) explain_elsewhere "$id $version" ;;
esac

install_missing
choose_blas
