// SPDX-License-Identifier: Apache-2.0
// One file for each service, from which Envoy reads its endpoints (path_config_source).
//
//     changefeed --> dirty clusters --due--> eds.c: canonical JSON --equal? skip--> temporary file --rename-->
//     lapped: all clusters are dirty            at most one write of a cluster in FILES_INTERVAL_MS
//
// Invariants: a reader sees a whole file, the old or the new one; nothing is written before files_start;
// equal content is not written again; the file of a service that is gone stays and says that it has no
// endpoints, because Envoy keeps what it knew when a file vanishes.  No fsync: after a crash of the host
// the files are written anew from the map, and a rename that was lost leaves the old file.
// Two services that map to one file: the first one keeps it, the other is told once and not written.
// What other files stand in the folder is not touched: a service that this node does not know (yet, or
// because the stream is out of reach) keeps what an earlier run has written.
// One helper thread does all of it, reading the map as any thread may; nobody waits for the disk.
// Read next: eds.h (what stands in a file), cluster.h (names), backend.h.
#pragma once

#include "base/err.h"
#include "base/time.h"
#include "replicator/envoy/backend.h"

#include <stdint.h>

#define FILES_INTERVAL_MS 500
#define FILES_CLUSTERS_MAX 65536

struct envoy_files;

struct files_options {
    struct envoy_backend backend;
    const char *dir;          // exists or is made (its parent must exist); copied
    const char *cluster_name; // "{service}"; a valid template; copied
};

// ERR_NOMEM; ERR_IO, ERR_DENIED, ERR_NOT_FOUND: the folder cannot be used.  *gives* it.
enum err files_new(const struct files_options *options, struct envoy_files **ret_files) MUST_USE;
// Ends the thread, which finishes the write that it is at.  Accepts NULL.
void files_free(struct envoy_files *files);

// From now on (the map is warm) files are written: all at once, then what changes.  Again: no effect.
// ERR_IO: no thread.  [loop]
enum err files_start(struct envoy_files *files) MUST_USE;

// The changefeed has grown.  Never blocks.  [any]
void files_wake(struct envoy_files *files);

struct files_counts {
    uint64_t written; // files
    uint64_t equal;   // changes that left the content as it was
    uint64_t failed;  // writes that failed; they are tried again
    uint32_t clusters;
};
// [any]
void files_counts(const struct envoy_files *files, struct files_counts *ret_counts);

// One turn, as the thread makes it: reads the changefeed, writes what is due at `now`.  Returns in how many
// milliseconds there will be something to do without a wake, -1 when nothing waits.  For tests: instead of
// files_start.
int64_t files_step(struct envoy_files *files, struct mono now);
