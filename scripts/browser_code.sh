#!/bin/sh
# Check the JavaScript of the app: types, lint, unit tests. npm packages are installed once for each package-lock.json.
# Usage: scripts/browser_code.sh [bundle]   with "bundle": write what the browser is sent from its sources instead
set -eu
oldest=20

version=$(node --version 2>/dev/null || true)
major=${version#v}
major=${major%%.*}
if [ "${major:-0}" -lt $oldest ] || ! command -v npm >/dev/null 2>&1; then
    echo "JavaScript not checked: node $oldest or newer with npm is needed (node found: ${version:-none})."
    [ $# -eq 0 ] # Without node nothing can be bundled.
    exit
fi
stamp=node_modules/installed-package-lock
wanted=$(cksum <package-lock.json)
if [ "$(cat "$stamp" 2>/dev/null || true)" != "$wanted" ]; then
    echo "Installing package-lock.json into node_modules ..."
    if npm ci --ignore-scripts --no-audit --no-fund --loglevel=error; then
        echo "$wanted" >"$stamp"
    else
        echo "JavaScript: types and lint not checked, because npm could not install package-lock.json."
        [ $# -eq 0 ]
        npm run --silent test
        exit
    fi
fi
if [ $# -gt 0 ]; then
    npm run --silent "$1"
    exit
fi
npm run --silent types
npm run --silent lint
npm run --silent test
