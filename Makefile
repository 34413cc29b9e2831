# Everything that a contributor and the CI call. `make run` and `make test` need Python 3.11
# or later and nothing else; the tests of other languages' programs need their toolchains.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
LOWEST := build/lowest
FLYTEIDL2 := build/flyteidl2-2.0.42

.PHONY: run test lint types unit versions fuzz generate version bench clean

run: $(VENV)/.installed  ## Show two sidecars over one store
	$(BIN)/flyte-sidecar demo

test: lint types unit versions  ## Everything that must hold

lint: $(VENV)/.dev
	$(BIN)/ruff check --output-format concise .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev
	$(BIN)/mypy

unit: $(VENV)/.dev
	$(BIN)/pytest --numprocesses auto

ROUNDS ?= 100

fuzz: $(VENV)/.dev  ## Run ROUNDS rounds of each fuzzer on inputs that were never tried
	FUZZ_ROUNDS=$(ROUNDS) FUZZ_SEED=$$($(BIN)/python -c 'import time; print(time.time_ns())') \
	  $(BIN)/pytest -q --numprocesses auto tests/fuzz

# Left out is what takes long and depends on no version: properties, and the older releases of the
# backend, which differ in what the model of it does.
PICKED := -m 'not hypothesis' -k 'not 2.0.28 and not 2.0.30 and not local'
FLYTE_SUITES := tests/backends/flyte tests/contract tests/fake_runservice

versions: $(LOWEST)/.dev $(FLYTEIDL2)  ## The Flyte suites beside other versions of dependencies
	$(LOWEST)/bin/pytest --numprocesses auto $(PICKED) $(FLYTE_SUITES) \
	  tests/schema tests/cli/test_command.py tests/test_environment.py
	PYTHONPATH=$(CURDIR)/$(FLYTEIDL2) $(BIN)/pytest --numprocesses auto $(PICKED) $(FLYTE_SUITES)

generate: $(VENV)/.dev  ## Make anew what is made of the code: schemas/, and of these the clients
	$(BIN)/python -m flyte_sidecar.schema schemas
	$(BIN)/python -m tests.transcript_recorder
	$(BIN)/python -m clients.generate

version: $(VENV)/.dev  ## Set the version of the package and the clients: make version VERSION=0.2.0
	$(BIN)/hatchling version $(VERSION)
	$(MAKE) generate

bench: $(VENV)/.dev  ## Measure against peers, side by side
	$(BIN)/python -m benchmarks

clean:
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis

$(VENV)/.python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	  { echo "Python 3.11 or later is needed: set PYTHON to one (PYTHON=$(PYTHON) is not)"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
	  { echo "the venv module is needed (Debian: apt-get install python3-venv)"; exit 1; }
	@touch $@

$(VENV)/.installed: $(VENV)/.python pyproject.toml
	$(BIN)/pip install --quiet --disable-pip-version-check --editable .
	@touch $@

# pip learned to read dependency groups in 25.1.
$(VENV)/.dev: $(VENV)/.installed
	$(BIN)/pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	$(BIN)/pip install --quiet --disable-pip-version-check --group dev
	@touch $@

# The lowest versions that pyproject.toml declares, flyteidl2 2.0.20 among them.
$(LOWEST)/.dev: $(VENV)/.dev pyproject.toml
	$(BIN)/python -m venv $(LOWEST)
	sed -n '/^dependencies/,/^]/s/^ *"\(.*\)>=\(.*\)",/\1==\2/p' pyproject.toml >$(LOWEST)/versions
	$(LOWEST)/bin/pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	$(LOWEST)/bin/pip install --quiet --disable-pip-version-check \
	  --constraint $(LOWEST)/versions --editable . --group dev
	@touch $@

# A release between the lowest and the newest.
$(FLYTEIDL2): $(VENV)/.dev
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps \
	  --target $@ $(subst -,==,$(notdir $@))
