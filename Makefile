# Everything a contributor and CI type. Needs Python 3.11, 3.12 or 3.13 with pip, and nothing else.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
MADE := $(VENV)/.made
BASE := $(VENV)/.base
DEV := $(VENV)/.dev
SERVE := $(VENV)/.serve
TRAIN := $(VENV)/.train
CLUSTER := $(VENV)/.cluster
TORCH ?= torch==2.13.0  # which the tests were run with; the extra `train` admits a range

.DEFAULT_GOAL := help
PHONY_CHECKS := check-format check-lint check-types check-docs
.PHONY: help demo studio test test-slow test-train test-cluster check $(PHONY_CHECKS) format docs pictures bench wheel clean

help:  ## Show this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1	/' | expand -t 20

demo: $(BASE)  ## Fit sample garments on sample people: out/demo/index.html
	@$(RUN) -m vestiary weights get
	@$(RUN) -m vestiary demo -o out/demo

studio: $(SERVE)  ## Open the fitting room in the browser
	@$(RUN) -m vestiary weights get
	$(RUN) -m vestiary studio

test: $(DEV)  ## Run the tests
	@$(RUN) -m vestiary weights get
	$(RUN) -m pytest -m 'not slow and not cluster'

test-slow: $(DEV)  ## Kill the service fifty times, draw requests from its schema, film the mirror: minutes
	@$(RUN) -m vestiary weights get
	$(RUN) -m pytest -m 'slow and not train and not cluster'

test-train: $(TRAIN)  ## Run the tests of networks and training (installs PyTorch)
	$(RUN) -m pytest -m 'train and not slow'

test-cluster: $(CLUSTER)  ## Run the tests on PostgreSQL, Redis, S3 and Ray (installs Ray; the servers have to be there)
	@$(RUN) -m vestiary weights get
	$(RUN) -m pytest tests/test_postgres.py tests/test_redis.py tests/test_s3.py tests/test_cluster*.py

check: check-format check-lint check-types check-docs  ## Check format, lint, types, and that the generated docs are fresh
check-format: $(DEV)
	$(RUN) -m ruff format --check .
check-lint: $(DEV)
	$(RUN) -m ruff check .
check-types: $(DEV)
	$(RUN) -m mypy
check-docs: $(DEV)
	$(RUN) tools/docs.py --check

format: $(DEV)  ## Format the code
	$(RUN) -m ruff check --fix --select I .
	$(RUN) -m ruff format .

docs: $(DEV)  ## Write docs/cli.md, docs/api.md and docs/errors.md from the code
	$(RUN) tools/docs.py

pictures: $(BASE)  ## Make the pictures of the README, docs/pictures, with the program
	@$(RUN) -m vestiary weights get
	$(RUN) tools/pictures.py

bench: $(BASE)  ## Measure speed and memory: out/bench.json
	@$(RUN) -m vestiary weights get
	$(RUN) -m vestiary bench --large 3000x4000 -o out/bench.json

wheel: $(BASE)  ## Build the wheel into out/dist and check what is in it
	$(RUN) -m pip wheel --quiet --no-deps --wheel-dir out/dist .
	$(RUN) tools/check_wheel.py out/dist

clean:  ## Remove the environment and everything that was made
	rm -rf $(VENV) out .pytest_cache .mypy_cache .ruff_cache
	find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +

# Debian's Python comes without ensurepip: there, pip installs itself into the environment.
$(MADE):
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || { \
	  echo 'Vestiary needs Python 3.11, 3.12 or 3.13, and "$(PYTHON)" is another version or not there.'; \
	  echo 'Name one: make PYTHON=python3.12 $(MAKECMDGOALS)'; exit 1; } >&2
	@echo 'Making the environment $(VENV) (once; a few minutes) ...'
	@$(PYTHON) -m venv $(VENV) >/dev/null || { \
	  $(PYTHON) -m venv --without-pip $(VENV) && $(PYTHON) -m pip --python $(RUN) install --quiet pip; }
	@touch $@

$(BASE): $(MADE) pyproject.toml
	@$(RUN) -m pip install --quiet -e .
	@touch $@

$(SERVE): $(MADE) pyproject.toml
	@$(RUN) -m pip install --quiet -e '.[serve]'
	@touch $(BASE) $@

$(DEV): $(MADE) pyproject.toml
	@$(RUN) -m pip install --quiet -e '.[dev,serve,grpc,safety,codecs]'
	@touch $(BASE) $(SERVE) $@

$(TRAIN): $(DEV)
	@$(RUN) -m pip install --quiet $(TORCH) -e '.[dev,serve,grpc,safety,codecs,train,diffusion]'
	@touch $@

$(CLUSTER): $(DEV)
	@$(RUN) -m pip install --quiet -e '.[dev,serve,grpc,safety,codecs,ray,postgres,redis,s3]'
	@touch $@
