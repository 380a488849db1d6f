# What to do with a checkout; from a bare Debian machine on. `make help` lists it.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help start test bench bench-server matrix faults nightly check build package docs pictures clean
ARGS ?=

help: ## list these targets
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' Makefile | expand -t 16

start: ## set up what is missing, then start a session here; ARGS="-a opencode -n x ~/p" is passed on
	@scripts/setup --all
	@scripts/start $(ARGS)

test: ## set up what is missing, then run every test; as root, the rootless ones run as the user agent-session-test
	@scripts/test

bench: ## figures beside raw podman, toolbox and distrobox; ARGS="--only ls help --runs 5" for some of them
	@scripts/bench $(ARGS)

bench-server: ## the server: streams, calls and sessions at once, on an engine in memory
	@scripts/setup --dev
	@.venv/bin/python -m tests.bench.server
	@.venv/bin/python -m tests.bench.page

matrix: ## the kill matrix: every verb, struck by every signal between each two calls of its engine; ARGS="stop 'rm -f'" for some of them
	@scripts/reliability matrix $(ARGS)

faults: ## what breaks under a session, what was promised, and whether it was kept: a table
	@scripts/reliability faults

nightly: ## all of the matrix and of the faults, 1,000 random operations against a model, and the tests marked long; over an hour
	@scripts/reliability nightly

check: ## lint, format, types and unit tests
	@scripts/setup --dev
	@scripts/check

build: ## build the agents' images; ARGS="claude" for one of them
	@scripts/setup --all
	@./agent-session build $(or $(ARGS),--all)

package: ## a wheel and a source distribution in dist/
	@scripts/setup --dev
	@.venv/bin/python -m build --outdir dist .

docs: ## write what docs/ tells from the program anew
	@scripts/setup --dev
	@.venv/bin/python scripts/docs

pictures: ## draw the pictures of docs/ anew, from the running program
	@scripts/setup --all --dev
	@.venv/bin/python scripts/pictures
	@.venv/bin/python scripts/page-pictures

clean: ## remove what was made in the checkout; sessions and images stay
	rm -rf .venv dist .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -prune -exec rm -rf {} +
