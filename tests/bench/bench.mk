# SPDX-License-Identifier: Apache-2.0
# The benchmarks: part of the Makefile, which includes it.

.PHONY: bench bench-api bench-size

USES_bench := core stream localmap base
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
