# `make demo` and `make test` do all their set-up themselves; `make help` lists the other targets.

CARGO ?= cargo
CC ?= cc
PYTHON ?= python3
OBJCOPY ?= objcopy
CFLAGS ?= -O2 -g

BUILD ?= build
LIB := $(BUILD)/lib
SO := liblambda_invoke.so
ABI := 0
VENV := $(BUILD)/venv
VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
WARNINGS := -std=c11 -Wall -Wextra -pedantic -Werror

# The folders of `make install`, each below DESTDIR.
PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
DOCDIR ?= $(PREFIX)/share/doc/lambda_invoke
DATADIR ?= $(PREFIX)/share/lambda_invoke
MANDIR ?= $(PREFIX)/share/man

# What a program links beside the static library: the list of rustc (--print native-static-libs) without libgcc_s and libc,
# since every compiler driver adds those itself, in the form that fits (-static has no libgcc_s).
PRIVATE_LIBS := -lutil -lrt -lpthread -lm -ldl

# The tests find programs that the machine lacks among their own packages.
export PATH := $(PATH):$(CURDIR)/$(VENV)/bin

# Variables that are set for other projects must not break this one. Python's variables are removed, except for two harmless
# ones, since each can end the interpreter or change what it imports. Go gets modules and cgo, which its package needs, and
# no vendor folder.
unexport $(filter-out PYTHON PYTHONDONTWRITEBYTECODE PYTHONUNBUFFERED,$(filter PYTHON%,$(.VARIABLES)))
unexport GOWORK GO111MODULE
export GOFLAGS := $(filter-out -mod=%,$(GOFLAGS))
export CGO_ENABLED := 1

# Deletes the target of a recipe that fails, which would otherwise count as made.
.DELETE_ON_ERROR:

RUST_SOURCES := Cargo.toml Cargo.lock build.rs $(shell find src -name '*.rs')

.PHONY: demo test test-rust test-local test-c test-cpp test-python test-go test-conformance test-configured test-docs test-install test-files test-faults test-faults-long test-faults-million sanitize miri loom fuzz audit test-packages test-emulators lint format deny msrv release-check header lib docs install uninstall dist test-dist test-reproducible bench clean help FORCE

# PYTHON, FUNCTION and PAYLOAD reach it in the environment, unharmed by quotes: make exports what its user sets.
demo: $(BUILD)/demo ## invoke functions from a C program, on the local endpoint or, with FUNCTION=name, where the AWS settings lead
	@examples/run-demo $(BUILD)/demo

test: test-rust test-local test-c test-cpp test-python test-go test-conformance test-configured test-docs test-install test-faults ## every test in every language, against the local endpoint

test-rust: ## the tests of the crate
	$(CARGO) test --locked

test-local: $(VENV)/ready ## the local endpoint, tested with botocore
	$(VENV)/bin/pytest -rs tests/local tests/vectors

test-c: $(VENV)/ready $(LIB)/$(SO) ## C programs, header, ABI; under valgrind too where it is installed
	CC='$(CC)' $(VENV)/bin/pytest -rs tests/c tests/abi

test-cpp: $(VENV)/ready $(LIB)/$(SO) ## the C++ header
	CC='$(CC)' CXX='$(CXX)' $(VENV)/bin/pytest -rs tests/cpp

test-python: $(VENV)/ready $(LIB)/$(SO) $(BUILD)/THIRD-PARTY-NOTICES ## the Python package, on every Python of this machine
	$(VENV)/bin/pytest -rs -n 2 bindings/python/tests

test-conformance: $(VENV)/ready $(LIB)/$(SO) $(LIB)/liblambda_invoke.a ## one table of cases through C, C++, Python and Go
	CC='$(CC)' CXX='$(CXX)' $(VENV)/bin/pytest -rs tests/conformance

