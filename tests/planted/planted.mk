# SPDX-License-Identifier: Apache-2.0
# What it costs to have ThreadSanitizer look: part of the Makefile, which includes it.

.PHONY: tsan-cost

TSAN_COST := $(addprefix tests/unit/localmap/test_,map_threads map_model table)
tsan-cost: $(B)/meshpulse $(addprefix $(B)/,$(TSAN_COST)) ## Size and CPU time of a ThreadSanitizer build beside the plain one
	$(Q)$(MAKE) MODE=tsan build/tsan-$(notdir $(CC))/meshpulse $(addprefix build/tsan-$(notdir $(CC))/,$(TSAN_COST))
	$(Q)tools/tsan_cost.pl $(B) build/tsan-$(notdir $(CC)) $(TSAN_COST)
