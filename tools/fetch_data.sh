#!/usr/bin/env bash
# Downloads a dataset into DIR/mnist, DIR/fashion-mnist or DIR/cifar10, where the
# experiments look for it; DIR is data/ of the checkout unless given.
#
#   tools/fetch_data.sh mnist|fashion_mnist|cifar10 [--mirror=URL]... [--to=DIR]
#                       [--sums=FILE]
#
# --mirror  the folder on the web that holds the files under their published
#           names, in place of the published mirrors; may be given several times,
#           tried in order
# --sums    the expected SHA-256 sums, in place of tools/datasets.sha256
#
# A file gets its name only when its sum is right; until then it is NAME.part,
# and a download that broke goes on from there. Files that are there and right
# are left alone.
# Exit status: 0 everything is there, 1 something could not be had, 2 bad usage.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
to=$here/../data
sums=$here/datasets.sha256
mirrors=()
set_name=

say() { printf 'fetch_data: %s\n' "$*" >&2; }

fail() {
  say "$*"
  exit 1
}

bad_usage() {
  say "$*"
  say "usage: tools/fetch_data.sh mnist|fashion_mnist|cifar10 [--mirror=URL]... [--to=DIR] [--sums=FILE]"
  exit 2
}

for argument in "$@"; do
  case "$argument" in
    --mirror=http://* | --mirror=https://*) mirrors+=("${argument#--mirror=}") ;;
    --mirror=*) bad_usage "${argument#--mirror=} is not an http:// or https:// address" ;;
    --to=?*) to=${argument#--to=} ;;
    --sums=?*) sums=${argument#--sums=} ;;
    -*) bad_usage "unknown option $argument" ;;
    *)
      [ -z "$set_name" ] || bad_usage "one dataset at a time"
      set_name=$argument
      ;;
  esac
done

archive= # where the files come packed in one
case "$set_name" in
  mnist)
    folder=mnist
    published=(
      https://ossci-datasets.s3.amazonaws.com/mnist
      https://storage.googleapis.com/cvdf-datasets/mnist
    )
    ;;
  fashion_mnist)
    folder=fashion-mnist
    published=(
      http://fashion-mnist.s3-website.eu-central-1.amazonaws.com
      https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion
    )
    ;;
  cifar10)
    folder=cifar10
    archive=cifar-10-binary.tar.gz
    published=(
      https://www.cs.toronto.edu/~kriz
      https://cave.cs.toronto.edu/kriz
    )
    ;;
  '') bad_usage "which dataset?" ;;
  *) bad_usage "unknown dataset '$set_name'" ;;
esac
[ "${#mirrors[@]}" != 0 ] || mirrors=("${published[@]}")

[ -r "$sums" ] || fail "cannot read the checksums in $sums"
# Names of the set's files, the archive not among them.
mapfile -t files < <(sed -n "s|^[0-9a-f]\{64\}  $folder/||p" "$sums" |
  grep -vxF -- "$archive" || true)
[ "${#files[@]}" != 0 ] || fail "$sums has no checksum of a file in $folder/"
command -v curl >/dev/null || fail "needs curl (tools/setup.sh installs it)"

# Whether the file $1 has the sum of $2 in $folder.
is_right() {
  local expected actual
  expected=$(sed -n "s|^\([0-9a-f]\{64\}\)  $folder/$2\$|\1|p" "$sums")
  [ -n "$expected" ] || fail "$sums has no checksum of $folder/$2"
  [ -f "$1" ] || return 1
  actual=$(sha256sum <"$1")
  [ "${actual%% *}" = "$expected" ]
}

size_of() { if [ -e "$1" ]; then stat -c %s "$1"; else echo 0; fi; }

# Asks the address $1 for what is missing of the file $2; curl's exit status.
download() {
  curl --fail --location --silent --show-error --proto '=http,https' \
    --connect-timeout 20 --speed-limit 1000 --speed-time 60 \
    --continue-at - --output "$2" "$1" 2>"$reason"
}