test-configured: $(VENV)/ready $(LIB)/$(SO) ## credentials and settings from all sources of the AWS tools, compared with botocore
	CC='$(CC)' $(VENV)/bin/pytest -rs --timeout 60 -n 2 tests/configured

test-files: export CASES ?= 20000
test-files: $(VENV)/ready $(LIB)/$(SO) ## CASES=n SEED=n: generated shared files, read by botocore too; 20,000 by default, which takes minutes
	$(VENV)/bin/pytest -n 2 tests/configured/test_shared_files.py -k botocore

# Apart from the tests, whose time is limited: compiling it for the first time may take longer. CC is for the C programs: a
# build script that sees it change is run again, and half of the crates are compiled again.
FAULT_ENDPOINT = env -u CC $(CARGO) build --locked --quiet --example fault_endpoint

test-faults: $(VENV)/ready $(LIB)/$(SO) ## SEED=n CALLS=n FIRST=n DRIVER=name: calls under injected faults, compared with the ledger of what ran
	$(FAULT_ENDPOINT)
	CARGO='$(CARGO)' CC='$(CC)' $(VENV)/bin/pytest -rs -s tests/faults

test-faults-long: export SEED := random
test-faults-long: export CALLS := 100000
test-faults-long: export LOAD_CALLS := 1000000
test-faults-long: test-faults ## the same with 100,000 calls and a new seed, and 1,000,000 calls without faults

# 40 minutes on two free cores, with at most 1 GB of memory; the report is what SECURITY.md has of it.
test-faults-million: $(VENV)/ready $(LIB)/$(SO) ## 1,000,000 calls under faults and a new seed, in the background: build/million.log
	$(FAULT_ENDPOINT)
	CARGO='$(CARGO)' CC='$(CC)' SEED='$(or $(SEED),random)' CALLS='$(or $(CALLS),1000000)' \
		nohup nice -n 10 $(VENV)/bin/pytest -s tests/faults/test_faults.py > $(BUILD)/million.log 2>&1 &
	@echo 'the calls are made in the background; the result will be in $(BUILD)/million.log'

# Tools of nightly Rust. Each first runs a fault of tests/planted.rs, which it has to find: so it is on.
NIGHTLY ?= nightly
has_component = rustup component list --toolchain $(NIGHTLY) 2>/dev/null | grep -q '^$1.*(installed)' || \
	{ echo 'make $@ needs $1 of nightly Rust: rustup toolchain install $(NIGHTLY) --component $1' >&2; exit 1; }

# In the programs of tests/c and tests/cpp, in which gcc finds more to warn of then. Not in those that measure memory
# (stream_unread) or limit it (memory). In about every tenth run of queue_forks a child waits for a lock of the sanitizer's own
# allocator, which another thread of the parent held at the fork (gcc 12). At the end of a thread, late.c, glibc itself leaks.
ADDRESS_SANITIZER := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer \
	-Wno-maybe-uninitialized -Wno-format-truncation
PROGRAMS_WITH_SANITIZERS := test_program and not valgrind and not c++17 and not (late or memory or queue_forks or stream_unread)

# Instrumented from the standard library on; only ring's assembly is not.
THREAD_SANITIZER_TARGET = $(or $(CARGO_TARGET_DIR),$(CURDIR)/target)/thread-sanitizer
thread_sanitizer = CARGO_TARGET_DIR='$(THREAD_SANITIZER_TARGET)' RUSTFLAGS='-Zsanitizer=thread -Cunsafe-allow-abi-mismatch=sanitizer' \
	$(CARGO) +$(NIGHTLY) $1 --locked --quiet -Zbuild-std --target $(TARGET)
