# Every target with a line of ## help is listed by `make help`. What a target does, beyond one command, is in scripts/.

CARGO ?= cargo
# Everything but the module itself builds without Asterisk's headers.
NO_MODULE = --no-default-features --locked

.DEFAULT_GOAL := help
.NOTPARALLEL:

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: setup
setup: ## Install what this machine lacks and make the sandbox, a private Asterisk for tests and demo
	@scripts/setup

.PHONY: clients
clients: ## Install the WebSocket libraries for Python and Node that tests use, into target/clients
	@scripts/clients

.PHONY: headers
headers: ## Fetch Asterisk's headers out of the sandbox into asterisk-headers/
	@asterisk-headers/fetch

.PHONY: build
build: ## Build the module: target/release/chan_websocket.so
	@scripts/build

.PHONY: demo
demo: setup build ## Run two calls through the module in the sandbox's Asterisk and report
	$(CARGO) run --release $(NO_MODULE) --example demo

.PHONY: test
test: setup clients build faults ## Set up, build and run every test
	$(CARGO) test $(NO_MODULE) -- --skip connect/many --skip soak/
	@# Five hundred calls at once would disturb the tests beside them, and so would a soak.
	$(CARGO) test $(NO_MODULE) --test host -- connect/many
	$(CARGO) test $(NO_MODULE) --test host -- soak/
	scripts/models

.PHONY: faults
faults: ## Build the module once more, with places that a test can make panic
	CARGO_TARGET_DIR=target/faults $(CARGO) build --locked --features fault-injection

.PHONY: unittest
unittest: ## Run the tests that need no Asterisk
	$(CARGO) test $(NO_MODULE) --lib

.PHONY: hosttest
hosttest: setup clients build faults ## Run the tests in a real Asterisk; TEST=<name> for some of them
	$(CARGO) test $(NO_MODULE) --test host $(TEST)

.PHONY: surroundings
surroundings: setup build faults ## Run the ordinary scenarios with everything on that makes the core call the module at odd times; TEST=<name>
	@# Left out: what measures times or counts threads and files, or has a target of its own.
	HOST_SURROUNDINGS=1 HOST_PATIENCE=4 $(CARGO) test $(NO_MODULE) --test host -- $(TEST) \
		$(foreach part,clients/ comparing/ connect/many examples/ hostile/ life/ pace/ rfc6455/ soak/ surroundings/,--skip $(part))

.PHONY: bridgetest
bridgetest: setup clients build faults ## Run the ordinary scenarios with direct_bridge = no, and many calls that end just after their bridge began; CALLS=<number>, TEST=<name>
	@# Those of bridge/ are about direct bridges themselves; what measures or has a target of its own is left out.
	HOST_DIRECT_BRIDGE=no $(CARGO) test $(NO_MODULE) --test host -- $(TEST) \
		$(foreach part,bridge/ clients/ comparing/ connect/many examples/ hostile/ life/ pace/ rfc6455/ soak/ surroundings/,--skip $(part))
	HOST_DIRECT_BRIDGE=no $(CARGO) test $(NO_MODULE) --test host -- life/moved
	HOST_DIRECT_BRIDGE=no $(CARGO) test $(NO_MODULE) --test host -- life/hold
	HOST_DIRECT_BRIDGE=no $(CARGO) test $(NO_MODULE) --test host -- life/music
	HOST_BRIDGE_CALLS=$(or $(CALLS),10000) $(CARGO) test $(NO_MODULE) --test host -- bridge/hangups

.PHONY: churn
churn: setup build ## Set ten thousand calls up and tear them down in all ways at once, load and unload a thousand times; CALLS=<number>
	HOST_CHURN=$(or $(CALLS),10000) $(CARGO) test $(NO_MODULE) --test host -- --nocapture life/churn
	HOST_CYCLES=1000 $(CARGO) test $(NO_MODULE) --test host -- module/cycles

.PHONY: rfc6455
rfc6455: setup build ## Run every RFC 6455 case in both roles, plain and by TLS, on both modules, and print the table
	RFC6455_ALL=1 HOST_BESIDE=1 $(CARGO) test $(NO_MODULE) --test host -- rfc6455/

.PHONY: bench
bench: setup build ## Measure the C module and ours under the same load (an hour); BENCH="--help" for choices
	$(CARGO) bench $(NO_MODULE) --bench media -- $(BENCH)

