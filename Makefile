# `make help` lists the targets. Everything happens inside this directory: .venv, build, dist, .cache.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMPS := $(VENV)/stamps
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check

export PATH := $(CURDIR)/$(BIN):$(PATH)

CORE_SOURCES := setup.py $(wildcard ledger/*.pyx ledger/*.pxd ledger/*.h ledger/core/* bench/*.pyx bench/*.pxi)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "%-10s %s\n", $$1, $$2}'

# --- Environment --------------------------------------------------------------------------------------------------------

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed; set PYTHON=..." if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	@mkdir -p $(STAMPS)

$(STAMPS)/runtime: requirements/runtime.txt requirements/build.txt | $(BIN)/python
	$(PIP_INSTALL) -r requirements/runtime.txt -r requirements/build.txt
	@touch $@

$(STAMPS)/test: requirements/test.txt | $(STAMPS)/runtime
	$(PIP_INSTALL) -r requirements/test.txt
	@touch $@

$(STAMPS)/bench: requirements/bench.txt | $(STAMPS)/runtime
	$(PIP_INSTALL) -r requirements/bench.txt
	@touch $@

$(STAMPS)/lint: requirements/lint.txt | $(STAMPS)/runtime
	$(PIP_INSTALL) -r requirements/lint.txt
	@touch $@

$(STAMPS)/command: pyproject.toml $(STAMPS)/runtime
	PEAKLEDGER_BUILD=nothing $(PIP_INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@

$(STAMPS)/extension: $(CORE_SOURCES) $(STAMPS)/runtime
	$(BIN)/python setup.py --quiet build_ext --inplace
	@touch $@

.PHONY: develop
develop: $(STAMPS)/extension $(STAMPS)/command ## Make .venv with the command `peakledger` in it, from this tree

.PHONY: demo
demo: develop ## Show a season with a killed engine, from nothing, in under two minutes
	@$(BIN)/peakledger demo --directory demo-data

# --- Checks -------------------------------------------------------------------------------------------------------------

# Each worker brings a Kafka of its own. Most of the time a test waits, so two do not get into each other's way on two cores.
WORKERS ?= 2
IN_PARALLEL = --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder

.PHONY: test
test: $(STAMPS)/extension $(STAMPS)/command $(STAMPS)/test $(STAMPS)/bench ## Run all tests, by two WORKERS; brings its own Kafka
	$(BIN)/python -m pytest $(IN_PARALLEL) $(PYTEST_ARGS)

.PHONY: crash
crash: $(STAMPS)/extension $(STAMPS)/test ## Kill engines at random instants under load from a real broker, N=100 times
	CRASHES=$(or $(N),100) $(BIN)/python -m pytest tests/faults/test_crash.py --timeout 0 $(PYTEST_ARGS)

.PHONY: lint
lint: $(STAMPS)/extension $(STAMPS)/test $(STAMPS)/bench $(STAMPS)/lint ## Check style and types of Python and Cython
	ruff check .
	ruff format --check .
	cython-lint ledger bench
	mypy

# A special build happens in a copy of the tree, so that it never mixes with the plain one. PYTHONPATH has commands use it too.
define copy_tree
	@rm -rf $(1)/tests && mkdir -p $(1)
	@tar -cf - --exclude='*.so' --exclude=__pycache__ --exclude=_core.c --exclude=_workload.c $(TREE) | tar -xf - -C $(1)
endef
TREE := .ci .gitignore Makefile MANIFEST.in LICENSE setup.py pyproject.toml requirements docs $(wildcard *.md) ledger streams peakledger bench tests
UNIT_TESTS := tests --ignore=tests/kafka --ignore=tests/faults

# What ends a process writes to its standard error, which pytest must not have captured then. libstdc++ comes first as well, or an
# exception that matplotlib throws ends the process. PostgreSQL's programs hang with either, so the test that starts them is left out.
.PHONY: sanitize
sanitize: $(STAMPS)/extension $(STAMPS)/command $(STAMPS)/test $(STAMPS)/bench ## Run unit and property tests on a build with ASan and UBSan
	$(call copy_tree,build/sanitize)
	cd build/sanitize && PEAKLEDGER_BUILD=sanitize python setup.py --quiet build_ext --inplace
	cd build/sanitize && LD_PRELOAD="$$(cc -print-file-name=libasan.so) $$(cc -print-file-name=libstdc++.so.6)" ASAN_OPTIONS=detect_leaks=0 PYTHONPATH="$$PWD" python -m pytest --capture=sys --deselect tests/test_bench_suites.py::test_postgresql_books_the_very_events_that_the_engine_books $(UNIT_TESTS) $(PYTEST_ARGS)

.PHONY: coverage
coverage: $(STAMPS)/extension $(STAMPS)/command $(STAMPS)/test $(STAMPS)/bench ## Show which lines of Python and Cython the unit and property tests reach
	$(call copy_tree,build/coverage)
	touch build/coverage/ledger/core/__init__.py  # Cython looks for the C file of an included part in packages alone
	cd build/coverage && PEAKLEDGER_BUILD=coverage,debug python setup.py --quiet build_ext --inplace
	cd build/coverage && coverage erase && find build -name '*.gcda' -delete
	cd build/coverage && PYTHONPATH="$$PWD" coverage run -m pytest $(IN_PARALLEL) $(UNIT_TESTS) $(PYTEST_ARGS)
	cd build/coverage && coverage combine --quiet && python -m tests.core_coverage && coverage html --quiet && coverage report
	@echo "Line by line: build/coverage/htmlcov/index.html"

BENCH_ARGS ?= --large

.PHONY: bench
bench: develop $(STAMPS)/test $(STAMPS)/bench ## Run every benchmark, large, and write report.html; BENCH_ARGS= for ten minutes' worth
	python -m pytest tests/parts --benchmark-enable --benchmark-save=parts --benchmark-storage=bench/results/parts
	$(BIN)/peakledger bench figures $(BENCH_ARGS)
ifneq ($(findstring --large,$(BENCH_ARGS)),)
	for suite in scale mixed season expiry statement lmdb; do $(BIN)/peakledger bench $$suite || exit 1; done
	$(BIN)/peakledger bench kafka --live --rate 1000000 --rate inf
	-$(BIN)/peakledger bench postgresql
endif
	$(BIN)/peakledger bench report bench/results --out report.html

SECONDS ?= 600

.PHONY: fuzz
fuzz: $(STAMPS)/extension $(STAMPS)/test ## Feed decoders, walker and journal reader grown bytes, each for SECONDS (600)
	@mkdir -p .cache/fuzz
	python -m tests.fuzz.decoders --seconds $(SECONDS) --corpus .cache/fuzz/decoders --findings .cache/fuzz
	python -m tests.fuzz.walker --seconds $(SECONDS) --corpus .cache/fuzz/walker --findings .cache/fuzz
	python -m tests.fuzz.journal --seconds $(SECONDS) --corpus .cache/fuzz/journal --findings .cache/fuzz

.PHONY: soak
soak: $(STAMPS)/extension $(STAMPS)/test ## Hold the engine against the plain-Python oracle over a million random events
	python -m tests.soak --events 1000000

.PHONY: kafka
kafka: $(STAMPS)/test ## Leave a Kafka broker running on localhost:9092 to try things with
	python -m tests.kafka.broker $(KAFKA_ARGS)

.PHONY: build
build: $(STAMPS)/runtime ## Build the wheel and the source distribution into dist/
	rm -rf dist build/lib*
	$(BIN)/python setup.py --quiet sdist --dist-dir dist
	$(BIN)/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .

.PHONY: clean
clean: ## Remove everything that was made, except .venv and .cache
	rm -rf build dist demo-data *.egg-info .pytest_cache .hypothesis .mypy_cache .ruff_cache .coverage ledger/_core.c ledger/_core.html ledger/_core.*.so bench/_workload.c bench/_workload.*.so
	rm -f $(STAMPS)/extension
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +
