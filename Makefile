# netwright: everything a developer runs. `make` alone prints this list.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
FIND_LINKS := $(if $(PIP_FIND_LINKS),--find-links $(PIP_FIND_LINKS))
export OMP_NUM_THREADS ?= 1

.DEFAULT_GOAL := help
.PHONY: help env demo test test-slow lint format types layers check examples schema clean

help: ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

env: $(VENV)/.ready ## make the environment (a virtual environment in .venv)

$(VENV)/.ready: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q uv
	$(BIN)/uv pip install -q --python $(BIN)/python $(FIND_LINKS) -c constraints.txt -e '.[all]' --group dev
	touch $@

demo: env ## a real search on real images in about three minutes
	$(BIN)/netwright search --task image-classification --data digits --budget 3m --workers 2 --seed 0 \
		--constraint 'params<=200k' --out runs/demo-$$(date +%Y%m%d-%H%M%S)

test: env ## the default tests (at most five minutes on two cores)
	$(BIN)/python -m pytest -n 2

test-slow: env ## the tests marked slow
	$(BIN)/python -m pytest -n 2 -m 'slow and not gpu' --timeout 3000

lint: env ## style and spelling
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell src tests docs examples benchmarks README.md CHANGELOG.md CONTRIBUTING.md

format: env ## put the code in form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: env ## check the types
	$(BIN)/mypy

layers: env ## check that a layer imports only from below
	$(BIN)/lint-imports

examples: env ## run every example
	for f in examples/*.py; do echo "== $$f"; $(BIN)/python $$f || exit 1; done

check: lint types layers test examples ## all that CI checks

schema: env ## write docs/spec.schema.json anew
	$(BIN)/netwright schema > docs/spec.schema.json

clean: ## remove what was made
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
