# `make demo` and `make test` do all their set-up themselves; `make help` lists the rest.

CARGO ?= cargo
CC ?= cc
PYTHON ?= python3
CFLAGS ?= -O2 -g

BUILD := build
LIB := $(BUILD)/lib
SO := liblambda_invoke.so
ABI := 0
VENV := $(BUILD)/venv
WARNINGS := -std=c11 -Wall -Wextra -pedantic -Werror

RUST_SOURCES := Cargo.toml Cargo.lock build.rs cbindgen.toml $(shell find src -name '*.rs')

.PHONY: demo test test-rust test-local test-c lint header lib bench clean help

demo: $(BUILD)/demo ## invoke functions from a C program, on the local endpoint or, with AWS settings and FUNCTION=name, on AWS
	@CC='$(CC)' PYTHON='$(PYTHON)' FUNCTION='$(FUNCTION)' PAYLOAD='$(PAYLOAD)' examples/run-demo $(BUILD)/demo

test: test-rust test-local test-c ## every test in every language, against the local endpoint

test-rust: ## the tests of the crate
	$(CARGO) test --locked

test-local: $(VENV)/ready ## the local endpoint, tested with botocore
	$(VENV)/bin/pytest tests/local tests/vectors

test-c: $(VENV)/ready $(LIB)/$(SO) $(BUILD)/demo ## C programs, header, ABI, README; under valgrind where it is installed
	CC='$(CC)' $(VENV)/bin/pytest tests/c tests/abi tests/docs

lint: $(VENV)/ready ## every linter, as strict as it goes
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- -D warnings
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .

header: ## renew include/lambda_invoke.h from src/ffi
	UPDATE_HEADER=1 $(CARGO) test --locked --test header

lib: $(LIB)/$(SO) $(LIB)/liblambda_invoke.a ## the shared and the static library, in build/lib

# One type at a time: a list that holds rlib as well silently drops the link-time optimisation.
$(LIB)/$(SO): $(RUST_SOURCES)
	$(CARGO) rustc --locked --release --lib --crate-type cdylib
	@mkdir -p $(LIB)
	install -m 755 target/release/$(SO) $(LIB)/$(SO).$(ABI)
	ln -sf $(SO).$(ABI) $@

$(LIB)/liblambda_invoke.a: $(RUST_SOURCES)
	$(CARGO) rustc --locked --release --lib --crate-type staticlib
	@mkdir -p $(LIB)
	install -m 644 target/release/liblambda_invoke.a $@

$(BUILD)/demo: examples/demo.c include/lambda_invoke.h $(LIB)/$(SO)
	$(CC) $(CFLAGS) $(WARNINGS) -Iinclude $< -L$(LIB) -llambda_invoke -Wl,-rpath,'$$ORIGIN/lib' -o $@

# The Python packages of tests and benchmarks, at the versions that they were last run with.
$(VENV)/ready: tests/requirements.txt
$(BUILD)/venv-bench/ready: benches/requirements.txt
%/ready:
	$(PYTHON) -m venv $*
	$*/bin/pip install --quiet --requirement $<
	@touch $@

bench: $(BUILD)/venv-bench/ready $(BUILD)/demo ## what a call costs, beside other ways to make it
	$(CARGO) bench --locked --bench drivers
	local/lambda-local examples/functions -- $(BUILD)/venv-bench/bin/python benches/first_call.py
	ls -l $(LIB)/$(SO).$(ABI)

clean: ## remove everything that was built
	rm -rf $(BUILD) target

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
