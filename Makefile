# Everything a person does with this project. `make` alone lists the targets.
.DEFAULT_GOAL := help
.PHONY: help install demo test quick check bench lock clean
SHELL := /bin/sh

VENV := .venv
BIN := $(VENV)/bin
# The newest Python here that TensorFlow has wheels for; `make PYTHON=/path/to/python3` names another.
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
	"$$p" -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null \
	&& { echo "$$p"; break; }; done)
DEMO := demo

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(VENV)/.installed ## make the environment in .venv, with .venv/bin/chordal in it

$(VENV)/.installed: requirements.lock ops/bootstrap.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "chordal: no Python 3.11, 3.12 or 3.13 with venv found; install one" \
		"(Debian: apt install python3 python3-venv; macOS: brew install python@3.12)" >&2; exit 2; }
	"$(PYTHON)" -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r ops/bootstrap.lock
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes -r requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	$(BIN)/python -c 'from pipeline.features.warm import warm; warm()' # compiled once here, not by the first worker
	@touch $@

demo: install ## synthesise a small labelled library and run the whole pipeline over it
	$(BIN)/chordal demo-library $(DEMO)/library
	$(BIN)/chordal run $(DEMO)/library --home $(DEMO)/home

# Most of them wait for processes of their own; in the order of their names those that run the longest come first.
test: install ## pass the tests
	$(BIN)/python -m pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder

quick: install ## pass the tests that start no processes and train no networks, in under two minutes
	$(BIN)/python -m pytest --numprocesses 2 --dist worksteal -m "not slow" tests/pipeline tests/storage tests/workers

check: install ## lint, types, layers, unused dependencies
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/deptry .

bench: install ## measure; prints ratios against named references on the same input
	$(BIN)/python -m tests.bench

lock: install ## resolve the dependencies again into requirements.lock
	$(BIN)/uv pip compile --universal --generate-hashes --python-version 3.11 --group dev \
		--no-header --no-annotate --quiet --upgrade -o requirements.lock pyproject.toml
	grep -A 1000 '^uv==' requirements.lock | awk 'NR > 1 && !/^    --hash/ {exit} {print}' > ops/bootstrap.lock

clean: ## delete the environment, caches and the demo
	rm -rf $(VENV) $(DEMO) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
