# Everything goes through .venv, which `make install` makes once; say VENV=... for another folder.
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
LOGS := lightning_logs
# The newest Python that really starts and is new enough; say PYTHON=... for another.
PYTHON ?= $(shell for python in python3.13 python3.12 python3.11 python3 python; do \
	if $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; \
	then command -v $$python; break; fi; done)
# Further arguments of pytest: make test ARGS="-k decode".
ARGS ?=
# `make docs NOTEBOOKS=off` builds the pages without running the notebooks.
NOTEBOOKS ?= force
# A file of tests a process, so that module-wide preparations stay together, in the order of tests/conftest.py; one
# process more than cores, as tests also wait.
PARALLEL := --numprocesses $(shell echo $$(($$(getconf _NPROCESSORS_ONLN) + 1))) --dist loadfile --no-loadscope-reorder

# uv trusts its own certificates unless it is told to use the system's.
export UV_SYSTEM_CERTS ?= 1

.DEFAULT_GOAL := help
.PHONY: help install demo test contract lowest newest wheel check lint format types coverage docs tensorboard constraints clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "%-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

install: $(STAMP) ## make .venv and install emorec with its tools into it (once; needs Python 3.11 or newer)

# Compiled once, or every process compiles torch and Lightning where Python may not write beside them: 7 s each.
$(STAMP): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "emorec needs Python 3.11 or newer and found none: install one, or say make $(MAKECMDGOALS) PYTHON=/path/to/python" >&2; exit 1; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/python -m uv pip install --python $(BIN)/python --constraint constraints.txt --compile-bytecode --editable '.[dev]'
	@touch $@

demo: demo_data/.done ## draw clips, train a network on them, test it: a few minutes, no download
	$(BIN)/emorec fit --config configs/demo.yaml
	$(BIN)/emorec test --ckpt "$$(find $(LOGS) -path '*/checkpoints/best.ckpt' -print0 | xargs -0 ls -t | head -n 1)"
	@echo 'Curves and pictures: make tensorboard (the runs lie in $(LOGS))'

# Drawn again only when what draws them has changed.
demo_data/.done: $(wildcard emorec/data/synthetic/*.py) emorec/cli/commands/synth.py | $(STAMP)
	rm -rf demo_data
	$(BIN)/emorec synth demo_data
	@touch $@

test: $(STAMP) ## run every test (ARGS="-k decode" for some)
	$(BIN)/python -m pytest $(PARALLEL) $(ARGS)

contract: $(STAMP) ## run the tests of what users rely on: configs, README, resume, decoders, mistakes
	$(BIN)/python -m pytest tests -m contract $(PARALLEL) $(ARGS)

# Warnings of old versions about each other are no errors here.
lowest: $(STAMP) ## run the quick tests with the lowest versions that pyproject.toml allows, in .venv-lowest
	$(BIN)/python -m uv venv --quiet --clear --python 3.11 .venv-lowest
	$(BIN)/python -m uv pip install --quiet --python .venv-lowest --resolution lowest-direct --editable '.[dev]'
	.venv-lowest/bin/python -m pytest tests -m quick -W default $(PARALLEL) $(ARGS)

newest: $(STAMP) ## run the quick tests with the newest versions that pyproject.toml allows, in .venv-newest
	$(BIN)/python -m uv venv --quiet --clear --python $(BIN)/python .venv-newest
	$(BIN)/python -m uv pip install --quiet --python .venv-newest --upgrade --editable '.[dev]'
	.venv-newest/bin/python -m pytest tests -m quick $(PARALLEL) $(ARGS)

check: lint types test ## what continuous integration runs: lint, types, tests

lint: $(STAMP) ## find mistakes and lines that are not formatted
	$(BIN)/ruff check
	$(BIN)/ruff format --check

format: $(STAMP) ## format the code and mend what can be mended
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

types: $(STAMP) ## check the types
	$(BIN)/mypy

coverage: $(STAMP) ## run every test and list the lines and branches that none of them reached
	$(BIN)/python -m pytest --cov --cov-report=term $(PARALLEL) $(ARGS)

wheel: $(STAMP) ## build wheel and source archive in dist/, and use the wheel in .venv-wheel as a program of others does
	rm -rf dist build/wheel && mkdir -p build/wheel
	$(BIN)/python -m uv build --quiet
	$(BIN)/python -m uv venv --quiet --clear --python $(BIN)/python .venv-wheel
	$(BIN)/python -m uv pip install --quiet --python .venv-wheel --constraint constraints.txt dist/*.whl mypy
	cp tests/client.py build/wheel
	cd build/wheel && ../../.venv-wheel/bin/mypy --strict client.py && ../../.venv-wheel/bin/python client.py
	cd build/wheel && ../../.venv-wheel/bin/emorec --version && ../../.venv-wheel/bin/emorec models

# Built anew each time: a second build would not repeat the warnings of pages that have not changed. The notebooks run
# `emorec` from the path and have a cache of frames of their own. At last: no page takes anything from another machine.
docs: $(VENV)/.installed-docs ## build the documentation in site/ and run its notebooks (NOTEBOOKS=off: without them)
	rm -rf site build/docs
	PATH="$(abspath $(BIN)):$$PATH" EMOREC_CACHE="$(abspath build/docs/cache)" $(BIN)/python -m sphinx --quiet \
		--fail-on-warning --keep-going --doctree-dir build/docs/doctrees \
		--define nb_execution_mode=$(NOTEBOOKS) docs build/docs/html
	mv build/docs/html site
	@! grep -rlE --include='*.html' '<(script|link|img|iframe)[^>]+(src|href)="(https?:)?//' site || \
		{ echo 'the pages above take something from another machine' >&2; exit 1; }
	@echo 'written to site/index.html'

$(VENV)/.installed-docs: $(STAMP)
	$(BIN)/python -m uv pip install --python $(BIN)/python --constraint constraints.txt --editable '.[docs]'
	@touch $@

tensorboard: $(STAMP) ## watch the runs in lightning_logs
	$(BIN)/tensorboard --logdir $(LOGS)

constraints: $(STAMP) ## resolve the versions of constraints.txt anew
	$(BIN)/python -m uv pip compile --quiet --universal --upgrade --no-header --no-annotate --all-extras \
		--output-file constraints.txt pyproject.toml

clean: ## remove caches, built pages and the demo's clips; runs and .venv stay
	rm -rf demo_data dist build site .coverage .mypy_cache .pytest_cache .ruff_cache
	find emorec tests -name __pycache__ -type d -prune -exec rm -rf {} +
