# The commands of the README. Everything is installed into .venv and node_modules; nothing else on the machine changes.
PYTHON ?= python3
PORT ?= 8501
BIN := .venv/bin

.PHONY: help env env-dev demo demo-data app test check bundle clean

help:
	@echo "make demo    write a simulated cohort, embed it, open the app on it (http://localhost:$(PORT))"
	@echo "make app     open the app without data"
	@echo "make test    lint, types, import contract and all tests, of Python and JavaScript"
	@echo "make bundle  write what the browser is sent from the JavaScript in dashboard/components"

env:
	@sh scripts/environment.sh requirements.txt $(PYTHON)

env-dev:
	@sh scripts/environment.sh requirements-dev.txt $(PYTHON)

demo-data: env
	@$(BIN)/python -m embeddings demo --out demo

demo: demo-data
	@$(BIN)/streamlit run dashboard/app.py --server.port $(PORT) -- --cohort demo/demo.duckdb

app: env
	@$(BIN)/streamlit run dashboard/app.py --server.port $(PORT)

check: env-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	@sh scripts/browser_code.sh

bundle:
	@sh scripts/browser_code.sh bundle

test: check
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal

clean:
	rm -rf .venv node_modules demo .mypy_cache .pytest_cache .ruff_cache
