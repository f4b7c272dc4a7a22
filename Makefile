# SPDX-License-Identifier: Apache-2.0
# One makefile, not recursive.  `make help` lists the targets.  One build tree per mode and compiler.
MODE ?= release
CC := $(if $(filter default,$(origin CC)),gcc,$(CC))
B := build/$(MODE)-$(notdir $(CC))
VERSION := 0.1.0
RELEASED := November 25, 2026

ifeq ($(V),1)
Q :=
else
Q := @
MAKEFLAGS += --no-print-directory
endif
ifeq ($(MAKELEVEL)$(filter -j%,$(MAKEFLAGS)),0)
MAKEFLAGS += -j$(shell nproc)
endif

# --- what is built ---------------------------------------------------------------------------------
# A module is an archive of its own, so that a test links what its module may use and nothing else.
SRC_base := $(wildcard base/*.c)
SRC_localmap := $(wildcard localmap/*.c localmap/model/*.c localmap/table/*.c)
SRC_stream := $(wildcard stream/*.c stream/redis/*.c)
SRC_core := $(wildcard replicator/core/*.c)
SRC_check := $(wildcard replicator/check/*.c)
SRC_envoy := $(wildcard replicator/envoy/*.c)
SRC_config := $(wildcard replicator/config*.c replicator/write_queue.c)
SRC_api := $(wildcard admin-api/*.c)
SRC_ctl := $(wildcard admin-api/ctl/*.c)
SRC_demo := $(wildcard replicator/demo/*.c)
SRC_node := $(filter-out $(SRC_config),$(wildcard replicator/*.c))
MODULES := node demo ctl api config envoy check core stream localmap base
LLHTTP_DIR := build/llhttp
LIB_PKGS := hiredis libcurl libcjson openssl libevent_core libevent_openssl libevent_pthreads yaml-0.1

# --- flags -----------------------------------------------------------------------------------------
WARN := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wstrict-prototypes \
  -Wmissing-prototypes -Wold-style-definition -Wformat=2 -Wundef -Wvla -Wwrite-strings \
  -Wpointer-arith -Wswitch-enum -Wnull-dereference -Wdouble-promotion -Wredundant-decls
WARN_gcc := -Wcast-qual -Wlogical-op -Wduplicated-cond -Wduplicated-branches
HARDEN := -fPIE -fstack-protector-strong -fstack-clash-protection
FLAGS_release := -O2 -g $(HARDEN) -D_FORTIFY_SOURCE=2
FLAGS_debug := -O0 -g3
FLAGS_asan := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined
FLAGS_tsan := -O1 -g -fno-omit-frame-pointer -fsanitize=thread
LINK_release := -pie -Wl,-z,relro,-z,now
LINK_asan := -fsanitize=address,undefined
LINK_tsan := -fsanitize=thread
CFLAGS_ALL = -std=c11 -D_GNU_SOURCE -DMESHPULSE_VERSION='"$(VERSION)"' -DMESHPULSE_RELEASED='"$(RELEASED)"' -I. -isystem $(LLHTTP_DIR) \
  $(WARN) $(WARN_$(notdir $(CC))) $(FLAGS_$(MODE)) $(if $(CI),-Werror) $(PKG_CFLAGS) $(CFLAGS)
PKG_CFLAGS := $(shell pkg-config --cflags $(LIB_PKGS) 2>/dev/null)
PKG_LIBS := $(shell pkg-config --libs $(LIB_PKGS) 2>/dev/null)
PKG_FOUND := $(shell pkg-config --exists $(LIB_PKGS) 2>/dev/null && echo yes)
LIBS = $(LINK_$(MODE)) $(LDFLAGS) $(PKG_LIBS) -lpthread -lm

obj = $(patsubst %.c,$(B)/%.o,$(1))
lib = $(patsubst %,$(B)/lib/%.a,$(1))

.PHONY: all help run fuzz check planted check-asan check-tsan check-valkey check-programs programs e2e chart clean install-deps house lint share compile_commands install uninstall deb image
.DELETE_ON_ERROR:
.SECONDARY:

all: meshpulse ## Build ./meshpulse (optimised)

help: ## List the targets
	$(Q)awk -F':.*## ' '/^[a-z0-9_ -]+:.*## / {printf "  %-22s %s\n", $$1, $$2}' Makefile tests/*/*.mk

meshpulse: $(B)/meshpulse
	$(Q)cp --remove-destination $< $@

run: meshpulse ## Install what is missing, build, and run the demo (Ctrl-C ends it)
	$(Q)./meshpulse demo

# --- dependencies ----------------------------------------------------------------------------------
# These goals include a file that tools/deps.sh leaves behind: make runs the script first, then starts
# again and sees what pkg-config says now.
ifneq ($(filter run check check-% planted house e2e chart bench bench-% install-deps,$(MAKECMDGOALS)),)
include build/deps.ok
endif
build/deps.ok: tools/deps.sh tools/packages.txt
	$(Q)CC=$(CC) tools/deps.sh

install-deps: build/deps.ok ## Install what building and testing needs (Debian 12 or newer)

$(LLHTTP_DIR)/llhttp.a: tools/llhttp.sh
	$(Q)CC=$(CC) tools/llhttp.sh $(LLHTTP_DIR)

# --- compiling -------------------------------------------------------------------------------------
$(B)/%.o: %.c Makefile | $(LLHTTP_DIR)/llhttp.a
	@mkdir -p $(@D)
	$(if $(PKG_FOUND),,$(error libraries are missing; run: make install-deps))
	@[ -n "$(Q)" ] && echo "  CC    $<" || true
	$(Q)$(CC) $(CFLAGS_ALL) -MMD -MP -c $< -o $@

define module_rule
$(B)/lib/$(1).a: $$(call obj,$$(SRC_$(1)))
	@mkdir -p $$(@D)
	$$(Q)rm -f $$@ && ar rcs $$@ $$^
endef
$(foreach m,$(MODULES),$(eval $(call module_rule,$(m))))

$(B)/meshpulse: $(call lib,$(MODULES)) $(LLHTTP_DIR)/llhttp.a
	@echo "  LINK  $@"
	$(Q)$(CC) -o $@ -Wl,--whole-archive $(B)/lib/node.a -Wl,--no-whole-archive \
	  -Wl,--start-group $^ -Wl,--end-group $(LIBS)

# --- tests -----------------------------------------------------------------------------------------
# tests/unit/<module>/test_x.c links what its module may include.
USES_base := base
USES_localmap := localmap base
USES_stream := stream base
USES_core := core localmap base
USES_check := check localmap base
USES_envoy := envoy localmap base
USES_config := config localmap base
USES_api := api localmap base
USES_ctl := ctl localmap base
USES_demo := demo ctl localmap base
USES_node := $(MODULES)
USES_contract := stream base
USES_sim := core stream localmap base
USES_integration := $(MODULES)

UNIT_SRC := $(wildcard tests/unit/*/test_*.c)
CONTRACT_SRC := $(wildcard tests/contract/test_*.c)
SIM_SRC := $(wildcard tests/sim/test_*.c)
INTEGRATION_SRC := $(wildcard tests/integration/test_*.c)
TEST_BIN := $(patsubst %.c,$(B)/%,$(UNIT_SRC) $(CONTRACT_SRC) $(SIM_SRC) $(INTEGRATION_SRC))
TEST_LIBS := $(shell pkg-config --libs check 2>/dev/null)
# helpers beside the tests of a folder: every other .c in it, and tests/lib
helpers = $(call obj,$(filter-out $(wildcard $(1)/test_*.c $(1)/bench_*.c),$(wildcard $(1)/*.c)) $(wildcard tests/lib/*.c))

define test_rule
$(B)/$(1)/$(3)_%: $(B)/$(1)/$(3)_%.o $$(call helpers,$(1)) $$(call lib,$$(USES_$(2))) $(LLHTTP_DIR)/llhttp.a
	@echo "  LINK  $$@"
	$$(Q)$$(CC) -o $$@ $$(filter %.o,$$^) -Wl,--start-group $$(filter %.a,$$^) -Wl,--end-group $$(TEST_LIBS) $$(LIBS)
endef
$(foreach d,$(wildcard tests/unit/*) $(addprefix tests/,contract sim integration),$(eval $(call test_rule,$(d),$(notdir $(d)),test)))

# One module's unit tests: make unit-base
unit-%: ; $(Q)$(MAKE) $(patsubst %.c,$(B)/%,$(wildcard tests/unit/$*/test_*.c)) && prove $(patsubst %.c,$(B)/%,$(wildcard tests/unit/$*/test_*.c))