.PHONY: bench-quick
bench-quick: setup build ## The same, but little of everything (three minutes)
	$(CARGO) bench $(NO_MODULE) --bench media -- --quick

.PHONY: difftest
difftest: setup clients build faults ## Run every test on Debian's C module too and print how the two compare; HOST_RECORD=1 keeps its traces
	HOST_MODULES=both HOST_TABLE=1 $(CARGO) test $(NO_MODULE) --test host -- $(TEST) --skip connect/many --skip soak/

.PHONY: fuzz
fuzz: ## Fuzz what peers and people can write, each target for FUZZ_SECONDS (60)
	@scripts/fuzz

.PHONY: soak
soak: setup build ## Calls of all kinds with faults, reloads and floods, for MINUTES (30), and what must hold
	HOST_MODULES=ours HOST_SOAK_SECONDS=$$(($(or $(MINUTES),30) * 60)) $(CARGO) test $(NO_MODULE) --test host -- soak/ --nocapture

.PHONY: memcheck
memcheck: setup build ## A soak with Asterisk under valgrind's memcheck
	@scripts/valgrind memcheck

.PHONY: helgrind
helgrind: setup build ## A soak with Asterisk under valgrind's helgrind: the order of locks
	@scripts/valgrind helgrind

.PHONY: asan
asan: ## Run the tests that need no Asterisk under AddressSanitizer
	@scripts/sanitize address

.PHONY: asan-asterisk
asan-asterisk: setup build ## A soak with Asterisk and a module under AddressSanitizer
	@scripts/sanitize asterisk

.PHONY: tsan
tsan: ## Run the tests of threads under ThreadSanitizer, where the toolchain has what that needs
	@scripts/sanitize thread

.PHONY: miri
miri: ## Run the unit tests of what knows no socket in Miri, where the toolchain has it
	@scripts/sanitize miri

.PHONY: loom
loom: ## Run what threads hand to each other in every order that they can get into
	@scripts/models

.PHONY: hostile
hostile: setup build ## Applications that stall, flood and vanish, the long form on both modules, with figures (13 minutes); TEST=<name>
	HOST_TABLE=1 HOST_BESIDE=1 HOSTILE_SECONDS=150 $(CARGO) test $(NO_MODULE) --test host -- --test-threads 4 hostile/$(TEST)

.PHONY: fmt-check
fmt-check: ## Check the formatting
	$(CARGO) fmt --check

.PHONY: lint
lint: ## Run clippy with warnings denied, with and without the Asterisk side, and check the Containerfiles
	$(CARGO) clippy --locked --all-targets -- -D warnings
	$(CARGO) clippy $(NO_MODULE) --all-targets -- -D warnings
	@scripts/lint-containers

.PHONY: licences
licences: ## Check that every dependency's licence goes with GPL-2.0-only (deny.toml)
	$(CARGO) test $(NO_MODULE) --test licences

.PHONY: advisories
advisories: ## Look for known vulnerabilities in the crates; says so where the database cannot be had
	@scripts/advisories

.PHONY: install
install: ## Install the built module where Asterisk looks for modules; DESTDIR, MODULES_DIR, ASTETCDIR, ASTDATADIR
	@scripts/install

.PHONY: uninstall
uninstall: ## Remove it and put the module that was there before back
	@scripts/uninstall

.PHONY: deb
deb: build ## Make a Debian package of the module, and one with its debugging symbols, in target/debian
	@scripts/deb

.PHONY: dist
dist: build ## Make a tarball for any Linux with Asterisk, and an RPM package, in target/dist
	@scripts/dist
	@scripts/rpm

.PHONY: versiontest
versiontest: setup clients build faults ## Run the module in the Asterisk that Debian prepares in experimental (minutes)
	@scripts/versiontest $(TEST)

.PHONY: clean
clean: ## Remove what was built
	$(CARGO) clean
	rm -rf target

.PHONY: distclean
distclean: clean ## Remove what was built and the fetched headers
	rm -rf asterisk-headers/include asterisk-headers/include.new

.PHONY: clean-sandbox
clean-sandbox: ## Remove the sandbox, which all checkouts share
	@scripts/sandbox remove
	rm -rf "$$(scripts/sandbox path)-next"