SANITIZED_LIB = $(THREAD_SANITIZER_TARGET)/$(TARGET)/debug
# Forked children start threads as well. Not in those that limit the stack, which has to be several times larger then (stack), or
# that make a client when idle connections hold all but a few descriptors: where calls are slow, they hold those too
# (queue_descriptors). In some children of queue_forks ThreadSanitizer takes a new thread for one of the parent's, and ends the
# process (gcc 12).
PROGRAMS_WITH_THREAD_SANITIZER := race or test_program and not valgrind and not c++17 and not (queue_descriptors or queue_forks or stack)
# Without it ThreadSanitizer cannot place its memory on some kernels.
FIXED_ADDRESSES := $(if $(shell command -v setarch),setarch -R)
must_find = 2>&1 | grep -q '$1' || { echo 'make $@: the planted fault was not found' >&2; exit 1; }

# 20 minutes the first time, 12 afterwards.
sanitize: $(VENV)/ready $(LIB)/$(SO) ## AddressSanitizer, UBSan and ThreadSanitizer over C and C++ programs, the last over Rust tests of driver and queue too
	$(FAULT_ENDPOINT)
	CARGO='$(CARGO)' CC='$(CC)' $(VENV)/bin/pytest -rs tests/faults/test_sanitizers.py
	CC='$(CC) $(ADDRESS_SANITIZER)' CXX='$(CXX) $(ADDRESS_SANITIZER)' $(VENV)/bin/pytest -rs tests/c/test_c.py tests/cpp/test_cpp.py \
		-k '$(PROGRAMS_WITH_SANITIZERS)'
	@$(call has_component,rust-src)
	$(call thread_sanitizer,test) --test planted -- --ignored race $(call must_find,ThreadSanitizer: data race)
	$(call thread_sanitizer,test) --lib -- driver:: platform:: retry::
	$(call thread_sanitizer,test) --test queue -- --skip ten_thousand
	$(CC) -O1 -fPIC -c tests/faults/thread_sanitizer.c -o '$(THREAD_SANITIZER_TARGET)/thread_sanitizer.o'
	$(call thread_sanitizer,rustc) --lib --features capi --crate-type cdylib -- -Clink-arg='$(THREAD_SANITIZER_TARGET)/thread_sanitizer.o'
	ln -sf $(SO) '$(SANITIZED_LIB)/$(SO).$(ABI)'
	CC='$(CC) -fsanitize=thread' CXX='$(CXX) -fsanitize=thread' TEST_LIBRARY='$(SANITIZED_LIB)' \
		TSAN_OPTIONS="die_after_fork=0 suppressions='$(CURDIR)/tests/faults/thread_sanitizer.supp'" \
		$(FIXED_ADDRESSES) $(VENV)/bin/pytest -rs tests/c/test_c.py tests/cpp/test_cpp.py -k '$(PROGRAMS_WITH_THREAD_SANITIZER)'

# 4 minutes the first time, 1 afterwards.
miri: ## Miri over the parts of ffi, driver and platform that make no system calls of their own
	@$(call has_component,miri)
	$(MIRI) --test planted -- --ignored freed $(call must_find,Undefined Behavior)
	$(MIRI) --lib -- $(MIRI_RUNS)

# Not what uses sockets, fork, getaddrinfo, signal masks or child processes, which Miri does not have, nor what takes hours there.
MIRI_RUNS := ffi:: driver::permits platform::reserve
MIRI = CARGO_TARGET_DIR='$(or $(CARGO_TARGET_DIR),$(CURDIR)/target)/miri' $(CARGO) +$(NIGHTLY) miri test --locked --quiet

# 2 minutes.
loom: ## every order of the steps that threads take in permits, wait queue, pool, queue, shared runtime, cancellation, state of a process and fork barrier
	CARGO_TARGET_DIR='$(or $(CARGO_TARGET_DIR),$(CURDIR)/target)/loom' $(CARGO) run --locked --quiet --manifest-path tests/loom/Cargo.toml

fuzz: ## SECONDS=n TARGETS=names: the fuzz targets under libFuzzer, by default all for 10 s each; compiled in 6 minutes first
	CARGO='$(CARGO)' $(PYTHON) tests/fuzz/run.py $(or $(SECONDS),10) $(TARGETS)

