// SPDX-License-Identifier: Apache-2.0
// Memory that lives as long as one configuration: many small pieces, freed together.
// One thread until the configuration is given; then nobody allocates.
#pragma once

#include "base/err.h"
#include "base/span.h"

#include <stddef.h>

struct config_pool;

// NULL: out of memory.
struct config_pool *config_pool_new(void);
// Frees every piece.  Accepts NULL.
void config_pool_free(struct config_pool *pool);

// Zeroed, aligned for any type.  NULL: out of memory.
void *config_pool_alloc(struct config_pool *pool, size_t len);
// A copy with a NUL behind it.  NULL: out of memory.
const char *config_pool_copy(struct config_pool *pool, struct span text);
