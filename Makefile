# The commands of the project. `make demo` and `make test` need Python 3.11+ and make, nothing else.
# Every command runs in .venv, which is made on first use; PYTHON chooses the interpreter for it.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

# Processes that share the tests; half of their time is waiting. The slow ones measure, and run alone.
WORKERS ?= 2

# What tests need beyond PyPI, as command=package: what is on the PATH is left alone.
TEST_DEPS ?= bash=bash curl=curl exiftool=libimage-exiftool-perl minisign=minisign redis-server=redis-server Xvfb=xvfb xclip=xclip
# And beyond that, where npm is: the MCP project's own servers, and a bridge to HTTP for them, for the slow tests.
TEST_NPM ?= @modelcontextprotocol/server-everything @modelcontextprotocol/server-filesystem @modelcontextprotocol/server-memory supergateway

.PHONY: help demo test test-slow fuzz test-deps lint types docs bench build check clean

help:  ## list these commands
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 14

$(READY): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[all]' --group dev
	@touch $(READY)

demo: $(READY)  ## one message through the pipeline, on the embedded simulator
	ANTHROPIC_BASE_URL=sim: $(BIN)/hookline ask "What is in the above image?" --image examples/ant.png --prefill "The image shows" --model claude-haiku-4-5
	@echo
	$(BIN)/python examples/prefill.py

test: $(READY)  ## the tests, a few minutes
	$(BIN)/python -m pytest -q -m "not slow" -n $(WORKERS)

test-slow: $(READY)  ## the slow ones: soak, outage, half a minute of cancellations
	$(BIN)/python -m pytest -q -m slow

fuzz: $(READY)  ## the property tests with new examples, many more than `make test` tries
	$(BIN)/python -m pytest -q -m hypothesis -n $(WORKERS) --hypothesis-profile=new --timeout=3000

test-deps:  ## install what tests need beyond PyPI, with the system's package tool
	@.ci/install $(TEST_DEPS)
	@if command -v npm >/dev/null; then npm install --global --silent $(TEST_NPM); fi

lint: $(READY)  ## style, formatting, import directions, generated documentation
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	PYTHONPATH=docs $(BIN)/python -m generator --check

types: $(READY)  ## mypy and pyright, both strict
	$(BIN)/mypy
	$(BIN)/pyright

docs: $(READY)  ## write the generated parts of docs/, then build docs/_build/html; a warning is an error
	PYTHONPATH=docs $(BIN)/python -m generator
	$(BIN)/python -m sphinx -q -W --keep-going -b html docs docs/_build/html

bench: $(READY)  ## speed, as ratios to a floor measured in the same run
	PYTHONPATH=tests $(BIN)/python -m benchmarks

build: $(READY)  ## wheel and source distribution into dist/
	rm -rf dist
	$(BIN)/python -m build --quiet

check: lint types test docs  ## everything but the build

clean:  ## remove what the commands made
	rm -rf $(VENV) dist docs/_build .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
