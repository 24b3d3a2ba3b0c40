#!/usr/bin/env bash
# Fails, and names the line, where a folder of lipschitz/ includes from one that
# comes after it, or the library from an experiment.
set -euo pipefail
cd "$(dirname "$0")/.."

# Bottom up; a folder includes from itself and from those before it.
folders=(base linalg activations layers models losses optim data training certify transport attacks diagnostics)
status=0
allowed=
for folder in "${folders[@]}"; do
  allowed="${allowed:+$allowed|}$folder"
  if grep -rnE '#include "' "lipschitz/$folder" --include='*.h' --include='*.cc' |
    grep -vE "#include \"lipschitz/($allowed)/|#include \"absl/"; then
    echo "check_layers: lipschitz/$folder may include only lipschitz/{${allowed//|/,}} and absl" >&2
    status=1
  fi
done
for folder in lipschitz/*/; do
  case " ${folders[*]} " in
    *" $(basename "$folder") "*) ;;
    *)
      echo "check_layers: $folder has no place in the order of tools/check_layers.sh" >&2
      status=1
      ;;
  esac
done
exit "$status"
