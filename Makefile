# SPDX-License-Identifier: GPL-2.0
# The entry points for users. Each does its own set-up; what Kbuild compiles is in Kbuild.

# Kbuild's sub-makes read Kbuild, never this file.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

# The kernel to build for: unset, the sandbox's; else the build directory of a kernel of yours.
KDIR ?=

cache := $(or $(XBDBACK_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/xbdback)
bench-profile := $(if $(PROFILE),--profile 40)
in-sandbox := tools/sandbox run --
# The sandbox's kernel is built for in the sandbox, any other where we are.
build-modules := $(if $(KDIR),tools/build-modules --kdir $(KDIR),$(in-sandbox) tools/build-modules)
kbuild-args := $(if $(V),V=$(V))

.PHONY: help
help: ## show this list
	@echo "NetBSD's Xen block drivers for Linux. What make can do:"
	@echo
	@awk -F ' *## *' '/^##/ { print "\n" $$2 } /^[a-z-]+:.*##/ { sub(":.*", "", $$1); printf "  make %-13s %s\n", $$1, $$2 }' Makefile
	@echo
	@echo "All but what is installed, or built for a KDIR of yours, is done in a sandbox below"
	@echo "$(cache), which is made at first use: root, a network and 9 GB of disk are"
	@echo "needed for it."

## To try it

.PHONY: demo shell
demo: ## boot Xen, give a guest a disk served by xbdback, use it and compare
	@tools/testing/demo

shell: ## boot Xen and a dom0 with the modules, for you to type in
	@tools/testing/vm/shell

## To test it

.PHONY: check soak bench
check: ## run all tests, in 15 to 20 minutes, the last line counts them; ONLY=… for some of them
	@tools/testing/check $(ONLY)

soak: ## run the same tests with larger counts
	@tools/testing/check --soak $(ONLY)

bench: ## compare with xen-blkback and loop, in 15 minutes; QUICK=1: a few jobs, PROFILE=1: the functions that cost most
	@tools/testing/bench/run $(if $(QUICK),--quick) $(bench-profile)
	$(if $(QUICK),,@tools/testing/bench/run --job-file tools/testing/bench/file-jobs --name file $(bench-profile))
	$(if $(QUICK),,@tools/testing/bench/run-vnd $(bench-profile))

## To use it

.PHONY: modules samples tools install install-tools
modules: ## build the modules into build/modules; KDIR=… for another kernel
	@$(build-modules) $(kbuild-args)

samples: ## build the modules and the sample driver
	@$(build-modules) $(kbuild-args) XENBUS_SAMPLES=y

tools: ## build the tools into build/tools: vndcompress, vnconfig and their other names
	@$(in-sandbox) tools/build-tools

install: ## build and install the modules for this machine's kernel; KDIR=…, DESTDIR=…
	@DESTDIR=$(DESTDIR) tools/install $(if $(KDIR),--kdir $(KDIR))

install-tools: ## build and install the tools and the manual pages; PREFIX=…, DESTDIR=…
	@DESTDIR=$(DESTDIR) PREFIX=$(PREFIX) tools/install-tools

## To work on it

.PHONY: lint fmt doc sandbox
lint: ## check the sources: format, clippy, shellcheck, licences, no unsafe in drivers
	@$(in-sandbox) tools/lint

fmt: ## format the Rust sources
	@$(in-sandbox) tools/fmt

doc: ## document the crates that also run on the host, into build/doc
	@for folder in tools/testing tools/vnd; do \
		$(in-sandbox) cargo doc --quiet --locked --no-deps --document-private-items \
			--manifest-path $$folder/Cargo.toml --target-dir build/doc || exit; \
	done

sandbox: ## make the sandbox and the kernel's Rust metadata ahead of time
	@tools/sandbox make
	@$(in-sandbox) tools/kernel-rust

## To tidy up

.PHONY: clean clean-cache
clean: ## remove what was built
	rm -rf build tools/testing/target tools/testing/fuzz/target tools/vnd/target

clean-cache: ## remove the sandbox
	@tools/sandbox clean
