// SPDX-License-Identifier: Apache-2.0
// Aligned columns on a terminal or in a pipe.  Rows are kept until they are printed, as the widths follow
// from them; widths only grow, so that rows that are printed later stand under the first ones.
// Invariant: what is printed holds no control character of a cell: they become \xNN.
// Allocation failures are sticky and come out of table_print.  One thread.
#pragma once

#include "base/err.h"
#include "base/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define TABLE_COLUMNS_MAX 24

enum table_colour { TABLE_PLAIN, TABLE_GREEN, TABLE_YELLOW, TABLE_RED, TABLE_DIM };

struct table_cell {
    char *text;
    size_t width; // in characters
    enum table_colour colour;
};

struct table {
    const char *titles[TABLE_COLUMNS_MAX];
    size_t column_count;
    size_t widths[TABLE_COLUMNS_MAX];
    struct table_cell *cells; // column_count to a row
    size_t cell_count, cell_cap;
    bool headers; // print the titles before the next rows
    bool colours;
    bool failed;
};

struct table_options {
    bool headers;
    bool colours;
};

// Keeps the words of the titles, not the array.
void table_init(struct table *table, const char *const *titles, size_t column_count,
                struct table_options options);
void table_fini(struct table *table);

// The next cell, from left to right; "" and SPAN_NONE are shown as "-".
void table_cell(struct table *table, struct span text, enum table_colour colour);
// With the words of printf, at most 255 bytes.
void table_printf(struct table *table, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

// Prints and drops the rows that are complete; the titles only once.  ERR_NOMEM: a cell was lost, nothing
// is printed.
enum err table_print(struct table *table, FILE *out) MUST_USE;
