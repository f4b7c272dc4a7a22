// SPDX-License-Identifier: Apache-2.0
// From the text of a value to the field of struct config, and back.
// Invariant: what config_value_print writes, config_value_set reads to an equal value.
// One thread.  Read next: config_table.h.
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"
#include "replicator/config_table.h"

// Sets one value; a list is split at its commas.  ERR_INVALID: `ret_problem` says what is wrong and what
// is allowed; ERR_NOMEM.  On an error the field keeps its value.
enum err config_value_set(struct config *config, const struct config_row *row, struct span text,
                          struct buf *ret_problem) MUST_USE;
// The same for a list whose elements stand apart.
enum err config_value_set_items(struct config *config, const struct config_row *row,
                                const struct config_list *items, struct buf *ret_problem) MUST_USE;

bool config_value_eq(const struct config *a, const struct config *b, const struct config_row *row);

// As YAML.
void config_value_print(const struct config *config, const struct config_row *row, struct buf *out);

// What is allowed, in words: "1 to 256".
void config_value_allowed(const struct config_row *row, struct buf *out);
