PYTHON ?= python3
VENV := .venv
INSTALLED := $(VENV)/installed

.DEFAULT_GOAL := help
.PHONY: help run stop test lint bench lock

help: ## Show what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(INSTALLED) ## Serve the API on PORT with a PostgreSQL of its own; Ctrl-C stops both
	@exec $(VENV)/bin/python -m dev run

stop: ## Stop the PostgreSQL that `make run` left running
	@test ! -e $(INSTALLED) || exec $(VENV)/bin/python -m dev stop

test: $(INSTALLED) ## Run the tests on a PostgreSQL of their own; ARGS go to pytest
	@$(VENV)/bin/python -m pytest $(ARGS)

lint: $(INSTALLED) ## Check style, types, the Dockerfile and, where docker-compose is installed, its file
	@$(VENV)/bin/ruff check
	@$(VENV)/bin/ruff format --check
	@$(VENV)/bin/mypy
	@$(VENV)/bin/hadolint Dockerfile
	@if command -v docker-compose >/dev/null; then docker-compose --file docker-compose.yml config --quiet; \
		else echo "docker-compose is not installed: docker-compose.yml was not checked"; fi

bench: $(INSTALLED) ## Measure this product beside bare Flask and psycopg2, on a database filled for it
	@$(VENV)/bin/python -m benchmarks $(ARGS)

# Lets commands such as pw_migrate find `app`, and flask leave .env to the application, which reads it itself.
PTH := '../../../..' 'import os; os.environ.setdefault("FLASK_SKIP_DOTENV", "1")'

# Made again when a lock file changed.
$(INSTALLED): requirements.lock requirements-dev.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "✗ Python 3.11 or newer is needed: name one, PYTHON=python3.12 make run"; exit 69; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
		|| { echo "✗ this Python makes no virtual environments: apt install python3-venv"; exit 69; }
	@began=$$(date +%s); \
	{ $(VENV)/bin/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV); } \
		&& $(VENV)/bin/python -m pip install -qq --disable-pip-version-check -r requirements-dev.lock \
		&& for site in $(VENV)/lib/python3*/site-packages; do printf '%s\n' $(PTH) >"$$site/fixapp.pth"; done \
		&& touch $@ && echo "✓ dependencies in $(VENV) ($$(($$(date +%s) - began)) s)" \
		|| { code=$$?; echo "✗ dependencies: the lines above say why"; exit $$code; }

# What pyproject.toml asks for; with `dev` what the work on it needs too.
ASKED := $(PYTHON) -c 'import sys, tomllib; p = tomllib.load(open("pyproject.toml", "rb"))["project"]; \
	print(*p["dependencies"], *(p["optional-dependencies"]["dev"] if "dev" in sys.argv else []), sep="\n")'

lock: ## Renew both lock files from pyproject.toml
	@aside=$$(mktemp -d) && trap 'rm -rf "$$aside"' EXIT && $(PYTHON) -m venv "$$aside/venv" \
		&& pip="$$aside/venv/bin/python -m pip --disable-pip-version-check -q" \
		&& $(ASKED) > "$$aside/asked" && $$pip install -r "$$aside/asked" && $(call freeze,requirements.lock) \
		&& $(ASKED) dev > "$$aside/asked" && $$pip install -r "$$aside/asked" -c requirements.lock \
		&& $(call freeze,requirements-dev.lock) && wc -l requirements.lock requirements-dev.lock
freeze = { echo "\# made by \`make lock\` from pyproject.toml"; $$pip freeze | LC_ALL=C sort -f; } > $(1)
