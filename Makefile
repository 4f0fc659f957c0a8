# make demo | test | test-fast | test-all | bench | bench scale | bench-long | lint | screenshots: each sets up what it needs first
PYTHON ?= python3
BIN = .venv/bin

demo: .venv/ready
	$(BIN)/assay demo

test: .venv/ready
	$(BIN)/python -m pytest -n 2 --dist worksteal

test-fast: .venv/ready
	$(BIN)/python -m pytest -n 2 --dist worksteal -m "not slow and not browser and not daily"

test-all: .venv/ready
	$(BIN)/python -m pytest -n 2 --dist worksteal -m ""

bench: .venv/ready
	$(BIN)/python -m tests.benchmarks $(NAMED)

# make bench scale probe: these alone
ifeq (bench,$(firstword $(MAKECMDGOALS)))
NAMED = $(wordlist 2,99,$(MAKECMDGOALS))
$(NAMED):
	@:
endif

bench-long: .venv/ready
	$(BIN)/python -m tests.benchmarks --long

screenshots: .venv/ready
	$(BIN)/python -m tests.screenshots screenshots --docs docs

lint: .venv/ready
	$(BIN)/ruff check .

.venv/ready: requirements.txt pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python .ci/install.py
	touch $@

clean:
	rm -rf .venv demo screenshots

.PHONY: demo test test-fast test-all bench bench-long screenshots lint clean
