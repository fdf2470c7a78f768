# The commands of this repository. `make help` lists them; each installs what it needs by scripts/tools.sh first.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: instructions orders crashes fuzz simulate planted mutants help run demo demo-trade test schemathesis check fmt lint snapshots catalogue bench tools clean-data bench-quick bench-growth bench-soak

export CARGO_TARGET_DIR ?= $(HOME)/.cache/ferrex/target
export PATH := $(or $(CARGO_HOME),$(HOME)/.cargo)/bin:$(PATH)
cargo := cargo
# Unless CARGO_LOCKED is emptied, Cargo.lock is what is built.
CARGO_LOCKED ?= --locked

help: ## Lists these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## Builds and starts everything on this machine (data in .data/); Ctrl-C stops it
	@scripts/tools.sh run
	@$(cargo) build $(CARGO_LOCKED) -p ferrex -p ferrex-dev
	@exec $(CARGO_TARGET_DIR)/debug/ferrex-dev

demo: ## Plays the story from sign-up to a confirmed withdrawal against what `make run` started
	@scripts/tools.sh build
	@$(cargo) build $(CARGO_LOCKED) -p ferrex -p ferrex-dev
	@exec $(CARGO_TARGET_DIR)/debug/ferrex demo

demo-trade: ## Plays a trading day on a system of its own, one process a role and a second engine, and kills the engine twice
	@scripts/tools.sh run
	@$(cargo) build $(CARGO_LOCKED) -p ferrex -p ferrex-dev
	@data="$$(mktemp -d)"; chmod 755 "$$data"; code=0; \
	  $(CARGO_TARGET_DIR)/debug/ferrex-dev --data "$$data" --shape standby --play trade || code=$$?; \
	  real="$$(readlink -f "$$data/postgres" || true)"; rm -rf "$$data"; case "$$real" in /var/lib/ferrex-dev/*) rm -rf "$$real" ;; esac; \
	  exit $$code

test: ## Runs every test, on a real PostgreSQL, Kafka, chain and mail server
	@scripts/tools.sh test
	$(cargo) test $(CARGO_LOCKED) --workspace --no-fail-fast
	$(cargo) test $(CARGO_LOCKED) -p ferrex-sim --features planted --test it planted:: -- --nocapture

schemathesis: ## Calls both listeners with what their OpenAPI documents allow and forbid (part of test)
	@scripts/tools.sh test
	$(cargo) build $(CARGO_LOCKED) -p ferrex
	$(cargo) test $(CARGO_LOCKED) -p ferrex-e2e --test it schemathesis:: -- --nocapture

check: lint snapshots ## Format, lints, tiers of crates, schema and OpenAPI snapshots

lint:
	@scripts/tools.sh build
	$(cargo) fmt --all -- --check
	@(cd fuzz && $(cargo) metadata $(CARGO_LOCKED) --format-version 1 >/dev/null)
	$(cargo) clippy $(CARGO_LOCKED) --workspace --all-targets -- -D warnings

# By the names of the tests: every service has one of each that applies. One build of the workspace, which `make test` shares.
snapshots:
	@scripts/tools.sh postgres
	$(cargo) test $(CARGO_LOCKED) --workspace --lib --bins --tests -- schema openapi tiers:: --skip schemathesis

catalogue: ## Rewrites the table of catalogue cases in docs/TESTING.md
	@sed -i '/^| id | test | file |$$/,$$d' docs/TESTING.md
	@printf '| id | test | file |\n|---|---|---|\n' >> docs/TESTING.md
	@scripts/catalogue.sh >> docs/TESTING.md

fmt: ## Formats the Rust sources
	$(cargo) fmt --all

orders: ## Ten million random orders, engine against oracle (minutes; `make test` plays a million)
	FERREX_ORDERS=10000000 $(cargo) test $(CARGO_LOCKED) -p ferrex-engine-core --test it random::

simulate: ## Plays 20,000 seeds of the whole money machine (FERREX_SEEDS; FERREX_SEED=n plays one; `make test` plays 2,000)
	@scripts/tools.sh build
	FERREX_SEEDS=$${FERREX_SEEDS:-20000} $(cargo) test $(CARGO_LOCKED) -p ferrex-sim --test it seeds:: -- --nocapture

planted: ## Plants bugs in the product, one at a time, and shows that the simulator finds each (part of test)
	@scripts/tools.sh build
	$(cargo) test $(CARGO_LOCKED) -p ferrex-sim --features planted --test it planted:: -- --nocapture

crashes: ## Kills engines 200 times and stops their database 50 times, under load (ten minutes; `make test` does 6 and 2)
	@scripts/tools.sh test
	FERREX_KILLS=200 FERREX_STOPS=50 $(cargo) test $(CARGO_LOCKED) -p ferrex-engine --test it crashes:: -- --nocapture

fuzz: ## Runs each fuzz target for a minute (FERREX_FUZZ_SECONDS), beginning with fuzz/corpus
	@scripts/tools.sh build
	@CARGO_LOCKED="$(CARGO_LOCKED)" scripts/fuzz.sh

# A mutant of `ledger` or `matching` is caught by the tests of `engine`, which play both; one of the audit by its own alone. The
# first test that fails ends a mutant's run, which the test harness knows as an unstable option.
mutants := env -u CARGO_TARGET_DIR -u CARGO_INCREMENTAL RUSTC_BOOTSTRAP=1 FERREX_ORDERS=200000 PROPTEST_CASES=64 PROPTEST_MAX_SHRINK_ITERS=0 \
  "$${FERREX_TOOLS:-$$HOME/.cache/ferrex/tools}/bin/cargo-mutants" mutants --profile mutants -j 2 --minimum-test-timeout 45 \
  $(if $(SHARD),--shard $(SHARD) --sharding round-robin)
fail-fast := -- -- -Z unstable-options --fail-fast
mutants: ## Changes the kernels line by line and shows which changes no test notices (two hours; SHARD=0/12 does a twelfth)
	@scripts/tools.sh build mutants
	@code=0; \
	  $(mutants) -p ferrex-audit --test-package ferrex-audit --output $(CARGO_TARGET_DIR)/mutants-audit $(fail-fast) || code=$$?; \
	  $(mutants) -p ferrex-money -p ferrex-ledger -p ferrex-matching -p ferrex-engine-core \
	    --test-package ferrex-money,ferrex-ledger,ferrex-matching,ferrex-engine-core --output $(CARGO_TARGET_DIR)/mutants $(fail-fast) || code=$$?; \
	  exit $$code

bench: ## Runs the benchmarks that docs/PERFORMANCE.md quotes (an optimised build)
	@scripts/tools.sh test jdk
	$(cargo) build $(CARGO_LOCKED) --release -p ferrex -p ferrex-bench --bin ferrex --bin ferrex-bench
	$(CARGO_TARGET_DIR)/release/ferrex-bench

bench-quick: ## A look at every benchmark but those over Kafka, one short pair each (minutes after the build)
	@scripts/tools.sh test jdk
	$(cargo) build $(CARGO_LOCKED) --release -p ferrex -p ferrex-bench --bin ferrex --bin ferrex-bench
	$(CARGO_TARGET_DIR)/release/ferrex-bench --quick

bench-growth: ## Grows a ledger to 10,000,000 accounts and another to 100,000,000 rows (an hour, 30 GB of disk)
	@scripts/tools.sh postgres
	$(cargo) build $(CARGO_LOCKED) --release -p ferrex-bench --bin ferrex-bench
	$(CARGO_TARGET_DIR)/release/ferrex-bench growth-big

bench-soak: ## Gives the product 300 orders a second for twenty minutes and compares the end with the beginning
	@scripts/tools.sh postgres anvil
	$(cargo) build $(CARGO_LOCKED) --release -p ferrex -p ferrex-bench --bin ferrex --bin ferrex-bench
	$(CARGO_TARGET_DIR)/release/ferrex-bench soak

instructions: ## Counts the kernels' instructions a command and holds them against the committed counts (UPDATE=1 rewrites those)
	@scripts/tools.sh build valgrind
	$(cargo) build $(CARGO_LOCKED) --release -p ferrex-instructions
	$(CARGO_TARGET_DIR)/release/ferrex-instructions $(if $(UPDATE),--write)

tools: ## Installs what building, running and testing needs, and nothing that is there
	@scripts/tools.sh test

clean-data: ## Deletes the data of `make run`: accounts, keys, chain and mail (asks first)
	@read -r -p "Delete everything in .data/, keys included? [y/N] " answer; [ "$$answer" = y ] || exit 1; \
	  real="$$(readlink -f .data/postgres || true)"; rm -rf .data; case "$$real" in /var/lib/ferrex-dev/*) rm -rf "$$real" ;; esac