# Gets the file $2 from the mirror $1 as $3. On failure says why; what is left of
# $3 can be continued.
from_mirror() {
  local url=${1%/}/$2 part=$3 had status=0
  had=$(size_of "$part")
  [ "$had" = 0 ] || say "going on with $url after $had bytes"
  [ "$had" != 0 ] || say "downloading $url"
  download "$url" "$part" || status=$?
  if [ "$status" = 0 ] && is_right "$part" "$2"; then return 0; fi
  # What was there may be of another file, or the server cannot go on (33), or
  # has nothing after it (22, with 416 for its status).
  if [ "$had" != 0 ] && { [ "$status" = 0 ] || [ "$status" = 33 ] ||
    { [ "$status" = 22 ] && grep -q 416 "$reason"; }; }; then
    say "that does not fit the $had bytes that were there; downloading all of it"
    rm -f "$part"
    status=0
    download "$url" "$part" || status=$?
    if [ "$status" = 0 ] && is_right "$part" "$2"; then return 0; fi
  fi
  case "$status" in
    0)
      say "$url has the wrong checksum ($(size_of "$part") bytes); discarded"
      rm -f "$part"
      ;;
    18) say "$url broke off after $(size_of "$part") bytes" ;;
    *) say "$url could not be had: $(head -n 1 "$reason")" ;;
  esac
  return 1
}

# mv would put the file into it.
expect_no_folder() {
  [ ! -d "$1" ] || fail "$1 is a folder; move it away"
}

# Has $1 in the folder of the set, with the right sum, or ends the script.
fetch() {
  local name=$1 part=$target/$1.part mirror
  if [ "$name" != "${name%.gz}" ] && [ -e "$target/${name%.gz}" ]; then
    say "$target/${name%.gz} is there, too, and is what programs read; if it is damaged, remove it"
  fi
  if is_right "$target/$name" "$name"; then
    say "$target/$name is there already"
    return
  fi
  expect_no_folder "$target/$name"
  if [ -e "$target/$name" ]; then
    say "$target/$name is there, but its checksum is wrong: it will be replaced"
  fi
  # Everything may have come before a run was interrupted.
  if is_right "$part" "$name"; then
    mv -f "$part" "$target/$name"
    return
  fi
  for mirror in "${mirrors[@]}"; do
    if from_mirror "$mirror" "$name" "$part"; then
      mv -f "$part" "$target/$name"
      say "$target/$name: checksum right"
      return
    fi
  done
  if [ -e "$part" ]; then
    say "run it again to go on after the $(size_of "$part") bytes of $part"
  fi
  fail "no mirror has $name; --mirror=URL names another, or put the file into $target by hand"
}

# Unpacks the archive's files; each gets its name only when it is right.
unpack() {
  local name unpacked=$target/unpacked.part
  rm -rf "$unpacked"
  mkdir "$unpacked"
  tar -xzf "$target/$archive" -C "$unpacked" --strip-components=1 \
    --no-same-owner || fail "$target/$archive cannot be unpacked; the reason is above"
  for name in "${files[@]}"; do
    is_right "$unpacked/$name" "$name" ||
      fail "$name in $target/$archive has the wrong checksum, or is not there"
  done
  for name in "${files[@]}"; do mv -f "$unpacked/$name" "$target/$name"; done
  rm -rf "$unpacked" "${target:?}/$archive"
  say "unpacked ${files[*]} into $target; checksums right"
}

target=$to/$folder
mkdir -p "$target" || fail "cannot create $target"
target=$(cd "$target" && pwd)
reason=$(mktemp) || fail "cannot write to ${TMPDIR:-/tmp}"
trap 'rm -f "$reason"' EXIT

if [ -z "$archive" ]; then
  for file in "${files[@]}"; do fetch "$file"; done
  exit
fi
missing=0
for file in "${files[@]}"; do
  expect_no_folder "$target/$file"
  is_right "$target/$file" "$file" || missing=$((missing + 1))
done
if [ "$missing" = 0 ]; then
  say "$target has every file already"
  exit
fi
fetch "$archive"
unpack
