#!/usr/bin/env bash
# Sets the machine up, runs every test, and ends with "N passed, N failed".
# Arguments go to `bazel test`: tools/test.sh --config=asan
set -uo pipefail
cd "$(dirname "$0")/.."

tools/setup.sh || exit 1

log=$(mktemp)
trap 'rm -f "$log"' EXIT
bazel test "$@" //... 2>&1 | tee "$log"
status=${PIPESTATUS[0]}

# Bazel's own lines about every test target: "//tests:x  PASSED in 1.2s".
passed=$(grep -cE '^//[^ ]+ +(\(cached\) )?PASSED' "$log")
failed=$(grep -cE '^//[^ ]+ +(FAILED|TIMEOUT|FLAKY|NO STATUS|INCOMPLETE)' "$log")
# A test that does not build is not listed, and a run of no test proves nothing.
if [ "$status" != 0 ] && [ "$failed" = 0 ]; then failed=1; fi
if [ "$passed" = 0 ] && [ "$failed" = 0 ]; then failed=1 status=1; fi
echo "$passed passed, $failed failed"
exit "$status"
