# Entry points for contributors and CI. Python 3.11 or later is enough for `make run` and
# `make test`; tests of other languages' clients are skipped if their toolchains are missing.

PYTHON ?= python3
VENV := .venv
SCRIPTS := $(if $(filter Windows_NT,$(OS)),Scripts,bin)
BIN := $(VENV)/$(SCRIPTS)
PIP_INSTALL := python -m pip install --quiet --disable-pip-version-check
LOCKED := --no-deps --require-hashes --requirement
COMPILE := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
  --no-emit-index-url --custom-compile-command 'make lock'
GROUPS := dev docs editors
PYTEST := pytest --numprocesses auto --dist worksteal
LOWEST := build/lowest
MIDDLE := build/middle

# The tests start many processes: without bytecode, each compiles the same modules again. They also
# start tools that must not take part in `make --jobs`.
unexport PYTHONDONTWRITEBYTECODE MAKEFLAGS

.DEFAULT_GOAL := help
.PHONY: help run test lint format hooks types unit dist test-wheel packages relocatable-python \
  bundle test-versions versions lowest middle environments coverage fuzz \
  generate lock pictures version docs docs-serve release-check bench conformance-results clean

help:  ## List the targets
	@awk -F ':.*## *' '/^[a-z-]+:.*##/ {printf "%-19s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(VENV)/.installed  ## Run a demo: two sidecars on one store
	$(BIN)/flyte-sidecar demo

test: lint types unit  ## Run all checks: lint, types, unit

lint: $(VENV)/.dev  ## Check style and format with ruff, and the workflows with zizmor
	$(BIN)/ruff check --output-format concise .
	$(BIN)/ruff format --check .
	$(BIN)/zizmor --offline --quiet --persona pedantic .github

format: $(VENV)/.dev  ## Mend style and format with ruff
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

hooks: $(VENV)/.dev  ## Check each commit before it is made
	$(BIN)/pre-commit install

types: $(VENV)/.dev  ## Check types with mypy, also as on macOS and Windows
	$(BIN)/mypy
	$(BIN)/mypy --platform darwin --no-warn-unreachable --cache-dir .mypy_cache/darwin
	$(BIN)/mypy --platform win32 --no-warn-unreachable --cache-dir .mypy_cache/win32

SELECTED ?= not versions
TESTS ?= tests

unit: $(VENV)/.dev  ## Run the tests, including those of the clients: make unit TESTS=tests/rpc
	$(BIN)/$(PYTEST) -m "$(SELECTED)" $(TESTS)

WHEEL ?= build/wheel

dist: $(VENV)/.dev  ## Build the wheel and the sdist into dist/
	rm -rf dist
	$(BIN)/hatchling build --directory dist

