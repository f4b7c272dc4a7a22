// SPDX-License-Identifier: Apache-2.0
// All that envoy knows of the daemon.  Reads go to the map itself, which any thread may read.
// Read next: eds.h, files.h.
#pragma once

struct map;

struct envoy_backend {
    const struct map *map;
};
