# make demo   on a machine with Python 3.11 to 3.13 and make: set up, then show what Ectopy does
# make test   the whole test suite        make lint   ruff, mypy, order of the rooms
# make long   the full-length versions of tests that have a short one, and properties with more examples
# make dist   the wheel and the sdist, checked

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin

# Data beside the checkout, where there are any; a user's own setting comes first.
export ECTOPY_DATA := $(if $(ECTOPY_DATA),$(ECTOPY_DATA):)$(wildcard ../shared/datasets)

.PHONY: demo test lint long format dist clean

demo: $(VENV)/.run
	$(BIN)/ectopy demo

# Many tests wait for a clock, a browser or another process: five at a time keep two cores busy. Tests start Python
# dozens of times, and without bytecode on the disk it compiles everything each time.
test: $(VENV)/.dev
	PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/pytest --numprocesses 5 --dist worksteal

long: $(VENV)/.dev
	$(BIN)/pytest -m 'long or hypothesis' --hypothesis-profile thorough

lint: $(VENV)/.dev
	$(BIN)/ruff check src tests
	$(BIN)/ruff format --check src tests
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.dev
	$(BIN)/ruff check --fix src tests
	$(BIN)/ruff format src tests

dist: $(VENV)/.dev
	rm -rf dist
	$(BIN)/hatchling build -t sdist -t wheel
	$(BIN)/python .ci/check_dist.py

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14) and "Ectopy needs Python 3.11, 3.12 or 3.13: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

# The pinned versions of everything that runs, which need no others; then the project itself. Bytecode is made on all
# cores, which pip does on one, and not of the packages' own tests.
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --no-deps
COMPILE := $(BIN)/python -m compileall -qq -j 0 -x '/tests?/' $(VENV)/lib src || true

$(VENV)/.run: requirements.txt pyproject.toml | $(VENV)/bin/python
	$(INSTALL) -r requirements.txt
	$(INSTALL) --no-build-isolation --editable .
	$(COMPILE)
	touch $@

$(VENV)/.dev: $(VENV)/.run requirements-dev.txt
	$(INSTALL) -r requirements-dev.txt
	$(BIN)/python -m pip check
	$(COMPILE)
	touch $@

clean:
	rm -rf $(VENV) dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis
