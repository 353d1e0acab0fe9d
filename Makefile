PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
DEMO_READY := $(VENV)/.demo-ready
TEST_READY := $(VENV)/.test-ready
DOCS_READY := $(VENV)/.docs-ready
FUZZ_READY := $(VENV)/.fuzz-ready
FUZZ_SECONDS ?= 600
FUZZ_TARGETS ?=
PINS := constraints.txt pyproject.toml $(wildcard plugins/*/pyproject.toml)

DEMO_PACKAGES := -e '.[plot]' -e plugins/qhal-activations -e 'plugins/qhal-cim[fast]' \
	-e plugins/qhal-dwave -e plugins/qhal-losses
TEST_PACKAGES := -e '.[data,dev,onnx,parallel,plot]' -e plugins/qhal-activations \
	-e 'plugins/qhal-cim[fast]' -e plugins/qhal-dask -e 'plugins/qhal-dwave[qpu]' \
	-e plugins/qhal-losses -e plugins/qhal-ortools

# The figures and the tests want each process on one core: pytest-xdist does the sharing.
PYTEST := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -n 2

.DEFAULT_GOAL := help
.PHONY: help demo test test-all lint bench fuzz docs clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "%-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(DEMO_READY) ## train a network of 1-bit weights on Fashion-MNIST
	$(BIN)/python examples/train_fashion_mnist.py

test: lint ## lint, then every test that is not slow
	$(PYTEST)

test-all: lint ## lint, then every test
	$(PYTEST) -m ""

lint: $(TEST_READY) ## formatting, style, types and import layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(TEST_READY) ## measure quality and speed
	$(BIN)/python benchmarks/run.py

docs: $(DOCS_READY) ## build the documentation into out/site
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

fuzz: $(FUZZ_READY) ## look for inputs that crash a reader or the command line
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.fuzz --seconds $(FUZZ_SECONDS) $(FUZZ_TARGETS)

clean: ## remove caches and built files, not .venv
	rm -rf build dist out .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -path ./$(VENV) -prune -o -name __pycache__ -type d -exec rm -rf {} +

# $(1): an interpreter
define require_python
@$(1) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	echo "qhal needs Python 3.11 or newer, which $(1) is not: remove .venv if it is there," \
	"and name another interpreter with 'make PYTHON=python3.12 ...'." >&2; exit 1; }
endef

$(VENV)/pyvenv.cfg:
	$(call require_python,$(PYTHON))
	$(PYTHON) -m venv $(VENV)

# Old pips pick some wheels wrongly, so pip comes first; the build backend comes with it, so that
# the editable installs need no build environments of their own.
$(VENV)/.pip-ready: constraints.txt | $(VENV)/pyvenv.cfg
	$(call require_python,$(BIN)/python)
	$(PIP) install --upgrade -c constraints.txt pip
	$(PIP) install -c constraints.txt editables hatchling
	@touch $@

$(DEMO_READY): $(PINS) $(VENV)/.pip-ready
	$(PIP) install --no-build-isolation -c constraints.txt $(DEMO_PACKAGES)
	@touch $@

$(TEST_READY): $(PINS) $(VENV)/.pip-ready
	$(PIP) install --no-build-isolation -c constraints.txt $(TEST_PACKAGES)
	@touch $@

$(DOCS_READY): $(TEST_READY)
	$(PIP) install --no-build-isolation -c constraints.txt -e '.[docs]'
	@touch $@

$(FUZZ_READY): $(TEST_READY)
	$(PIP) install --no-build-isolation -c constraints.txt -e '.[fuzz]'
	@touch $@
