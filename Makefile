# Two commands are enough: `make demo` to try Portico, `make test` to check it. Each works again, and from a fresh clone.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo run test soak bench contract

demo: .venv/.runtime
	@$(BIN)/python -m config.serve --demo

run: .venv/.runtime
	@$(BIN)/python manage.py migrate --verbosity 0
	@$(BIN)/python manage.py collectstatic --no-input --verbosity 0
	@$(BIN)/python -m config.serve

test: .venv/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy .
	DEBUG=1 $(BIN)/python manage.py makemigrations --check --dry-run
	$(BIN)/pytest tests --ignore=tests/browser -n 4 --dist loadfile
	$(BIN)/pytest tests/browser -n 2

# What takes minutes: 20 of silence, 50 MB, 500 runs.
soak: .venv/.dev
	$(BIN)/pytest tests -m soak -n 4 --dist worksteal

# What the client relies on, asked of the embedded gateway in both dialects; or of a live one, with an admin's account:
# make contract GATEWAY_URL=… GATEWAY_EMAIL=… GATEWAY_PASSWORD=… [AGENT_HOST=…, the host under which it reaches this one]
contract: .venv/.dev
	@$(BIN)/pytest -q tests/contract

bench: .venv/.dev
	@$(BIN)/python -m tests.bench

# A stamp file a set of packages: nothing is installed again until its requirements change.
.venv/.runtime: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Portico needs Python 3.11 or newer."; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "Installing what Portico needs (once) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	@touch $@

.venv/.dev: requirements-dev.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@touch .venv/.runtime $@
