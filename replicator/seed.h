// SPDX-License-Identifier: Apache-2.0
// The services of the configuration file on their way into the mesh.
//
//     start:  each policy and each registration is written, unconditionally; what the stream holds equally
//             is not published again, so N nodes with one file publish it once
//     warm:   registrations of these services that some file made and ours does not list are deleted
//
// Invariant: what the file says has no owner and no lease, so its bytes are a function of the file alone.
// seed_has is [any]: the table of names never changes.  The rest is [loop].
// Read next: config.h (where the services come from), core/outbox.h (why equal writes vanish).
#pragma once

#include "base/err.h"
#include "base/span.h"

#include <stdbool.h>

struct config;
struct driver;
struct map;
struct seed;
struct stream_event;

// *keeps* the configuration.  ERR_NOMEM.  *gives* it.
enum err seed_new(const struct config *config, struct seed **ret_seed) MUST_USE;
// Accepts NULL.
void seed_free(struct seed *seed);

// Is the service (joined tenant and name) one of the file's?  [any]
bool seed_has(const struct seed *seed, struct span service_key);

void seed_write(const struct seed *seed, struct driver *driver);
// Looks for policies of our services in what is read until the map is warm: one that another node has
// published and that says something else will be replaced by ours, which somebody should look at.
void seed_watch(struct seed *seed, const struct stream_event *event);
void seed_clean(const struct seed *seed, struct driver *driver, const struct map *map);
