# Every target with a line of ## help is listed by `make help`. What a target does, beyond one command, is in scripts/.

CARGO ?= cargo
# Everything but the module itself builds without Asterisk's headers.
NO_MODULE = --no-default-features --locked

.DEFAULT_GOAL := help
.NOTPARALLEL:

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: setup
setup: ## Install missing Debian packages and make the sandbox, a private Asterisk for tests and demo
	@scripts/setup

.PHONY: clients
clients: ## Install the Python and Node libraries that tests use into target/clients
	@scripts/clients

.PHONY: headers
headers: ## Fetch Asterisk's headers from the sandbox into asterisk-headers/
	@asterisk-headers/fetch

.PHONY: build
build: ## Build the module: target/release/chan_websocket.so
	@scripts/build

.PHONY: demo
demo: setup build ## Run two calls through the module in the sandbox's Asterisk and draw their timeline
	$(CARGO) run --release $(NO_MODULE) --example demo

.PHONY: test
test: setup clients build faults ## Set up, build and run every test
	$(CARGO) test $(NO_MODULE) -- --skip connect/many --skip soak/
	@# Five hundred calls at once would disturb the tests beside them, and so would a soak.
	$(CARGO) test $(NO_MODULE) --test host -- connect/many
	$(CARGO) test $(NO_MODULE) --test host -- soak/
	scripts/models

.PHONY: faults
faults: ## Build a second module with fault injection, for the host tests fault/
	CARGO_TARGET_DIR=target/faults $(CARGO) build --locked --features fault-injection

.PHONY: unittest
unittest: ## Run the tests that need no Asterisk
	$(CARGO) test $(NO_MODULE) --lib

.PHONY: hosttest
hosttest: setup clients build faults ## Run the tests in a real Asterisk; TEST=<part of a name> selects
	$(CARGO) test $(NO_MODULE) --test host $(TEST)

.PHONY: surroundings
surroundings: setup build faults ## Run the ordinary host tests with recording, spying, AMI, CEL and CDR on every channel; TEST=<name>
	@# Without tests that measure times, that count threads and files, or that have a target of their own.
	HOST_SURROUNDINGS=1 HOST_PATIENCE=4 $(CARGO) test $(NO_MODULE) --test host -- $(TEST) \
		$(foreach part,clients/ comparing/ connect/many examples/ hostile/ life/ pace/ rfc6455/ soak/ surroundings/,--skip $(part))

.PHONY: bridgetest
bridgetest: setup clients build faults ## Run the ordinary host tests with direct_bridge = no, and calls that end within 50 ms of their bridge; CALLS=<number>, TEST=<name>
	@# Without bridge/, which tests direct bridges themselves, and without tests that measure or have a target of their own.
	HOST_DIRECT_BRIDGE=no $(CARGO) test $(NO_MODULE) --test host -- $(TEST) \
		$(foreach part,bridge/ clients/ comparing/ connect/many examples/ hostile/ life/ pace/ rfc6455/ soak/ surroundings/,--skip $(part))
	HOST_DIRECT_BRIDGE=no $(CARGO) test $(NO_MODULE) --test host -- life/moved
	HOST_DIRECT_BRIDGE=no $(CARGO) test $(NO_MODULE) --test host -- life/hold
	HOST_DIRECT_BRIDGE=no $(CARGO) test $(NO_MODULE) --test host -- life/music
	HOST_DIRECT_BRIDGE=no $(CARGO) test $(NO_MODULE) --test host -- bridge/phones
	HOST_BRIDGE_CALLS=$(or $(CALLS),10000) $(CARGO) test $(NO_MODULE) --test host -- bridge/hangups

.PHONY: churn
churn: setup build ## Set up and end 10,000 calls in all ways at once, load and unload 1,000 times; CALLS=<number>
	HOST_CHURN=$(or $(CALLS),10000) $(CARGO) test $(NO_MODULE) --test host -- --nocapture life/churn
	HOST_CYCLES=1000 $(CARGO) test $(NO_MODULE) --test host -- module/cycles

.PHONY: rfc6455
rfc6455: setup build ## Run every RFC 6455 case in both roles, with and without TLS, on both modules, and print the table
	RFC6455_ALL=1 HOST_BESIDE=1 $(CARGO) test $(NO_MODULE) --test host -- rfc6455/

.PHONY: bench
bench: setup build ## Measure the C module and this one under the same load (an hour); BENCH="--help" lists the choices
	$(CARGO) bench $(NO_MODULE) --bench media -- $(BENCH)

