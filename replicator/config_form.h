// SPDX-License-Identifier: Apache-2.0
// What strings and elements of lists must look like.
// Pure but for the buffer's memory, any thread.  Read next: config_table.h.
#pragma once

#include "base/buf.h"
#include "base/span.h"
#include "replicator/config_table.h"

#include <stdbool.h>

#define CONFIG_STRING_MAX 4096

// True when `text` has the form.  Else says so in `ret_problem`: what is wrong; what is allowed.
bool config_form_check(enum config_form form, struct span text, struct buf *ret_problem);

// What is allowed, in words, for the documentation.
const char *config_form_text(enum config_form form);

// `text` in quotes for a message: cut, and what could steer a terminal escaped.
void config_quote(struct buf *out, struct span text);

// "QUOTED WHAT; ALLOWED"
void config_problem(struct buf *out, struct span text, const char *what, const char *allowed);
