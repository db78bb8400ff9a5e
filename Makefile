# What people and CI run. Everything is made inside the checkout; nothing is read from or written to ~/.dbt.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

# --- what may be set on the command line --------------------------------------------------------------------------
# Demo data: the same parameters give the same rows.
DEMO_LEADS ?= 4000
DEMO_SEED ?= 7
DEMO_UNTIL ?= 2025-12-31
# Folder that holds dbt_utils, when the package hub cannot be reached and the stand-in is not wanted.
DBT_UTILS ?=
# Lead records of the smaller and the larger benchmark run.
BENCH_LEADS ?= 100000 1000000
# Lead records of the benchmark of engines.
ENGINE_LEADS ?= 20000
# Touches of the benchmark of attribution models.
ATTRIBUTION_TOUCHES ?= 10000000
# Journeys of the benchmark of forecasts.
FORECAST_JOURNEYS ?= 300000
# Engines that `make compare-engines` builds on; spark needs EXTRA=spark.
ENGINES ?= duckdb,postgres
# Tests on Spark; "not long" leaves out the Thrift server and the project's own tests there.
SPARK_MARKS ?= long or not long
# Models that the tests on Spark build, with all above them, e.g. SPARK_SELECT="fct_stage_event fct_opportunity"; all when empty.
SPARK_SELECT ?=
# Git ref whose lock of definitions `make lint` compares with too, e.g. BASE=origin/main: then a lock written anew is no way around it.
BASE ?=
# Processes that run tests side by side: one more than cores, as a test on PostgreSQL waits for its server; at most 4, for memory.
WORKERS ?= $(shell cores=$$(nproc); echo $$((cores < 4 ? cores + 1 : 4)))
# An extra of pyproject.toml to install besides what the lock holds, e.g. EXTRA=spark.
EXTRA ?=
# Where tests have their warehouses. Hundreds of small commits wait for a disk, so in memory where that has room for them.
TEST_TMP ?= $(shell room=$$(df --output=avail /dev/shm 2>/dev/null | tail -n 1); [ "$${room:-0}" -lt 12000000 ] \
  && echo "$(CURDIR)/.cache/tmp" || echo /dev/shm)

# --- environment of every recipe ----------------------------------------------------------------------------------
VENV := .venv
BIN := $(VENV)/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
export DBT_PROFILES_DIR := $(CURDIR)
export DBT_SEND_ANONYMOUS_USAGE_STATS := false
export DO_NOT_TRACK := 1
export MYPY_CACHE_DIR := .cache/mypy
export RUFF_CACHE_DIR := .cache/ruff
export SPARK_SELECT
export HYPOTHESIS_STORAGE_DIRECTORY := .cache/hypothesis

# Stamps live inside what they stand for, so removing .venv or dbt_packages removes the stamp too.
ENV_STAMP := $(VENV)/.installed$(if $(EXTRA),-$(EXTRA))
DEPS_STAMP := dbt_packages/.installed

.PHONY: help
help: ## list of commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# --- set-up -------------------------------------------------------------------------------------------------------
.PHONY: setup
setup: $(ENV_STAMP) profiles.yml $(DEPS_STAMP) ## environment, profile and dbt packages; does nothing when they are there

$(ENV_STAMP): requirements.lock pyproject.toml scripts/setup.sh
	@scripts/setup.sh $(EXTRA)
	@touch $@

profiles.yml:
	@cp profiles.example.yml $@
	@echo "set-up: profiles.yml from profiles.example.yml"

$(DEPS_STAMP): $(ENV_STAMP) packages.yml scripts/install_packages.py $(shell find stand_ins -type f)
	@python scripts/install_packages.py $(if $(DBT_UTILS),--dbt-utils "$(DBT_UTILS)")
	@touch $@

.PHONY: deps
deps: $(ENV_STAMP) ## dbt packages anew: from the hub, from DBT_UTILS=folder, or the stand-in
	@rm -f $(DEPS_STAMP)
	@$(MAKE) --no-print-directory $(DEPS_STAMP)

.PHONY: lock
lock: $(ENV_STAMP) ## requirements.lock anew from pyproject.toml; versions change only where they must
	@"$$(command -v uv)" pip compile pyproject.toml --extra audit --extra dev --extra ducklake --extra postgres --extra semantic \
	  --universal --python-version 3.11 --no-emit-index-url --no-annotate --no-header --quiet --output-file requirements.lock

# --- demo ---------------------------------------------------------------------------------------------------------
.PHONY: demo
demo: setup ## demo data, all models with their tests, docs site, results, a forecast and its record, probabilities, scores; one file: leadlag.duckdb
	@python scripts/demo_data.py --leads $(DEMO_LEADS) --seed $(DEMO_SEED) --until $(DEMO_UNTIL)
	@echo "demo: dbt build, then the docs site (half a minute)"
	@dbt --quiet build
	@dbt --quiet docs generate --static --no-compile
	@python scripts/demo_summary.py
	@leadlag forecast --quiet
	@leadlag backtest --quiet --short
	@leadlag calibrate --quiet --short
	@leadlag score --quiet

.PHONY: glossary
glossary: setup ## docs/kpi_glossary.md anew from the KPI seeds
	@python scripts/kpi_glossary.py

.PHONY: docs
docs: setup ## docs site of the warehouse as it is: target/static_index.html
	@dbt --quiet docs generate --static
	@echo "docs: target/static_index.html"

