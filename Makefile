# SPDX-License-Identifier: Apache-2.0
# One makefile, not recursive.  `make help` lists the targets.  One build tree per mode and compiler.
MODE ?= release
CC := $(if $(filter default,$(origin CC)),gcc,$(CC))
B := build/$(MODE)-$(notdir $(CC))
VERSION := 0.1.0

ifeq ($(V),1)
Q :=
else
Q := @
MAKEFLAGS += --no-print-directory
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
SRC_node := $(filter-out $(SRC_config),$(wildcard replicator/*.c replicator/demo/*.c))
MODULES := node ctl api config envoy check core stream localmap base
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
CFLAGS_ALL = -std=c11 -D_GNU_SOURCE -DMESHPULSE_VERSION='"$(VERSION)"' -I. -isystem $(LLHTTP_DIR) \
  $(WARN) $(WARN_$(notdir $(CC))) $(FLAGS_$(MODE)) $(if $(CI),-Werror) $(PKG_CFLAGS) $(CFLAGS)
PKG_CFLAGS := $(shell pkg-config --cflags $(LIB_PKGS) 2>/dev/null)
PKG_LIBS := $(shell pkg-config --libs $(LIB_PKGS) 2>/dev/null)
LIBS = $(LINK_$(MODE)) $(PKG_LIBS) -lpthread -lm

obj = $(patsubst %.c,$(B)/%.o,$(1))
lib = $(patsubst %,$(B)/lib/%.a,$(1))

.PHONY: all help run check check-asan check-tsan bench e2e clean install-deps house compile_commands
.DELETE_ON_ERROR:
.SECONDARY:

all: meshpulse ## Build ./meshpulse (optimised)

help: ## List the targets
	$(Q)awk -F':.*## ' '/^[a-z_-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' Makefile

meshpulse: $(B)/meshpulse
	$(Q)cp $< $@

# --- dependencies ----------------------------------------------------------------------------------
build/deps.ok: tools/deps.sh tools/packages.txt
	$(Q)tools/deps.sh

$(LLHTTP_DIR)/llhttp.a: tools/llhttp.sh
	$(Q)CC=$(CC) tools/llhttp.sh $(LLHTTP_DIR)

# --- compiling -------------------------------------------------------------------------------------
$(B)/%.o: %.c Makefile | $(LLHTTP_DIR)/llhttp.a
	@mkdir -p $(@D)
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
USES_ctl := ctl base
USES_node := $(filter-out node,$(MODULES))
USES_contract := stream base
USES_sim := core stream localmap base

UNIT_SRC := $(wildcard tests/unit/*/test_*.c)
CONTRACT_SRC := $(wildcard tests/contract/test_*.c)
SIM_SRC := $(wildcard tests/sim/test_*.c)
TEST_BIN = $(patsubst %.c,$(B)/%,$(UNIT_SRC) $(CONTRACT_SRC) $(SIM_SRC))
TEST_LIBS := $(shell pkg-config --libs check 2>/dev/null)
# helpers beside the tests of a folder: every other .c in it, and tests/lib
helpers = $(call obj,$(filter-out $(wildcard $(1)/test_*.c),$(wildcard $(1)/*.c)) $(wildcard tests/lib/*.c))

define test_rule
$(B)/$(1)/test_%: $(B)/$(1)/test_%.o $$(call helpers,$(1)) $$(call lib,$$(USES_$(2))) $(LLHTTP_DIR)/llhttp.a
	@echo "  LINK  $$@"
	$$(Q)$$(CC) -o $$@ $$(filter %.o,$$^) -Wl,--start-group $$(filter %.a,$$^) -Wl,--end-group $$(TEST_LIBS) $$(LIBS)
endef
$(foreach d,$(wildcard tests/unit/*),$(eval $(call test_rule,$(d),$(notdir $(d)))))
$(eval $(call test_rule,tests/contract,contract))
$(eval $(call test_rule,tests/sim,sim))

# One module's unit tests: make unit-base
unit-%: ; $(Q)$(MAKE) $(patsubst %.c,$(B)/%,$(wildcard tests/unit/$*/test_*.c)) && prove $(patsubst %.c,$(B)/%,$(wildcard tests/unit/$*/test_*.c))

clean: ## Remove everything that was built
	$(Q)rm -rf build meshpulse compile_commands.json

-include $(shell find $(B) -name '*.d' 2>/dev/null)
