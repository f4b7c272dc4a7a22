// SPDX-License-Identifier: Apache-2.0
// The rows that people see: one kind of table for instances, one for services, one for nodes.
// Main thread.  Read next: table.h, get.c.
#pragma once

#include "base/span.h"

#include <stdbool.h>
#include <stdio.h>

struct json;
struct session;
struct table;

enum show_kind {
    SHOW_SERVICE,
    SHOW_INSTANCE,
    SHOW_CHANGE,
    SHOW_NODE,
    SHOW_OBSERVATION,
    SHOW_WORST
};

// The columns that this kind has in the session's form.
void show_table_init(struct table *table, enum show_kind kind, const struct session *session);
// Adds a row for an object of the API: a service, an Instance (also SHOW_CHANGE), a node, an observation.
void show_row(struct table *table, enum show_kind kind, const struct session *session,
              const struct json *object);

// An instance that is gone: a row of SHOW_INSTANCE or SHOW_CHANGE.
void show_deleted(struct table *table, enum show_kind kind, const struct session *session,
                  const struct json *object);

// -o name: "service", "service/instance", the node's id.
void show_name(FILE *out, enum show_kind kind, const struct json *object);
