#!/usr/bin/env bash
# Installs what the project needs on Debian 12 and 13; silent and quick when
# nothing is missing. Elsewhere it says what to install by hand.
# LIPSCHITZ_SKIP_SETUP=1 skips it, for systems that were set up by hand.
set -euo pipefail

[ "${LIPSCHITZ_SKIP_SETUP:-0}" = 1 ] && exit

packages=(
  # Bazel and its rule sets, the compiler
  bazel-bootstrap bazel-rules-cc bazel-rules-java bazel-rules-proto
  bazel-skylib bazel-platforms g++
  # libraries
  libtorch-dev libopenblas0-openmp libabsl-dev libgflags-dev libgtest-dev
  libgmock-dev libbenchmark-dev libhwy-dev liblemon-dev nlohmann-json3-dev
  zlib1g-dev
  # figures; data, and more of it; the commit in every record
  gnuplot-nox dataset-fashion-mnist curl git ca-certificates
)

say() { printf 'setup: %s\n' "$*" >&2; }

fail() {
  say "$*"
  exit 1
}

can_be_root() { [ "$(id -u)" = 0 ] || command -v sudo >/dev/null; }

# Runs a command as root: itself, or through sudo.
as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

explain_elsewhere() {
  cat >&2 <<TEXT
setup: this script installs Debian 12 (bookworm) and 13 (trixie) packages, and
setup: this system is '$1'. By hand, what is needed:
setup:   Bazel 4.2 or newer with WORKSPACE support, and its rule sets under
setup:     /usr/share/bazel (packages bazel-rules-cc, -java, -proto, -skylib,
setup:     -platforms), a C++17 compiler, gnuplot, git, curl
setup:   LibTorch 1.13 or newer: Debian's libtorch-dev, or any other whose
setup:     folder the environment variable LIBTORCH names
setup:   development files of Abseil, gflags, GoogleTest with gMock, Google
setup:     Benchmark, Highway 1.0.3 or newer with its sort, LEMON 1.3,
setup:     nlohmann-json 3 and zlib; OpenBLAS built with OpenMP
setup: then LIPSCHITZ_SKIP_SETUP=1 lets the other scripts go on without it.
TEXT
  exit 1
}

missing_packages() {
  local package
  for package in "${packages[@]}"; do
    case "$(dpkg-query --show --showformat='${Status}\n' "$package" 2>/dev/null)" in
      *' ok installed'*) ;;
      *) printf '%s\n' "$package" ;;
    esac
  done
}

# The package lists may be partly out of reach; what matters is the installation.
apt_install() {
  local apt=(env DEBIAN_FRONTEND=noninteractive
    apt-get -qq -o DPkg::Lock::Timeout=600)
  as_root "${apt[@]}" update || echo "the package lists could not be updated"
  as_root "${apt[@]}" install -y --no-install-recommends "$@"
}

install_missing() {
  local missing log
  mapfile -t missing < <(missing_packages)
  [ "${#missing[@]}" = 0 ] && return
  say "installing ${missing[*]}"
  can_be_root || fail "that needs root: run tools/setup.sh as root, or install sudo"
  log=$(mktemp) || fail "cannot write to ${TMPDIR:-/tmp}"
  if ! apt_install "${missing[@]}" </dev/null >"$log" 2>&1; then
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
  local libraries link wanted
  libraries=/usr/lib/$(/usr/bin/gcc -print-multiarch)
  [ -e "$libraries/openblas-openmp/libblas.so.3" ] ||
    fail "$libraries/openblas-openmp/libblas.so.3 is not there, although libopenblas0-openmp is installed"
  for link in libblas.so.3 liblapack.so.3 libopenblas.so.0; do
    wanted=$libraries/openblas-openmp/$link
    [ -e "$wanted" ] || continue
    [ "$(readlink -f "$libraries/$link")" = "$(readlink -f "$wanted")" ] && continue
    say "choosing $wanted"
    can_be_root || fail "that needs root: run tools/setup.sh as root, or install sudo"
    as_root update-alternatives --set "$link-$(basename "$libraries")" "$wanted" >/dev/null
  done
  [ "$(readlink -f "$libraries/libblas.so.3")" = "$(readlink -f "$libraries/openblas-openmp/libblas.so.3")" ] ||
    fail "libblas.so.3 is $(readlink -f "$libraries/libblas.so.3"), not OpenBLAS with OpenMP"
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
