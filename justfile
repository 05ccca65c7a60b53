# Recipes of everyday work. `just` itself installs with `pip install rust-just`.

python := if os_family() == "windows" { ".venv/Scripts/python" } else { ".venv/bin/python" }

# list the recipes
default:
    @just --list

# make the virtual environment and install trainlint with its tools
setup:
    python3 -m venv .venv
    {{ python }} -m pip install -q -e '.[dev]'

# run the tests of one rule: just t grad-not-cleared (without the two plugins it starts in half the time)
t id *options:
    {{ python }} -m pytest -p no:pytest-lsp -p no:hypothesispytest tests/rules -k {{ replace(id, "-", "_") }} {{ options }}

# rewrite the snapshots of the rules' messages
bless *options:
    {{ python }} -m pytest tests/rules --bless {{ options }}

# start a rule: just new-rule grad-not-cleared loop
new-rule id family:
    {{ python }} tools/new_rule.py {{ id }} {{ family }}

# rewrite what is generated: docs/rules, the table of the README
gen:
    {{ python }} tools/gen_docs.py

# format the code
fmt:
    {{ python }} -m ruff format .
    {{ python }} -m ruff check --fix-only .

# lint the code, trainlint's own findings included
lint:
    {{ python }} -m ruff check .
    {{ python }} -m ruff format --check .
    {{ python }} -m trainlint check trainlint tools

# check the types
types:
    {{ python }} -m mypy

# run all tests; the linters and the type checker are among them
test *options:
    {{ python }} -m pytest {{ options }}

# the VS Code extension in a real workbench, with screenshots (needs node 20 and Debian's chromium; the first run installs)
e2e-vscode:
    cd editors/vscode && npm install --ignore-scripts --no-audit --no-fund && npm run package && bash e2e/run.sh

# everything that a pull request needs
ready: fmt gen lint types test
