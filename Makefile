# Each target sets up what it needs. The environment is .venv, made from requirements.txt (pinned, hashed).
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
SUBJECT ?= house

.PHONY: demo test lint bench tables notebooks acceptance fuzz clean

demo: $(READY)
	$(BIN)/cocal simulate work/demo
	$(BIN)/cocal run configs/demo.yaml

test: $(READY)
	$(BIN)/python -m pytest -n auto --dist loadfile -m "not slow and not network"

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/vulture

tables: $(READY)
	$(BIN)/python -m benchmarks.tables

bench: $(READY)
	$(BIN)/python -m benchmarks.run

notebooks: $(READY)
	$(BIN)/python -m pytest --nbmake notebooks

acceptance: $(READY)
	$(BIN)/python -m tests.acceptance $(SUBJECT)

fuzz: $(READY)
	$(BIN)/python -m tests.fuzz

clean:
	rm -rf $(VENV) work runs .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage

$(READY): requirements.txt pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@
