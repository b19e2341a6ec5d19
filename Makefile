# The two commands of the README are `make serve` and `make test`; `make help` lists the rest.
SHELL := /bin/bash
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
ARGS ?=

.DEFAULT_GOAL := help

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(STAMP) ## virtual environment with every dependency, and nothing else

# Reinstalled only when what it depends on changed: a warm `make serve` starts at once.
$(STAMP): pyproject.toml proto/pyproject.toml constraints.txt tests/bootstrap/install.sh tests/bootstrap/find_python.sh
	@tests/bootstrap/install.sh $(VENV)
	@touch $@

neo4j: setup ## fetch Neo4j Community for tests and the demo, archive its classes (needs Java 17 and Maven)
	@tests/bootstrap/fetch_neo4j.sh
	@$(BIN)/python -m tests.bootstrap.archive_neo4j_classes

serve: setup ## the gateway on an embedded fleet, 127.0.0.1:50051 (ARGS="--help" for options)
	@$(BIN)/graphgate serve $(ARGS)

demo: setup ## a finite tour on real data (ARGS="--json" for one JSON line)
	@tests/bootstrap/fetch_neo4j.sh --optional
	@$(BIN)/graphgate demo $(ARGS)

test: setup ## every check and every test, on real engines
	@tests/bootstrap/fetch_neo4j.sh --optional
	@$(BIN)/python -m tests.bootstrap.archive_neo4j_classes
	@tests/bootstrap/check.sh $(BIN)
	@$(BIN)/python -m pytest $(ARGS)

check: setup ## format, lint, types, layers, protos: what runs without an engine
	@tests/bootstrap/check.sh $(BIN)

format: setup ## rewrite the sources in the one format
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .

proto: setup ## regenerate proto/gen from proto/graphgate
	@$(BIN)/python -m tests.bootstrap.generate_protos

errors: setup ## rewrite the README's error table from gateway/errors.py
	@$(BIN)/python -m tests.bootstrap.generate_errors

clean: ## remove the virtual environment and build output
	rm -rf $(VENV) build dist *.egg-info proto/*.egg-info

.PHONY: help setup neo4j serve demo test check format proto errors clean