# The tests come from the sdist, and the package from the wheel. WHEEL is the folder for both. In CI,
# another job has built dist/.
test-wheel: $(if $(wildcard dist/*.whl),,dist)  ## Run the tests against the wheel in dist/: make test-wheel TESTS=tests/rpc
	rm -rf $(WHEEL)
	mkdir -p $(WHEEL)
	tar -xzf dist/*.tar.gz -C $(WHEEL) --strip-components 1
	$(PYTHON) -m venv $(WHEEL)/$(VENV)
	$(WHEEL)/$(BIN)/$(PIP_INSTALL) $(LOCKED) requirements/dev.txt
	$(WHEEL)/$(BIN)/$(PIP_INSTALL) --no-deps dist/*.whl
	cd $(WHEEL) && $(BIN)/python -c 'import flyte_sidecar as f; assert "site-packages" in f.__file__, f'
	cd $(WHEEL) && $(BIN)/$(PYTEST) -m "$(SELECTED)" $(TESTS)

PACKAGES := build/packages
EXTENSION := cd clients/vscode && npm ci --ignore-scripts && npm run package -- --out ../../$(PACKAGES)/

packages: $(VENV)/.dev  ## Build the npm package of the client, and the extension without a bundle
	rm -rf $(PACKAGES)
	mkdir -p $(PACKAGES)
	cd clients/typescript && npm ci
	$(BIN)/python -m bundles client $(PACKAGES)
	$(EXTENSION)flyte-sidecar.vsix

# A Python that can be copied to other machines. Its hash is part of uv.
RELOCATABLE := 3.13.18
UV_PYTHON := UV_PYTHON_INSTALL_DIR=build/python $(BIN)/uv python
PLATFORM ?= $(shell $(BIN)/python -c 'from bundles.platforms import this_platform as this; print(this().name)')
BUNDLED := clients/vscode/bundled
# The search of vsce for secrets takes more than ten minutes in the files of all packages.
UNSCANNED := --allow-package-all-secrets --allow-package-env-file

relocatable-python: $(VENV)/.dev
	$(UV_PYTHON) install --no-bin $(RELOCATABLE)

# For a release, build/licenses has the licenses of the libraries in this Python: see ci.yml.
ifeq ($(origin BUNDLE_SOURCES),undefined)
BUNDLE_SOURCES = --python "$$($(UV_PYTHON) find --managed-python $(RELOCATABLE))" \
  --licenses build/licenses
bundle: relocatable-python
endif

bundle: $(VENV)/.dev $(if $(wildcard dist/*.whl),,dist)  ## Build the npm package and the extension of this platform
	rm -rf $(PACKAGES) $(BUNDLED)
	mkdir -p $(PACKAGES)
	$(BIN)/python -m bundles platform $(PACKAGES) --wheel dist/*.whl $(BUNDLE_SOURCES)
	$(BIN)/python -m bundles folder $(BUNDLED) --wheel dist/*.whl $(BUNDLE_SOURCES)
	$(EXTENSION)flyte-sidecar-$(PLATFORM).vsix --target $(PLATFORM) $(UNSCANNED)
	rm -r $(BUNDLED)

test-versions: versions lowest middle  ## Test other releases of Flyte and versions of dependencies

versions: $(VENV)/.dev
	$(BIN)/$(PYTEST) -m versions

# With other versions, tests that take long and test none of the dependencies are left out. The
# contract makes the calls of all of them.
OTHER_VERSIONS := -m "not versions and not hypothesis" -k "not local and not timed" \
  --ignore tests/backends/flyte/auth --ignore tests/backends/flyte/config \
  $(addprefix --ignore tests/backends/flyte/test_,$(addsuffix .py, \
    fallback idle inbox informer latency limits listing lost_writes watching))
CONTRACT := tests/contract tests/fake_runservice
OTHER_WORKERS ?= auto
PYTEST_OTHER := $(PYTEST) --numprocesses $(OTHER_WORKERS)

lowest: $(LOWEST)/.dev
	$(LOWEST)/$(SCRIPTS)/$(PYTEST_OTHER) $(OTHER_VERSIONS) tests/backends/flyte $(CONTRACT) \
	  tests/schema tests/cli/test_command.py tests/cli/test_prompt_text.py tests/test_environment.py
	$(LOWEST)/$(SCRIPTS)/$(PYTEST_OTHER) -m "not hypothesis" tests/lsp/test_bridge.py tests/lsp/test_features.py \
	  tests/lsp/source tests/backends/flyte/auth/test_logins.py tests/backends/flyte/auth/test_login_store.py

middle: $(VENV)/.dev $(MIDDLE)
	PYTHONPATH=$(CURDIR)/$(MIDDLE) $(BIN)/$(PYTEST_OTHER) $(OTHER_VERSIONS) $(CONTRACT)

environments: $(VENV)/.dev $(LOWEST)/.dev $(MIDDLE)

coverage: $(VENV)/.dev  ## Run the tests and report the branches they miss; fails below 95%
	rm -rf build/coverage
	$(BIN)/coverage run -m $(PYTEST) --timeout 600 -m "not versions"
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

ROUNDS ?= 100

fuzz: $(VENV)/.dev  ## Run the fuzzers on new inputs: make fuzz ROUNDS=1000 (default: 100)
	FUZZ_ROUNDS=$(ROUNDS) FUZZ_SEED=$$($(BIN)/python -c 'import time; print(time.time_ns())') \
	  $(BIN)/$(PYTEST) -q tests/fuzz

generate: $(VENV)/.dev  ## Generate schemas/, the clients' types and completion from the code
	$(BIN)/python -m flyte_sidecar.schema schemas
	$(BIN)/python -m tests.transcript_recorder
	$(BIN)/python -m clients.generate
	$(BIN)/python -m shell_files

pictures: $(VENV)/.dev  ## Take the pictures of the documentation again, in real terminals
	$(BIN)/pytest -q tests/docs/pictures.py

# lowest.txt has the lowest versions that pyproject.toml allows, and middle.txt a release of
# flyteidl2 between the lowest and the newest. bundle.txt has what bundles/ installs.
lock: $(VENV)/.dev  ## Fit requirements/ to pyproject.toml; with UPGRADE=--upgrade, to the newest versions
	$(BIN)/$(COMPILE) $(UPGRADE) --all-extras $(addprefix --group ,$(GROUPS)) pyproject.toml \
	  --output-file requirements/dev.txt
	sed -nE '/^dependencies|^flyte = /,/^]/s/^ *"(.*)>=(.*)",/\1==\2/p' pyproject.toml | \
	  $(BIN)/$(COMPILE) $(UPGRADE) --extra flyte --group test --constraint - pyproject.toml \
	  --output-file requirements/lowest.txt
	echo 'flyteidl2==2.0.42' | $(BIN)/$(COMPILE) --no-deps - --output-file requirements/middle.txt
	$(BIN)/$(COMPILE) --all-extras --constraint requirements/dev.txt pyproject.toml \
	  --output-file requirements/bundle.txt

version: $(VENV)/.dev  ## Set the version of the package and the clients: make version VERSION=0.2.0
	$(BIN)/hatchling version $(VERSION)
	$(MAKE) generate

docs: $(VENV)/.dev  ## Build the documentation site into build/site
	$(BIN)/python -m docs_site

docs-serve: $(VENV)/.dev  ## Build the documentation site and serve it while pages change
	$(BIN)/python -m docs_site --serve

release-check:  ## Check versions and changelog; with TAG=v0.2.0, for a release
	$(PYTHON) -m release check $(if $(TAG),--tag $(TAG))

bench: $(VENV)/.dev  ## Run the benchmarks against other servers
	$(BIN)/python -m benchmarks

conformance-results: $(VENV)/.dev  ## Test other servers, and write the results into docs/conformance.md
	$(BIN)/python -m benchmarks.conformance

clean:  ## Delete what make and the tests have created
	rm -rf $(VENV) build dist clients/*/dist .cache .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find benchmarks clients docs_site tests -name node_modules -prune -exec rm -rf {} +

$(VENV)/.python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	  { echo "Python 3.11 or later is required, but PYTHON=$(PYTHON) is not"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
	  { echo "Python's venv module is required (Debian: apt-get install python3-venv)"; exit 1; }
	@touch $@

$(VENV)/.installed: $(VENV)/.python pyproject.toml
	$(BIN)/$(PIP_INSTALL) --editable .
	@touch $@

EDITABLE := --no-deps --no-build-isolation --editable .

$(VENV)/.dev: $(VENV)/.python pyproject.toml requirements/dev.txt
	$(BIN)/$(PIP_INSTALL) $(LOCKED) requirements/dev.txt
	$(BIN)/$(PIP_INSTALL) $(EDITABLE)
	@touch $(VENV)/.installed $@

$(LOWEST)/.dev: $(VENV)/.dev requirements/lowest.txt
	$(BIN)/python -m venv $(LOWEST)
	$(LOWEST)/$(SCRIPTS)/$(PIP_INSTALL) --no-compile $(LOCKED) requirements/lowest.txt
	$(LOWEST)/$(SCRIPTS)/$(PIP_INSTALL) $(EDITABLE)
	@touch $@

$(MIDDLE): $(VENV)/.dev requirements/middle.txt
	$(BIN)/$(PIP_INSTALL) $(LOCKED) requirements/middle.txt --target $@
