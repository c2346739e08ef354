# Every verb sets up what it needs by itself, once. `make help` lists them.

DATA ?= ./data
PYTHON ?=
ARGS ?=

BIN := .venv/bin
export PYTHON

.DEFAULT_GOAL := help
.PHONY: help setup render doctor test lint types check wheel-check format clean ready-run ready-dev

help: ## list the verbs
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "  DATASET=demo  which dataset to render      DATA=./data  where data lies"
	@echo "  ARGS='...'    more for the command itself  PYTHON=...   the Python to make .venv with"

setup: ready-dev ## make .venv with everything a developer needs

render: ready-run ## build a dataset's images: make render DATASET=demo
	@$(if $(DATASET),,echo "scan2k: name the dataset: make render DATASET=demo" >&2; exit 2)
	@$(BIN)/scan2k render "$(DATASET)" --data "$(DATA)" $(ARGS)

doctor: ready-run ## say what this machine can do, and what is missing
	@$(BIN)/scan2k doctor --data "$(DATA)" $(ARGS)

test: ready-dev ## run the tests: make test ARGS='-k camera'
	@$(BIN)/python -m pytest $(ARGS)

lint: ready-dev ## judge style and layout (ruff)
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check

types: ready-dev ## judge the types (mypy, strict)
	@$(BIN)/mypy

wheel-check: ready-dev ## build a wheel and render the demo with it, far from the checkout
	@tools/wheel_check.sh

check: lint types wheel-check ## all of the above and the tests: what CI runs
	@$(MAKE) --no-print-directory test

format: ready-dev ## put the code into the house style
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

clean: ## remove caches and builds; .venv and data stay
	@rm -rf build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	@find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +

ready-run:
	@tools/setup.sh run

ready-dev:
	@tools/setup.sh dev
