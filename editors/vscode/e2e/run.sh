#!/usr/bin/env bash
# The flow of flow.mjs in both themes, each with one retry. Installs the workbench on the first run (3 minutes).
set -euo pipefail
cd "$(dirname "$0")"
cache=${TRAINLINT_VSCODE:-$PWD/.cache}
[ -e "$cache/ready" ] || bash setup.sh "$cache"
[ -e ../trainlint.vsix ] || (cd .. && npm run package)
for theme in light dark; do
  echo "$theme"
  node flow.mjs "$theme" || { echo "once more"; node flow.mjs "$theme"; }
done
