# Everything runs in .venv, which is made on the first call and brought up to date when what it holds is stale.
# `make` lists the targets.

PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo "$$python"; break; }; done)
PYTEST_ARGS ?=
WORKERS ?= 2
ROUNDS ?= 10

BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
PYTEST := $(BIN)/python -m pytest --numprocesses $(WORKERS) --dist worksteal
# Pinned build tools in .venv itself: no isolated build environment per package, which takes longer and is not pinned.
TOOLS := pip hatchling editables
EDITABLE := $(INSTALL) --no-build-isolation
PLUGINS := -e 'plugins/email[simulator]' -e plugins/shopify -e plugins/logistics -e plugins/amazon -e plugins/ebay
RECIPE := pyproject.toml constraints.txt $(wildcard plugins/*/pyproject.toml)

.PHONY: help demo test lint types bench weights soak clean
.DEFAULT_GOAL := help

help: ## List the targets.
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 16

demo: .venv/.ready ## Set up, and show the whole way of a message on local simulators; needs no account.
	@$(BIN)/aftersail demo

test: .venv/.ready-to-develop ## Set up, and run every test; PYTEST_ARGS='-k refund -x' for some, WORKERS=8 for more at once.
	@$(PYTEST) $(PYTEST_ARGS)

lint: .venv/.ready-to-develop ## Check style, formatting and the direction of imports.
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports

types: .venv/.ready-to-develop ## Check types.
	@$(BIN)/mypy

bench: .venv/.ready-to-develop ## Measure against floors in the same run; writes benchmarks/results.jsonl.
	@$(BIN)/python benchmarks/run.py

weights: .venv/.ready-to-develop ## Fit what triage learned to training/triage, after its messages or the phrase packs changed.
	@$(INSTALL) --group training
	@$(BIN)/python training/fit.py
	@$(BIN)/python training/fit_semantic.py

soak: .venv/.ready-to-develop ## Run every test ROUNDS times (10), each in another order on other cases, with more faults.
	@round=1; while [ $$round -le $(ROUNDS) ]; do echo "round $$round of $(ROUNDS)"; \
		FAULT_SEEDS=4 FAULT_KILLS=20 HYPOTHESIS_PROFILE=dev $(PYTEST) $(PYTEST_ARGS) || exit 1; round=$$((round + 1)); done

clean: ## Remove .venv and what tools have left behind.
	@rm -rf .venv aftersail-demo build dist benchmarks/results.jsonl .pytest_cache .mypy_cache .ruff_cache .hypothesis \
		.import_linter_cache
	@find aftersail plugins tests benchmarks training -name __pycache__ -prune -exec rm -rf {} +

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "aftersail needs Python 3.11 or newer; name one: make PYTHON=/path/to/python3.12" >&2; exit 1; }
	@echo "making .venv with $$("$(PYTHON)" --version)"
	@"$(PYTHON)" -m venv .venv || { rm -rf .venv; \
		echo "this Python cannot make a virtual environment; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }

.venv/.ready: .venv/bin/python $(RECIPE)
	@echo "installing aftersail[desk] and its plugins into .venv"
	@$(INSTALL) $(TOOLS)
	@$(EDITABLE) -e '.[desk]' $(PLUGINS)
	@touch $@

.venv/.ready-to-develop: .venv/bin/python $(RECIPE)
	@echo "installing aftersail, its plugins and the development tools into .venv"
	@$(INSTALL) $(TOOLS)
	@$(EDITABLE) -e '.[desk,mail,testing]' $(PLUGINS) --group dev
	@touch .venv/.ready $@
