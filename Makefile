# Two commands on a fresh machine: `make demo` and `make test`. Both install into $(VENV) first.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --disable-pip-version-check --quiet --editable
PYTEST := $(BIN)/python -m pytest --numprocesses=auto --maxprocesses=8 --dist=worksteal

.PHONY: demo test check fuzz docs lint lint-check clean

demo: $(VENV)/.installed
	$(BIN)/flatsort demo

# All checks and all tests.
test: lint-check
	$(PYTEST)

# All checks and the quick tests.
check: lint-check
	$(PYTEST) -m "not slow"

# Every reader against 20,000 changed files each, some 40 minutes; FUZZ="--reader NAME --mutations 1000" takes less.
fuzz: $(VENV)/.installed-test
	$(BIN)/python -m tests.fuzz $(FUZZ)

# The documentation as a site: open site/index.html.
docs: $(VENV)/.installed-docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet
	@echo "site/index.html"

lint-check: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

lint: $(VENV)/.installed-test
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Type checkers, linters and editors look for flatsort/tracker and not for what setup.py maps there.
ROOMS := configs embedding scene tools tracker
LINKS := $(ROOMS:%=flatsort/%)

$(LINKS): flatsort/%:
	ln -sfn ../$* $@

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: setup.cfg setup.py pyproject.toml | $(BIN)/python $(LINKS)
	@echo "installing into $(VENV): some minutes the first time, most of them for torch"
	$(INSTALL) ".[onnx]"
	touch $@

$(VENV)/.installed-test: setup.cfg setup.py pyproject.toml | $(BIN)/python $(LINKS)
	@echo "installing into $(VENV): some minutes the first time, most of them for torch"
	$(INSTALL) ".[test]"
	touch $@ $(VENV)/.installed

$(VENV)/.installed-docs: setup.cfg setup.py pyproject.toml | $(BIN)/python $(LINKS)
	@echo "installing into $(VENV): some minutes the first time, most of them for torch"
	$(INSTALL) ".[docs]"
	touch $@

clean:
	rm -rf $(VENV) build site *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