.PHONY: audit
audit: setup ## Great Expectations on the raw tables and marts of the warehouse: target/audit/index.html
	@leadlag audit

.PHONY: publish
publish: setup ## the scheduled run: audit sources, build apart, audit marts, then replace the published ones
	@leadlag publish

# --- checks -------------------------------------------------------------------------------------------------------
# Checks have a warehouse and a target folder of their own: they neither touch the demo's nor undo dbt's parse cache.
# The file keeps the demo's name because DuckDB takes the database's name from it.
CHECK := .cache/check
CHECK_ENV := LEADLAG_DUCKDB_PATH="$(CURDIR)/$(CHECK)/leadlag.duckdb" DBT_TARGET_PATH="$(CURDIR)/$(CHECK)/target" DBT_LOG_PATH="$(CURDIR)/$(CHECK)/logs"

SQL := $(wildcard models snapshots tests analyses)

.PHONY: lint
lint: setup ## ruff, mypy, sqlfluff, dbt-bouncer, mf validate-configs, change control of definitions
	ruff check --quiet python scripts
	python scripts/kpi_glossary.py --check
	ruff format --check --quiet python scripts
	mypy
	@mkdir -p $(CHECK)
	$(CHECK_ENV) dbt --quiet parse
	leadlag definitions check --manifest $(CHECK)/target/manifest.json $(if $(BASE),--against $(BASE))
	@! grep -rnE '^.{141,}' --include='*.sql' $(SQL) || { echo "lint: lines above are over 140 characters"; exit 1; }
	$(CHECK_ENV) sqlfluff lint --disable-progress-bar --processes 2 $(SQL)
	COLUMNS=200 DBT_PROJECT_DIR="$(CURDIR)/$(CHECK)" dbt-bouncer run --config-file dbt-bouncer.yml
	@# mf looks for target/ beside dbt_project.yml and nowhere else. What needs a warehouse is asked in python/tests/test_semantic.py.
	@ln -sf ../../dbt_project.yml $(CHECK)/dbt_project.yml
	$(CHECK_ENV) DBT_PROJECT_DIR="$(CURDIR)/$(CHECK)" mf validate-configs --skip-dw </dev/null

.PHONY: check-build
check-build: setup ## all models, tests and unit tests on demo-sized data of its own
	@mkdir -p $(CHECK)
	@$(CHECK_ENV) python scripts/demo_data.py --leads $(DEMO_LEADS) --seed $(DEMO_SEED) --until $(DEMO_UNTIL)
	$(CHECK_ENV) dbt build --no-use-colors --log-level-file none

# In a folder of its own, which the server of PostgreSQL can enter, and which is removed: it would stay in memory.
define pytest
@mkdir -p "$(TEST_TMP)"
@folder="$$(mktemp -d "$(TEST_TMP)/leadlag-tests.XXXXXX")"; trap 'rm -rf "$$folder"' EXIT; chmod 755 "$$folder"; \
  TMPDIR="$$folder" python -m pytest $(1)
endef
SIDE_BY_SIDE := -n $(WORKERS) --dist loadfile --ignore python/tests/test_spark.py

.PHONY: pytest
pytest: setup ## Python tests, the examples among them
	$(call pytest,$(SIDE_BY_SIDE) --no-loadscope-reorder)

.PHONY: test-long
test-long: setup ## what make test leaves out for its time: other engines, more points, combinations
	$(call pytest,$(SIDE_BY_SIDE) -m long)

.PHONY: test-spark
test-spark: ## the project on Spark, in a session and through a Thrift server, against DuckDB; installs the extra spark and Java
	@$(MAKE) --no-print-directory setup EXTRA=spark
	@scripts/spark.sh java
	$(call pytest,-m "$(SPARK_MARKS)" python/tests/test_spark.py)

# Two jobs at once: pytest, and beside it first lint, then check-build; all three leave a core idle at times.
.PHONY: test
test: setup ## lint, check-build and pytest: all but test-long and test-spark
	@$(MAKE) --no-print-directory --jobs 2 pytest lint check-build

# --- engines ------------------------------------------------------------------------------------------------------
.PHONY: compare-engines
compare-engines: setup ## one company on several engines (ENGINES=duckdb,postgres), every mart compared row for row
	@python scripts/compare_engines.py --engines $(ENGINES)

# --- benchmark ----------------------------------------------------------------------------------------------------
.PHONY: bench
bench: setup ## cost of a full build and of the next day's against reading and writing the same rows once
	@python scripts/bench.py $(BENCH_LEADS)

.PHONY: bench-attribution
bench-attribution: setup ## attribution models on paths with ATTRIBUTION_TOUCHES touches; the package ChannelAttribution beside them where it installs
	@python scripts/bench_attribution.py $(ATTRIBUTION_TOUCHES)

.PHONY: bench-forecast
bench-forecast: setup ## forecast of 200 segments and a full back-test on FORECAST_JOURNEYS made-up journeys: CPU seconds, peak memory
	@python scripts/bench_forecast.py $(FORECAST_JOURNEYS)

.PHONY: bench-engines
bench-engines: setup ## the same builds on DuckDB, PostgreSQL and, with EXTRA=spark, Spark: a Markdown table
	@python scripts/bench_engines.py $(ENGINE_LEADS)

.PHONY: clean
clean: ## removes what was built; keeps .venv, profiles.yml and the warehouse leadlag.duckdb
	rm -rf target logs .cache dbt_packages package-lock.yml
