# Parley: `make run` starts it, `make test` and `make check` say whether it is well. Needs Python 3.11+ and make.
PYTHON ?= python3
BIN := .venv/bin
ONLY ?=
# Parley is started hundreds of times by its tests, and would be compiled each time.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run ready dev test long check format bench lock clean

run:          ## install what is missing, build, serve
	@exec $(PYTHON) scripts/bootstrap.py run

ready:        ## the same without serving
	@$(PYTHON) scripts/bootstrap.py ready

dev:
	@$(PYTHON) scripts/bootstrap.py dev

test: dev     ## all tests but the long ones; ONLY=tests/desk narrows
	@$(PYTHON) scripts/system_packages.py
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m pytest -n 3 --dist loadgroup $(ONLY)
	@test -n "$(ONLY)" -o ! -f web/package.json || { cd web && PATH="$(CURDIR)/$(BIN):$$PATH" npm test --silent; }

long: dev     ## minutes of chaos
	$(BIN)/python -m pytest -m long $(ONLY)

check: dev    ## format, lint, types, layers, documents
	@$(PYTHON) scripts/check.py

format: dev
	$(BIN)/ruff check --fix-only -q .
	$(BIN)/ruff format .

bench: dev    ## measurements; ONLY=name narrows
	$(BIN)/python -m bench $(if $(ONLY),$(ONLY))

LOCK := $(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--custom-compile-command "make lock" $(LOCK_OPTIONS)
lock: dev     ## pin requirements anew; LOCK_OPTIONS=--upgrade takes newer versions
	$(LOCK) pyproject.toml --group install -o requirements/run.txt
	$(LOCK) pyproject.toml --group install --group dev -c requirements/run.txt -o requirements/dev.txt
	$(LOCK) --group node -o requirements/node.txt

clean:        ## what is made anew; never the data
	rm -rf .venv web/node_modules src/parley/web src/parley/widget .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
