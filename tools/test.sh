#!/usr/bin/env bash
# Sets the machine up, runs every test, and ends with "N passed, N failed".
# Arguments go to `bazel test`: tools/test.sh --config=asan
set -uo pipefail

give_up() {
  echo "0 passed, 1 failed"
  exit 1
}

cd "$(dirname "$0")/.." || give_up
tools/setup.sh || give_up
log=$(mktemp) || give_up
trap 'rm -f "$log"' EXIT

bazel test "$@" --color=no --test_summary=short //... 2>&1 | tee "$log"
status=${PIPESTATUS[0]}

# Bazel's own lines about every test target: "//tests:x  PASSED in 1.2s".
passed=$(grep -cE '^//[^ ]+ +(\(cached\) )?(PASSED|FLAKY)' "$log")
failed=$(grep -cE '^//[^ ]+ +(FAILED|TIMEOUT|INCOMPLETE)' "$log")
not_run=$(grep -cE '^//[^ ]+ +NO STATUS' "$log")
[ "$not_run" = 0 ] || echo "$not_run tests were not run, because something did not build"
# A build that fails may list no test, and a run of no test proves nothing.
if [ "$status" != 0 ] && [ "$failed" = 0 ]; then failed=1; fi
if [ "$passed" = 0 ] && [ "$failed" = 0 ]; then failed=1; fi
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
