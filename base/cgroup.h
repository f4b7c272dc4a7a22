// SPDX-License-Identifier: Apache-2.0
// How much memory the control group of this process uses, and how much it may.
//
//     /proc/self/cgroup   0::/pod/app          v2: <root>/pod/app/memory.current, .max, .high, .pressure
//                         4:memory:/pod/app    v1: <root>/memory/pod/app/memory.usage_in_bytes, ...
//
// A group without a limit of its own is bound by the nearest one above it that has one; then usage and
// limit are those of that group.  In a container the path of /proc/self/cgroup is often not to be found
// below the root, because the root shown there is the own group already: then the root is taken.
// Invariant: what is absent or malformed is unknown; nothing that stands in those files is an error.
// Reads a few small files, which the kernel makes up as they are read; a file that somebody else laid out may
// be slow, so not on a loop.  Any thread.  Read next: localmap/bands.h, which judges.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define CGROUP_ROOT "/sys/fs/cgroup"
#define CGROUP_SELF "/proc/self/cgroup"

enum cgroup_version { CGROUP_NONE, CGROUP_V1, CGROUP_V2 };

struct cgroup_memory {
    enum cgroup_version version; // CGROUP_NONE: no group was found, and nothing below is known
    bool known;                  // usage and limit hold
    uint64_t usage;      // bytes, without the file pages that the kernel drops when it needs room
    uint64_t limit;      // bytes; 0: none.  v2: the lesser of memory.max and memory.high
    bool pressure_known; // v2 with PSI
    uint32_t
        pressure; // hundredths of a per cent of the last 10 s in which somebody waited for memory
};

// `root`: of the hierarchies, usually CGROUP_ROOT.  `self`: usually CGROUP_SELF.
void cgroup_read_memory(const char *root, const char *self, struct cgroup_memory *ret_memory);
