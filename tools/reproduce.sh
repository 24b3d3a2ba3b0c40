#!/usr/bin/env bash
# Sets the machine up, runs every experiment in the quick preset with three
# seeds, and makes every table and figure. Run again, it goes on where it
# stopped. Arguments go to the program: tools/reproduce.sh --preset=paper
set -euo pipefail
cd "$(dirname "$0")/.."

tools/setup.sh
exec bazel run --noshow_progress --ui_event_filters=-info \
  //experiments:reproduce -- "$@"
