#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs what tests/formal needs: Relacy, which is headers, and a compiler of C++.  Quiet when both are there.
# Leaves build/formal.ok behind.
set -eu
cd "$(dirname "$0")/.."
mkdir -p build
if ! command -v "${CXX:-g++}" >/dev/null; then
    tools/apt.sh g++
fi
if [ ! -e /usr/include/relacy/relacy.hpp ]; then
    tools/apt.sh relacy-dev
fi
touch build/formal.ok