.PHONY: bench-quick
bench-quick: setup build ## A short form of the benchmark (three minutes)
	$(CARGO) bench $(NO_MODULE) --bench media -- --quick

.PHONY: difftest
difftest: setup clients build faults ## Run the host tests on both modules and print a comparison; HOST_RECORD=1 records the C module's traces
	HOST_MODULES=both HOST_TABLE=1 $(CARGO) test $(NO_MODULE) --test host -- $(TEST) --skip connect/many --skip soak/

.PHONY: fuzz
fuzz: ## Run each fuzz target for FUZZ_SECONDS (60)
	@scripts/fuzz

.PHONY: soak
soak: setup build ## Run random calls with faults, reloads and floods for MINUTES (30), and check what must always hold
	HOST_MODULES=ours HOST_SOAK_SECONDS=$$(($(or $(MINUTES),30) * 60)) $(CARGO) test $(NO_MODULE) --test host -- soak/ --nocapture

.PHONY: memcheck
memcheck: setup build ## Run a soak, or TEST=<name>, with Asterisk under valgrind's memcheck
	@TEST="$(TEST)" scripts/valgrind memcheck

.PHONY: helgrind
helgrind: setup build ## Run a soak, or TEST=<name>, with Asterisk under valgrind's helgrind, which checks the order of locks
	@TEST="$(TEST)" scripts/valgrind helgrind

.PHONY: asan
asan: ## Run the tests that need no Asterisk under AddressSanitizer
	@scripts/sanitize address

.PHONY: asan-asterisk
asan-asterisk: setup build ## Run a soak, or TEST=<name>, with Asterisk and the module under AddressSanitizer
	@TEST="$(TEST)" scripts/sanitize asterisk

.PHONY: tsan
tsan: ## Run the tests of threads under ThreadSanitizer, if the toolchain supports it
	@scripts/sanitize thread

.PHONY: miri
miri: ## Run the unit tests without sockets in Miri, if the toolchain has it
	@scripts/sanitize miri

.PHONY: loom
loom: ## Run the models of data that threads share, in every order of their steps, with loom
	@scripts/models

.PHONY: hostile
hostile: setup build ## Run the long tests of applications that stall, flood and vanish, on both modules (13 minutes); TEST=<name>
	HOST_TABLE=1 HOST_BESIDE=1 HOSTILE_SECONDS=150 $(CARGO) test $(NO_MODULE) --test host -- --test-threads 4 hostile/$(TEST)

.PHONY: fmt-check
fmt-check: ## Check the formatting
	$(CARGO) fmt --check

.PHONY: lint
lint: ## Run clippy with warnings denied, with and without the Asterisk side; check Containerfiles, spelling and prose
	$(CARGO) clippy --locked --all-targets -- -D warnings
	$(CARGO) clippy $(NO_MODULE) --all-targets -- -D warnings
	@scripts/lint-containers
	@scripts/lint-prose

.PHONY: licences
licences: ## Check that every dependency's licence goes with GPL-2.0-only (deny.toml)
	$(CARGO) test $(NO_MODULE) --test licences

.PHONY: advisories
advisories: ## Look for known vulnerabilities in the crates; says so if the database is out of reach
	@scripts/advisories

.PHONY: install
install: ## Install the module that was built; DESTDIR, MODULES_DIR, ASTETCDIR, ASTDATADIR
	@scripts/install

.PHONY: uninstall
uninstall: ## Remove the module and restore the one that was there before
	@scripts/uninstall

.PHONY: deb
deb: build ## Make a Debian package, and one with debugging symbols, in target/debian
	@scripts/deb

.PHONY: dist
dist: build ## Make a tarball for any Linux with Asterisk, and an RPM package, in target/dist
	@scripts/dist
	@scripts/rpm

.PHONY: versiontest
versiontest: $(if $(ASTERISK),build faults,setup clients build faults) ## Run the module in the Asterisk installed in ASTERISK, or in the one of Debian experimental; TEST=<name>
	@ASTERISK=$(ASTERISK) scripts/versiontest $(TEST)

.PHONY: arm64
arm64: setup ## Cross-build the module for arm64, and its Debian packages, in a Debian root: target/arm64
	@scripts/arm64 build

.PHONY: arm64test
arm64test: arm64 ## Run the packed module in Debian's arm64 Asterisk, emulated by qemu; TEST=<name>
	@scripts/arm64 test $(TEST)

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
	rm -rf "$$(scripts/sandbox path)-next" "$$(scripts/sandbox path)-arm64-cross" "$$(scripts/sandbox path)-arm64"