test-emulators: $(BUILD)/venv-emulators/ready $(BUILD)/aws-lambda-rie $(LIB)/$(SO) ## against ministack, moto and AWS's RIE (large downloads)
	CC='$(CC)' $(BUILD)/venv-emulators/bin/pytest -rs tests/emulators

GO_TEST := bindings/go/with-library go test -count=1

test-go: $(VENV)/ready $(LIB)/$(SO) $(LIB)/liblambda_invoke.a ## the Go package: plain, with a hostile collector, under -race, static
	$(GO_TEST) ./...
	GOGC=1 GODEBUG=cgocheck=1 $(GO_TEST) ./...
	$(GO_TEST) -race ./...
	$(GO_TEST) -tags lambda_invoke_static ./...

test-docs: $(VENV)/ready $(LIB)/$(SO) $(BUILD)/demo ## links, programs and generated pages of all documents, and the demo
	CC='$(CC)' CXX='$(CXX)' $(VENV)/bin/pytest -rs tests/docs

test-install: $(VENV)/ready lib ## programs outside the repository against an installation
	CC='$(CC)' $(VENV)/bin/pytest -rs tests/install

# Not part of test: it compiles the crate again. Where the dependencies are compiled already, they are used.
# Generated: include/lambda_invoke.h, tests/abi/prototypes.c.
C_AND_CPP := $(filter-out include/lambda_invoke.h tests/abi/prototypes.c,$(wildcard examples/*.c examples/*.cpp include/*.h include/*.hpp \
	tests/*/*.c tests/*/*.h tests/*/*.cpp tests/*/*.hpp tests/cpp/units/*.cpp benches/programs/*.c benches/programs/*.h))

lint: $(VENV)/ready $(LIB)/$(SO) $(LIB)/liblambda_invoke.a ## every linter, at its strictest
	$(CARGO) fmt --check
	$(CARGO) fmt --check --manifest-path benches/peers/Cargo.toml
	$(CARGO) clippy --locked --all-targets -- -D warnings
	RUSTDOCFLAGS='-D warnings' $(CARGO) doc --locked --no-deps
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	MYPYPATH=bindings/python:benches $(VENV)/bin/mypy --strict tools packaging/build_wheel.py
	MYPYPATH=bindings/python:tools $(VENV)/bin/mypy --strict --ignore-missing-imports benches
	$(VENV)/bin/clang-format --dry-run -Werror $(C_AND_CPP)
	@test -z "$$(gofmt -l bindings/go benches/go)" || { echo "gofmt would change:"; gofmt -l bindings/go benches/go; exit 1; }
	bindings/go/with-library go vet ./...
	bindings/go/with-library go vet -tags lambda_invoke_static ./...
	@$(foreach system,$(OTHER_SYSTEMS),$(call check_for,$(system)) &&) true

# The code for systems that nothing is released for compiles all the same. zig compiles the C parts of dependencies; `make dist`
# has installed it, and rustup the target, or else this is skipped.
OTHER_SYSTEMS := aarch64-apple-darwin x86_64-pc-windows-gnu
check_for = if [ -x $(BUILD)/venv-dist/bin/cargo-zigbuild ] && [ -d "$$(rustc --print target-libdir --target $1)" ]; then \
	PATH="$(CURDIR)/$(BUILD)/venv-dist/bin:$$PATH" cargo-zigbuild rustc --locked --lib --profile check --target $1 -- -D warnings; else \
	echo 'lint: skipped cargo check for $1: it needs `make dist` once, and rustup target add $1'; fi

format: $(VENV)/ready ## format all sources as lint requires
	$(CARGO) fmt
	$(CARGO) fmt --manifest-path benches/peers/Cargo.toml
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .
	$(VENV)/bin/clang-format -i $(C_AND_CPP)
	gofmt -w bindings/go benches/go

# CARGO_BUILD_TARGET is the system that the library is for. Programs that the build itself runs are for this one.
FOR_THIS_MACHINE := env -u CARGO_BUILD_TARGET

# Not part of lint: compiling cargo-deny takes minutes on a new machine.
CARGO_DENY := $(BUILD)/cargo/bin/cargo-deny

deny: $(CARGO_DENY) ## licences, sources and banned crates among the dependencies (deny.toml)
	$(CARGO_DENY) --locked check --deny warnings licenses bans sources

# Databases that cannot be reached are named; AUDIT_MUST=1 makes that a failure.
audit: $(CARGO_DENY) ## known vulnerabilities of all dependencies, as far as the databases of Rust, Go and Python can be reached
	$(PYTHON) tools/audit.py $(CARGO_DENY)

$(CARGO_DENY):
	$(FOR_THIS_MACHINE) $(CARGO) install --locked --version 0.20.2 --root $(BUILD)/cargo cargo-deny

MSRV := $(shell sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)

msrv: ## build with the oldest Rust that Cargo.toml promises, which rustup must have
	@$(CARGO) +$(MSRV) --version >/dev/null 2>&1 || \
		{ echo 'make msrv needs Rust $(MSRV): rustup toolchain install $(MSRV) --profile minimal' >&2; exit 1; }
	CARGO_TARGET_DIR='$(or $(CARGO_TARGET_DIR),target)/msrv' $(CARGO) +$(MSRV) check --locked --all-targets

release-check: ## check that everything is consistent before a release (RELEASING.md)
	$(PYTHON) tools/release_check.py

header: ## renew include/lambda_invoke.h from src/ffi, and what follows from it in bindings, man, docs and tests/abi
	$(FOR_THIS_MACHINE) $(CARGO) run --locked --quiet --example make_header
	$(PYTHON) tools/generate_bindings.py
	$(PYTHON) tools/generate_pages.py

docs: $(BUILD)/venv-docs/ready ## the book of docs, in build/docs
	$(PYTHON) tools/draw_cost.py
	$(BUILD)/venv-docs/bin/mdbook build docs

lib: $(LIB)/$(SO) $(LIB)/liblambda_invoke.a $(BUILD)/THIRD-PARTY-NOTICES ## both libraries, in build/lib, and their notices

# One archive, optimised at link time, from which both libraries are linked: cargo's own shared library could have no version
# of its symbols, since rustc gives the linker a version script without a name, which allows no other beside it.
# RUST_ARCHIVE names one that was built before, such as for a test of packages.
RUST_ARCHIVE ?= $(BUILD)/rust.a
$(BUILD)/rust.a: $(RUST_SOURCES) packaging/build_library.py $(BUILD)/configuration
	@mkdir -p $(BUILD)
	CFLAGS="$$CFLAGS $(HARDENING)" $(PYTHON) packaging/build_library.py staticlib $@ $(CARGO) -- --features capi $(CARGO_OPTIONS)

# The functions of the header, and nothing else, each with the version LAMBDA_0, by which packagers track them.
$(BUILD)/lambda_invoke.map: include/lambda_invoke.h Makefile
	@mkdir -p $(BUILD)
	{ echo 'LAMBDA_$(ABI) { global:'; $(FUNCTIONS) 's/$$/;/'; echo 'local: *; };'; } > $@

# -z nodelete: threads and fork handlers may still run this code after dlclose. -z defs: what no library has fails here, not
# in a program.
$(LIB)/$(SO): $(RUST_ARCHIVE) $(BUILD)/lambda_invoke.map
	@mkdir -p $(LIB)
	$(CC) -shared $(LDFLAGS) -Wl,-soname,$(SO).$(ABI) -Wl,-z,nodelete -Wl,-z,defs -Wl,-z,relro -Wl,-z,now \
		-Wl,-z,noexecstack -Wl,--build-id=sha1 -Wl,--gc-sections $(if $(DEBUG_INFO),,-Wl,-s) \
		-Wl,--version-script=$(BUILD)/lambda_invoke.map $$($(FUNCTIONS) 's/^/-Wl,-u,/') $< \
		-Wl,--as-needed $(UNWINDER) $(PRIVATE_LIBS) -o $(LIB)/$(SO).$(ABI)
	ln -sf $(SO).$(ABI) $@

# Links everything into one object in which only lambda_* is global, so that it does not collide with other Rust code. Parts
# of Rust's standard library contain LLVM bitcode, which a linker plugin would take for the object's. The lambda_* symbols
# themselves are hidden, since the strictest visibility of all references counts: a shared object that contains the archive
# calls its own copy, and exports none of it. So no linker option is needed, which some users of a pkg-config file would
# not pass on.
$(LIB)/liblambda_invoke.a: $(RUST_ARCHIVE) include/lambda_invoke.h Makefile
	@mkdir -p $(LIB)
	{ echo '.section .note.GNU-stack, ""'; echo '.section .data.hidden, "aw"'; \
		$(FUNCTIONS) 's/.*/.hidden &; .8byte &/'; } | $(CC) -c -x assembler - -o $(LIB)/hidden.o
	$(LD) -r $(GC_SECTIONS) $$($(FUNCTIONS) 's/^/-u /') \
		$(LIB)/hidden.o $(RUST_ARCHIVE) $(ARCHIVED_UNWINDER) -o $(LIB)/liblambda_invoke.o
	$(OBJCOPY) --strip-debug --remove-section=.llvmbc --remove-section=.llvmcmd \
		--wildcard --keep-global-symbol='lambda_*' $(LIB)/liblambda_invoke.o
	rm -f $@
	$(AR) rcsD $@ $(LIB)/liblambda_invoke.o
	rm $(LIB)/liblambda_invoke.o $(LIB)/hidden.o

# Every function of the header, each edited by the argument.
FUNCTIONS = sed -nE 's/^(LAMBDA_MUST_USE )?[a-z][^(]*\b(lambda_[a-z_]+)\(.*/\2/p' include/lambda_invoke.h | sed

# The system that the library is for. musl has no unwinder, and neither has every compiler that builds for it; so Rust's own
# goes into both libraries, where Rust brings one.
TARGET := $(or $(CARGO_BUILD_TARGET),$(shell rustc -vV | sed -n 's/^host: //p'))
ifneq (,$(findstring -musl,$(TARGET)))
UNWINDER := $(wildcard $(shell rustc --print sysroot)/lib/rustlib/$(TARGET)/lib/self-contained/libunwind.a)
ARCHIVED_UNWINDER := $(UNWINDER)
endif
GC_SECTIONS := --gc-sections

# For the parts in C and assembly. rustc has the same for Rust code in its nightly versions only, and a library is marked for
# CET or BTI only if all of it is.
HARDENING = -fstack-protector-strong $(HARDENING_$(firstword $(subst -, ,$(TARGET))))
HARDENING_x86_64 := -fcf-protection
HARDENING_aarch64 := -mbranch-protection=standard

# Says for what system the libraries were built last. It changes only when that does, so that make builds them anew: a library
# that is there already may be another system's. Compilers and flags are not among it: whoever changes them wants a demo or a
# test with what is there, or says make clean.
$(BUILD)/configuration: FORCE
	@mkdir -p $(BUILD)
	@printf '%s\n' '$(TARGET)' '$(CARGO)' '$(DEBUG_INFO)' > $@.new
	@if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi

$(BUILD)/THIRD-PARTY-NOTICES: Cargo.lock packaging/notices.py $(wildcard packaging/licenses/*) $(BUILD)/configuration
	$(PYTHON) packaging/notices.py $(TARGET) > $@.new
	mv $@.new $@

# Sets its own umask: somebody whose umask is, for example, 077 still installs for other users.
install: lib ## libraries, headers, pkg-config and CMake files into DESTDIR and PREFIX
	$(FOR_ALL) install -d '$(DESTDIR)$(LIBDIR)/pkgconfig' '$(DESTDIR)$(LIBDIR)/cmake/lambda_invoke' '$(DESTDIR)$(INCLUDEDIR)' \
		'$(DESTDIR)$(DOCDIR)' '$(DESTDIR)$(DATADIR)'
	install -m 755 $(LIB)/$(SO).$(ABI) '$(DESTDIR)$(LIBDIR)/$(SO).$(VERSION)'
	ln -sf $(SO).$(VERSION) '$(DESTDIR)$(LIBDIR)/$(SO).$(ABI)'
	ln -sf $(SO).$(ABI) '$(DESTDIR)$(LIBDIR)/$(SO)'
	install -m 644 $(LIB)/liblambda_invoke.a '$(DESTDIR)$(LIBDIR)'
	install -m 644 $(wildcard include/*) '$(DESTDIR)$(INCLUDEDIR)'
	install -m 644 LICENSE-APACHE LICENSE-MIT ABI.md README.md CHANGELOG.md $(BUILD)/THIRD-PARTY-NOTICES '$(DESTDIR)$(DOCDIR)'
	install -m 644 $(wildcard packaging/*.supp) '$(DESTDIR)$(DATADIR)'
	$(FOR_ALL) install -d '$(DESTDIR)$(MANDIR)/man3' '$(DESTDIR)$(MANDIR)/man7'
	install -m 644 man/lambda_invoke.3 '$(DESTDIR)$(MANDIR)/man3'
	install -m 644 man/lambda_invoke.7 '$(DESTDIR)$(MANDIR)/man7'
	for name in $$($(FUNCTIONS) '/^lambda_invoke$$/d'); do ln -sf lambda_invoke.3 '$(DESTDIR)$(MANDIR)/man3'/$$name.3 || exit 1; done
	$(FOR_ALL) $(FILL_IN) packaging/lambda_invoke.pc.in > '$(DESTDIR)$(LIBDIR)/pkgconfig/lambda_invoke.pc'
	$(FOR_ALL) $(FILL_IN) packaging/lambda_invoke-config.cmake \
		> '$(DESTDIR)$(LIBDIR)/cmake/lambda_invoke/lambda_invoke-config.cmake'
	$(FOR_ALL) $(FILL_IN) packaging/lambda_invoke-config-version.cmake \
		> '$(DESTDIR)$(LIBDIR)/cmake/lambda_invoke/lambda_invoke-config-version.cmake'


uninstall: ## remove what install has put there; needs the same DESTDIR, PREFIX and folders
	rm -f '$(DESTDIR)$(LIBDIR)/$(SO)' '$(DESTDIR)$(LIBDIR)/$(SO).$(ABI)' '$(DESTDIR)$(LIBDIR)/$(SO).$(VERSION)' \
		'$(DESTDIR)$(LIBDIR)/liblambda_invoke.a' '$(DESTDIR)$(LIBDIR)/pkgconfig/lambda_invoke.pc'
	cd include && for file in *; do rm -f '$(DESTDIR)$(INCLUDEDIR)'/"$$file" || exit 1; done
	rm -f '$(DESTDIR)$(MANDIR)/man7/lambda_invoke.7'
	for name in $$($(FUNCTIONS) ''); do rm -f '$(DESTDIR)$(MANDIR)/man3'/$$name.3 || exit 1; done
	rm -rf '$(DESTDIR)$(LIBDIR)/cmake/lambda_invoke' '$(DESTDIR)$(DOCDIR)' '$(DESTDIR)$(DATADIR)'

FOR_ALL := umask 022 &&
FILL_IN = sed -e 's|@PREFIX@|$(PREFIX)|g' -e 's|@LIBDIR@|$(LIBDIR)|g' -e 's|@INCLUDEDIR@|$(INCLUDEDIR)|g' \
	-e 's|@VERSION@|$(VERSION)|g' -e 's|@VERSION_MAJOR@|$(firstword $(subst ., ,$(VERSION)))|g' -e 's|@ABI@|$(ABI)|g' \
	-e 's|@PRIVATE_LIBS@|$(PRIVATE_LIBS)|g' \
	-e 's|@PC_LIBDIR@|$(subst $(PREFIX)/,$${prefix}/,$(LIBDIR))|g' \
	-e 's|@PC_INCLUDEDIR@|$(subst $(PREFIX)/,$${prefix}/,$(INCLUDEDIR))|g' \
	-e 's|@INCLUDE_FROM_CMAKE@|$(shell realpath -m --relative-to='$(LIBDIR)/cmake/lambda_invoke' '$(INCLUDEDIR)')|g'

$(BUILD)/demo: examples/demo.c include/lambda_invoke.h $(LIB)/$(SO)
	$(CC) $(CFLAGS) $(WARNINGS) -Iinclude $< -L$(LIB) -llambda_invoke -Wl,-rpath,'$$ORIGIN/lib' -o $@

# The Python packages of tests and documents, at the versions that they were last run with.
$(VENV)/ready: tests/requirements.txt
$(BUILD)/venv-emulators/ready: tests/emulators/requirements.txt
$(BUILD)/venv-docs/ready: docs/requirements.txt
%/ready:
	$(PYTHON) -m venv $*
	$*/bin/pip install --quiet --requirement $<
	@touch $@

# DIST_TARGETS chooses among the targets that packaging/dist.py names.
dist: ## what a release has for each target, in dist/ (RELEASING.md); needs rustup, and downloads a tool chain
	@$(PYTHON) -m venv $(BUILD)/venv-dist && $(BUILD)/venv-dist/bin/pip install --quiet --requirement packaging/dist-requirements.txt || \
		echo 'dist: the tools of packaging/dist-requirements.txt cannot be installed'
	$(PYTHON) packaging/source.py --debian
	$(PYTHON) packaging/dist.py $(DIST_TARGETS)
	$(PYTHON) packaging/go_module.py

# With what the machine has of Debian's musl, musl-tools, qemu-user-static, gcc-aarch64-linux-gnu, g++-aarch64-linux-gnu, and of
# apt for root folders (RELEASING.md); the rest is named. 10 minutes for all targets on two free cores.
test-dist: $(VENV)/ready ## the files of `make dist`: what they need, and the C and C++ tests with them, emulated too
	$(VENV)/bin/pytest -rs tests/dist

test-reproducible: ## build a target of `make dist` again, in another folder: the files must be the same (5 minutes)
	$(PYTHON) tests/dist/reproducible.py

# 5 minutes for each of them.
test-packages: $(VENV)/ready ## build the packages of Python, Debian, RPM, cargo-c and crates.io, with those tools that there are
	CARGO_TARGET_DIR='$(or $(CARGO_TARGET_DIR),$(CURDIR)/target)' $(VENV)/bin/pytest --timeout 1800 -rs tests/packaging

# The first run downloads and builds what the library is compared with, for 10 minutes or more. A run of everything renews
# benches/results.json, the figure and the tables of docs.
bench: $(LIB)/$(SO) $(LIB)/liblambda_invoke.a ## CASES="one burst" ROUNDS=n QUICK=1: the cost of a call, compared with other clients (15 minutes)
	CARGO='$(CARGO)' CC='$(CC)' $(PYTHON) benches/bench.py --cases '$(CASES)' --rounds '$(or $(ROUNDS),7)' $(if $(QUICK),--quick)

$(BUILD)/aws-lambda-rie: tests/emulators/fetch_rie.py | $(BUILD)/venv-emulators/ready
	$(BUILD)/venv-emulators/bin/python $< $@

clean: ## remove everything that was built
	rm -rf $(BUILD) target dist

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
