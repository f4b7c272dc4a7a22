// SPDX-License-Identifier: Apache-2.0
// From a service to the name of its Envoy cluster, and from that to the name of its file.
// Invariant: a file name is one part of a path, begins with no dot and is not over 205 bytes, whatever
// the service is called; two names that are not cut are equal only for equal clusters.
// Pure but for the buffer's memory, any thread.
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

#include <stddef.h>

#define CLUSTER_NAME_MAX 1024
#define CLUSTER_FILE_STEM_MAX 200
#define CLUSTER_FILE_LEN (CLUSTER_FILE_STEM_MAX + 6) // with ".json" and a NUL

// Puts the name of the cluster of `tenant 0 service` into `out` (emptied first).  ERR_NOMEM,
// ERR_TOO_LARGE (over out's ceiling), ERR_SYNTAX: the template, or no service key.
enum err cluster_name(struct span name_template, struct span service_key, struct buf *out) MUST_USE;

// Every byte outside of [A-Za-z0-9_-] becomes %XX; what is then over CLUSTER_FILE_STEM_MAX bytes is cut
// and completed by "-" and the hash of the whole; then ".json".
void cluster_file_name(struct span cluster, char ret_name[CLUSTER_FILE_LEN]);
