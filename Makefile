# `make demo` runs the main job, `make test` all checks. Each target sets up what it needs.
.PHONY: demo demo-real test test-fast test-e2e test-real nightly lint format setup lock bench clean
.DEFAULT_GOAL := help

BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest
END_TO_END := --dist loadscope --no-loadscope-reorder --max-worker-restart 0 tests/e2e tests/mk8s/bundle

help:  ## this list
	@grep -E '^[a-z0-9-]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 14

setup:  ## make .venv, install what is missing
	@scripts/setup

demo: setup  ## six hosts become a cluster (real ones as root on Linux, else simulated)
	@scripts/demo

demo-real: setup  ## five real hosts become a real kubeadm cluster (root on Linux, amd64)
	@scripts/demo-real

test: setup  ## everything: lint, types, fast tests, end-to-end tests on real hosts (root)
	@scripts/test

test-fast: setup  ## seconds: neither slow nor end-to-end
	$(PYTEST) -n 2 --dist worksteal -m "not e2e and not slow"

test-e2e: setup  ## only the tests on real hosts, without real Kubernetes
	$(PYTEST) -n 4 $(END_TO_END) -m "e2e and not real"

test-real: setup  ## only the tests of real Kubernetes on real hosts; builds it first if need be
	$(PYTEST) -n 2 $(END_TO_END) -m real

nightly: setup  ## 20 000 seeds (SEEDS=...), random machines, rollouts and crash points; hours
	@scripts/nightly $(SEEDS)

lint: setup  ## ruff and strict mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: setup  ## let ruff format and fix
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

lock: setup  ## write requirements/*.txt again from pyproject.toml
	scripts/lock

bench: setup  ## measure; prints tables of ratios
	scripts/bench

clean:  ## remove what was made here
	rm -rf .venv .venv-bench .mypy_cache .ruff_cache .pytest_cache .hypothesis dist build
