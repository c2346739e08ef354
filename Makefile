# Every verb sets up what it needs by itself, once. `make help` lists them.

DATA ?= ./data
PYTHON ?=
ARGS ?=

# An option, if its variable was given: $(call given,--workers,WORKERS)
given = $(if $($(2)),$(1) "$($(2))")

BIN := .venv/bin
export PYTHON

.DEFAULT_GOAL := help
.PHONY: help setup render train doctor test lint types check wheel-check format clean ready-run ready-train ready-dev

help: ## list the verbs
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "  DATASET=demo  which dataset to work on     DATA=./data  where data lies"
	@echo "  ARGS='...'    more for the command itself  PYTHON=...   the Python to make .venv with"
	@echo
	@echo "  make render takes these too; all else by ARGS (scan2k render --help):"
	@echo "  SUBJECTS='00003 00010-00020'  whom alone    VIEWS='-30 0 30'        which yaws, in degrees"
	@echo "  PASSES='depth normal'         what to draw  WORKERS=8               how many processes, 0 = none"
	@echo "  CLUSTER=local|slurm|tcp://... where         PROFILE=slurm.toml      what to ask Slurm for"
	@echo "  FORCE=1                       all again     ARGS=--dry-run          only say what is to do"
	@echo
	@echo "  make train takes these too; all else by ARGS (scan2k train --help):"
	@echo "  DATASET='2K2K:0.8 RP:0.2'     several       OUT=runs/NAME           the run's folder"
	@echo "  PRESET=paper|default|small|tiny             PHASE=1|2|both          EPOCHS=10"

setup: ready-dev ## make .venv with everything a developer needs

render: ready-run ## make what is not up to date: make render DATASET=demo
	@$(if $(DATASET),,echo "scan2k: name the dataset: make render DATASET=demo" >&2; exit 2)
	@$(BIN)/scan2k render "$(DATASET)" --data "$(DATA)" \
		$(call given,--subjects,SUBJECTS) $(call given,--yaws,VIEWS) $(call given,--passes,PASSES) \
		$(call given,--workers,WORKERS) $(call given,--cluster,CLUSTER) $(call given,--profile,PROFILE) \
		$(if $(filter-out 0,$(FORCE)),--force) $(ARGS)

train: ready-train ## learn from what is rendered, or go on: make train DATASET=demo
	@$(if $(DATASET),,echo "scan2k: name the dataset: make train DATASET=demo" >&2; exit 2)
	@$(BIN)/scan2k train --dataset "$(DATASET)" --data "$(DATA)" \
		$(call given,--preset,PRESET) $(call given,--phase,PHASE) $(call given,--epochs,EPOCHS) \
		$(call given,--out,OUT) $(ARGS)

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

ready-train:
	@tools/setup.sh train

ready-dev:
	@tools/setup.sh dev
