# SPDX-License-Identifier: Apache-2.0
# The benchmarks: part of the Makefile, which includes it.

.PHONY: bench bench-api bench-size bench-map bench-map-peers bench-map-build

USES_bench := node config core stream localmap base
BENCH_BIN := $(patsubst %.c,$(B)/%,$(wildcard tests/bench/bench_*.c))
$(eval $(call test_rule,tests/bench,bench,bench))

bench: $(BENCH_BIN) $(B)/meshpulse ## Run the benchmarks
	$(Q)for b in $(BENCH_BIN); do echo "== $$b"; $$b || exit 1; done

# What our HTTP server is measured against; no part of the product.
$(B)/tests/bench/peers/evhttp: $(B)/tests/bench/peers/evhttp.o
	$(Q)$(CC) -o $@ $< $(LINK_$(MODE)) $(shell pkg-config --libs libevent)

bench-api: export BENCH_ROOT := $(CURDIR)/build/bench
bench-api: export BENCH_EVHTTP := $(CURDIR)/$(B)/tests/bench/peers/evhttp
bench-api: $(B)/meshpulse $(B)/tests/bench/peers/evhttp ## Requests/s of the admin API beside evhttp, nginx and Redis (fetches wrk and nginx)
	$(Q)tools/bench_deps.sh $(BENCH_ROOT)
	$(Q)tests/bench/api.pl

bench-size: $(B)/meshpulse ## Memory, descriptors, idle CPU and the time to be ready of a daemon
	$(Q)tests/bench/size.pl

# --- maps: one program per map under $(MAP)/bin; all are measured with the same driver (tests/bench/map/peer.h).
MAP := $(B)/bench-map
MAP_ROOT := build/bench/map
MAP_OBJ := $(call obj,$(filter-out %_main.c,$(wildcard tests/bench/map/*.c)) tests/bench/report.c)
# What could be fetched, or is there: tools/bench_map_deps.sh leaves it (or the reason why not) in MAP_ROOT.
MAP_PEERS = workload facade allocs table rwlock64 rwlock1 rwlock-table $(if $(wildcard $(MAP_ROOT)/include/boost),boost)

bench-map: bench-map-peers ## localmap's table beside boost::concurrent_flat_map, Go's sync.Map and rwlocks (fetches those two)
	$(Q)BENCH_MAP_BIN=$(MAP) tests/bench/map/map.pl

bench-map-peers: ## Only build what bench-map measures, and its operations
	$(Q)tools/bench_map_deps.sh $(MAP_ROOT)
	$(Q)$(MAKE) bench-map-build
	$(Q)$(MAP)/workload $(MAP_ROOT)/data

bench-map-build: $(addprefix $(MAP)/,$(MAP_PEERS)) $(addprefix $(B)/tests/bench/,bench_spine bench_quota)

$(B)/tests/bench/map/%.o: CFLAGS += -isystem $(MAP_ROOT)/include
$(B)/%.o: %.cc Makefile
	@mkdir -p $(@D)
	$(Q)$(CXX) -std=c++17 -I. -isystem $(MAP_ROOT)/include -Wall -Wextra -DNDEBUG $(FLAGS_$(MODE)) -MMD -MP -c $< -o $@

$(MAP)/table: $(B)/tests/bench/map/peers/table.o $(MAP_OBJ) $(call lib,localmap base)
$(MAP)/rwlock64: $(B)/tests/bench/map/peers/rwlock64.o $(MAP_OBJ) $(call lib,base)
$(MAP)/rwlock1: $(B)/tests/bench/map/peers/rwlock1.o $(MAP_OBJ) $(call lib,base)
$(MAP)/rwlock-table: $(call obj,tests/bench/map/peers/rwlock_map.c tests/bench/map/peers/rwlock_table.c) $(MAP_OBJ) $(call lib,base)
$(MAP)/boost: $(B)/tests/bench/map/peers/boost.o $(MAP_OBJ) $(call lib,base)
$(MAP)/facade: $(call obj,$(wildcard tests/bench/map/facade/*.c) tests/bench/map/measure.c tests/bench/map/workload.c \
  $(addprefix tests/bench/,sample.c report.c)) $(call lib,localmap base)
$(MAP)/allocs: $(call obj,$(wildcard tests/bench/map/allocs/*.c) tests/bench/map/workload.c tests/bench/report.c) $(call lib,localmap base)
$(MAP)/workload: $(call obj,$(addprefix tests/bench/map/,workload_main.c workload.c) tests/bench/report.c) $(call lib,base)
$(MAP)/%:
	@mkdir -p $(@D)
	@echo "  LINK  $@"
	$(Q)$(if $(filter boost,$*),$(CXX),$(CC)) -o $@ $(filter %.o,$^) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(LIBS)
