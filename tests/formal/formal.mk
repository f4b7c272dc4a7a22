# SPDX-License-Identifier: Apache-2.0
# The models of the table's protocol: part of the Makefile, which includes it.

.PHONY: formal

CXX := $(if $(filter default,$(origin CXX)),g++,$(CXX))
FORMAL_BIN := $(patsubst tests/%.cpp,build/%,$(wildcard tests/formal/*.cpp))

build/formal.ok: tools/formal_deps.sh
	$(Q)CXX=$(CXX) tools/formal_deps.sh

build/formal/%: tests/formal/%.cpp tests/formal/model.hpp build/formal.ok
	@mkdir -p $(@D)
	@echo "  CXX   $<"
	$(Q)$(CXX) -std=c++14 -O2 -w -I. -o $@ $<

formal: $(FORMAL_BIN) ## Try every execution of the models of the table's protocol (installs Debian's relacy-dev)
	$(Q)prove -v $(FORMAL_BIN)