# What runs under prove.  Tests that need the program find it in MESHPULSE, the tree of objects in HOUSE_*.
export MESHPULSE := $(CURDIR)/$(B)/meshpulse
export REDIS_SERVER := $(CURDIR)/build/redis-server
export ENVOY := $(CURDIR)/build/envoy
house check: export HOUSE_BUILD := $(B)
house check: export HOUSE_CFLAGS = $(CFLAGS_ALL)
house check: export CC := $(CC)
PROVE := prove -j$(shell nproc) # check takes one more, and the longest first: they wait rather than work

check: $(B)/meshpulse $(TEST_BIN) ## Build and run the tests (unit, contract, simulation, integration, house)
	$(Q)prove -j$(shell expr $(shell nproc) + 1) $(sort $(wildcard tests/integration/*.t)) $(sort $(wildcard tests/house/*.t)) $(TEST_BIN)

planted: ## Plant bugs into a copy of the sources: the tests, some under a sanitizer, must find each (PATCH=one)
	$(Q)prove -v tools/planted.sh :: $(MODE) $(CC) $(PATCH)

check-asan check-tsan: check-%: ## The same under AddressSanitizer or ThreadSanitizer
	$(Q)$(MAKE) MODE=$* check-programs

programs: $(B)/meshpulse $(TEST_BIN)

# A sanitizer that finds something ends the process: its test must not be a fork whose end is only counted.
check-programs: export CK_FORK = $(if $(filter asan tsan,$(MODE)),no,yes)
check-programs: export MESH_PATIENCE = $(if $(filter asan tsan,$(MODE)),3,1)
check-programs: export UBSAN_OPTIONS = print_stacktrace=1
# The simulation has one thread: ThreadSanitizer would find nothing there, and take minutes for it.
RACE_FREE := $(if $(filter tsan,$(MODE)),$(B)/tests/sim/%)
check-programs: $(B)/meshpulse $(TEST_BIN)
	$(Q)$(PROVE) $(filter-out $(RACE_FREE),$(TEST_BIN)) $(sort $(wildcard tests/integration/*.t))

# All that speaks to a real server, with the other one that we promise to work with.
VALKEY_TESTS := $(patsubst %.c,$(B)/%,$(wildcard tests/contract/test_redis*.c) $(addprefix tests/contract/test_,oracle.c strangers.c stream.c))
check-valkey: export REDIS_SERVER := $(CURDIR)/build/valkey-server
check-valkey: $(B)/meshpulse $(VALKEY_TESTS) ## The contract and real daemons with Valkey 8 (fetched, not installed)
	$(Q)tools/valkey.sh
	$(Q)$(PROVE) $(VALKEY_TESTS) $(addprefix tests/integration/,secure.t three.t)

house: $(B)/meshpulse ## The house rules: layers, purity, headers, length, words, documents
	$(Q)$(PROVE) $(sort $(wildcard tests/house/*.t))

lint: compile_commands ## The formatter and the linter (version 14 of both)
	$(Q)prove $(sort $(wildcard tests/house/ci/*.t))

build/envoy: tools/envoy.sh ; $(Q)$<

e2e: meshpulse $(B)/meshpulse build/envoy ## The program from outside, with a real Redis and a real Envoy
	$(Q)prove $(sort $(wildcard tests/e2e/*.t))

chart: $(B)/meshpulse ## The Helm chart, against a real Kubernetes API (cold: 15 minutes to build that)
	$(Q)tools/kubernetes/provide.sh
	$(Q)prove $(sort $(wildcard tests/e2e/chart/*.t))

fuzz: $(LLHTTP_DIR)/llhttp.a ## Fuzz the parsers (FUZZ_SECONDS=30 each; installs clang)
	$(Q)prove tests/fuzz/fuzz.t

# What the program says of itself, in the form that others read; laid out as below $(PREFIX)/share.
SHARE := bash-completion/completions/meshpulse zsh/site-functions/_meshpulse fish/vendor_completions.d/meshpulse.fish \
  man/man1/meshpulse.1 man/man5/meshpulse.yaml.5
share: $(addprefix build/share/,$(SHARE)) ## Make the manual pages and the completions for bash, zsh and fish
build/share/bash-completion/%: SAY := completion bash
build/share/zsh/%: SAY := completion zsh
build/share/fish/%: SAY := completion fish
build/share/man/man1/%: SAY := man meshpulse
build/share/man/man5/%: SAY := man meshpulse.yaml
$(addprefix build/share/,$(SHARE)): meshpulse
	@mkdir -p $(@D)
	$(Q)./meshpulse $(SAY) >$@

# --- installing ------------------------------------------------------------------------------------
# packaging/files.txt says what goes where.
export DESTDIR PREFIX SYSCONFDIR UNITDIR
install: meshpulse share ## Install under $(DESTDIR) and PREFIX=/usr/local; an existing configuration stays
uninstall: ## Remove what install has put there; a configuration that was changed stays
install uninstall: ; $(Q)tools/install.sh $@

deb: ## Build the Debian package (SUITE=bookworm or trixie; this machine's own by default)
	$(Q)tools/deb.sh $(SUITE)

image: ## Build the container image (root; installs buildah) and say how large it is
	$(Q)tools/image.sh $(if $(PULL),--pull)

# For the tools that read C; the double quotes of MESHPULSE_VERSION must survive two shells.
compile_commands: ## Write compile_commands.json
	$(Q)tools/compile_commands.sh '$(CURDIR)' "$(CC) $(subst ",\",$(CFLAGS_ALL))" \
	  $(sort $(foreach m,$(MODULES),$(SRC_$(m))) $(wildcard tests/*/*.c tests/unit/*/*.c)) >compile_commands.json

include $(wildcard tests/*/*.mk)

clean: ## Remove everything that was built
	$(Q)rm -rf build meshpulse compile_commands.json

-include $(shell find $(B) -name '*.d' 2>/dev/null)
