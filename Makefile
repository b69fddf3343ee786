# SPDX-License-Identifier: Apache-2.0
# Needs Python >= 3.11, make, a C++ compiler and a package index; everything else goes into .venv.
# `popspike doctor` says what is missing.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
WORKERS ?= auto

.PHONY: help install demo test lint format firmware clean

help: ## Show this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

install: $(STAMP) ## Create .venv and install pinned versions into it (quick when done before)

$(VENV)/.created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "error: Python >= 3.11 is needed, $(PYTHON) is $$($(PYTHON) -V 2>&1);" \
	       "name another with: make PYTHON=python3.12 ..." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade --constraint constraints.txt pip setuptools
	@touch $@

$(STAMP): $(VENV)/.created pyproject.toml constraints.txt
	PYTHONWARNINGS="ignore:Editable installation" \
	  $(BIN)/python -m pip install --quiet --progress-bar on --constraint constraints.txt \
	  --no-build-isolation --group dev --editable '.[all]'
	@echo "first start of the synthesis tools (they compile themselves once) ..."
	$(BIN)/popspike doctor
	@touch $@

demo: install ## Train nothing, prove, build, load and classify: ends in one table
	@$(BIN)/popspike demo

lint: install ## ruff (lint and format) and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: install lint ## lint and all tests
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

format: install ## Let ruff rewrite what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

firmware: install ## Compile the C driver with every compiler that is there; print its size
	@$(BIN)/python -m firmware.c_driver

clean: ## Remove what builds and runs leave behind, .venv too
	rm -rf $(VENV) build runs .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info
