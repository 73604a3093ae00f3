# Everything that is done with this project has a target here; `make` lists them.
SHELL := /bin/sh
.DEFAULT_GOAL := help
VENV := .venv
BIN := $(VENV)/bin
PYTHON ?=

# A run needs less than a check: each has its own list of pinned packages, and is set up again when that list changes.
RUN_READY := $(VENV)/.ready-to-run
DEV_READY := $(VENV)/.ready-to-develop
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-input

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: run
run: $(RUN_READY) ## start everything on this machine: PostgreSQL, Kafka, the services, a mailbox; Ctrl-C stops it
	@exec $(BIN)/redress run

.PHONY: down
down: $(RUN_READY) ## stop what `make run` started in this folder, from another terminal
	@$(BIN)/redress down

.PHONY: feed
feed: $(RUN_READY) ## send the sample data to the running system
	@$(BIN)/redress feed

.PHONY: test
test: $(DEV_READY) ## all tests, on real servers
	$(BIN)/pytest

.PHONY: unit
unit: $(DEV_READY) ## the tests of the pure core; takes seconds
	$(BIN)/pytest --numprocesses auto --hypothesis-profile quick tests/domain tests/history

.PHONY: check
check: $(DEV_READY) ## formatting, lint, types and import rules; changes no file
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

.PHONY: fmt
fmt: $(DEV_READY) ## put the code into its format
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .

.PHONY: bench
bench: $(DEV_READY) ## the figures, as JSON lines
	@$(BIN)/python -m bench

.PHONY: lock
lock: $(DEV_READY) ## pin the packages anew, within what pyproject.toml asks for; UPGRADE=1 takes the newest
	$(LOCK) --extra build --output-file requirements.lock pyproject.toml
	$(LOCK) --extra dev --constraints requirements.lock --output-file requirements-dev.lock pyproject.toml

LOCK = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate $(if $(UPGRADE),--upgrade)

.PHONY: clean
clean: ## remove the environment, the local data and every cache of this folder
	@if [ -x $(BIN)/redress ]; then $(BIN)/redress down || exit 1; fi
	rm -rf $(VENV) .redress .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache .schemathesis build dist
	find shared services deploy tests bench -name __pycache__ -type d -prune -exec rm -rf {} +

$(RUN_READY): requirements.lock pyproject.toml | $(VENV)
	@echo 'Installing what a run needs (once) …'
	@$(PIP) --require-hashes --no-deps -r requirements.lock
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

$(DEV_READY): requirements-dev.lock pyproject.toml | $(VENV)
	@echo 'Installing what tests and checks need (once) …'
	@$(PIP) --require-hashes --no-deps -r requirements-dev.lock
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@ $(RUN_READY)

$(VENV):
	@for python in $(PYTHON) python3 python3.13 python3.12 python3.11; do \
	    $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
	    found=$$python; \
	    $$python -c 'import ensurepip, venv' 2>/dev/null || continue; \
	    $$python -m venv $(VENV) && exit 0; \
	    rm -rf $(VENV); exit 1; \
	done; \
	if [ "$$found" ]; then \
	    echo "$$found has no venv module: install it (on Debian and Ubuntu: apt-get install python3-venv)" >&2; \
	else \
	    echo 'Python 3.11 or newer is needed and none was found; name one: make PYTHON=python3.12 …' >&2; \
	fi; exit 1
