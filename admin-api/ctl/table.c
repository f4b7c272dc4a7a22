// SPDX-License-Identifier: Apache-2.0
#include "admin-api/ctl/table.h"

#include "base/assert.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define GAP 2 // blanks between two columns

static size_t max(size_t a, size_t b)
{
    return a > b ? a : b;
}

void table_init(struct table *table, const char *const *titles, size_t column_count,
                struct table_options options)
{
    ASSERT(column_count > 0 && column_count <= TABLE_COLUMNS_MAX);
    memset(table, 0, sizeof(*table));
    memcpy(table->titles, titles, column_count * sizeof(*titles));
    table->column_count = column_count;
    table->headers = options.headers;
    table->colours = options.colours;
    for (size_t i = 0; options.headers && i < column_count; i++) {
        table->widths[i] = strlen(titles[i]);
    }
}

static void drop_cells(struct table *table)
{
    for (size_t i = 0; i < table->cell_count; i++) {
        free(table->cells[i].text);
    }
    table->cell_count = 0;
}

void table_fini(struct table *table)
{
    drop_cells(table);
    free(table->cells);
    table->cells = NULL;
    table->cell_cap = 0;
}

static bool grow(struct table *table)
{
    if (table->cell_count < table->cell_cap) {
        return true;
    }
    size_t cap = table->cell_cap == 0 ? 64 : table->cell_cap * 2;
    struct table_cell *cells = realloc(table->cells, cap * sizeof(*cells));
    if (cells == NULL) {
        return false;
    }
    table->cells = cells;
    table->cell_cap = cap;
    return true;
}

// The control characters of UTF-8: C0, DEL, and C1, which is c2 80 .. c2 9f.
static bool is_control(struct span text, size_t at)
{
    unsigned char byte = (unsigned char)text.ptr[at];
    bool after_c2 = at > 0 && (unsigned char)text.ptr[at - 1] == 0xc2;
    return byte < 0x20 || byte == 0x7f || (after_c2 && byte >= 0x80 && byte < 0xa0);
}

// A copy without control characters; at most four bytes for each of `text`.
static char *escape(struct span text)
{
    char *copy = malloc(text.len * 4 + 1);
    if (copy == NULL) {
        return NULL;
    }
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (!is_control(text, i)) {
            copy[len++] = text.ptr[i];
            continue;
        }
        unsigned char byte = (unsigned char)text.ptr[i];
        len -= byte >= 0x80; // the c2 before it
        len += (size_t)snprintf(copy + len, 5, "\\x%02x", byte);
    }
    copy[len] = '\0';
    return copy;
}

static size_t width_of(const char *text)
{
    size_t width = 0;
    for (; *text != '\0'; text++) {
        width += ((unsigned char)*text & 0xc0) != 0x80; // not a continuation byte
    }
    return width;
}

void table_cell(struct table *table, struct span text, enum table_colour colour)
{
    if (table->failed) {
        return;
    }
    char *copy = escape(text.len != 0 ? text : SPAN_LIT("-"));
    if (copy == NULL || !grow(table)) {
        free(copy);
        table->failed = true;
        return;
    }
    size_t column = table->cell_count % table->column_count;
    struct table_cell cell = {copy, width_of(copy), colour};
    table->widths[column] = max(table->widths[column], cell.width);
    table->cells[table->cell_count++] = cell;
}

void table_printf(struct table *table, const char *format, ...)
{
    char text[256];
    va_list list;
    va_start(list, format);
    (void)vsnprintf(text, sizeof(text), format, list);
    va_end(list);
    table_cell(table, span_str(text), TABLE_PLAIN);
}

static void print_padded(const struct table *table, FILE *out, size_t column, size_t width)
{
    bool last = column + 1 == table->column_count;
    size_t pad = last ? 0 : table->widths[column] - width + GAP;
    fprintf(out, "%*s", (int)pad, "");
}

static void print_titles(const struct table *table, FILE *out)
{
    for (size_t i = 0; i < table->column_count; i++) {
        fputs(table->titles[i], out);
        print_padded(table, out, i, strlen(table->titles[i]));
    }
    fputc('\n', out);
}

static void print_cell(const struct table *table, FILE *out, size_t index)
{
    static const char *const codes[] = {
        [TABLE_PLAIN] = "",       [TABLE_GREEN] = "\033[32m", [TABLE_YELLOW] = "\033[33m",
        [TABLE_RED] = "\033[31m", [TABLE_DIM] = "\033[2m",
    };
    const struct table_cell *cell = &table->cells[index];
    bool coloured = table->colours && cell->colour != TABLE_PLAIN;
    fprintf(out, "%s%s%s", coloured ? codes[cell->colour] : "", cell->text,
            coloured ? "\033[0m" : "");
    print_padded(table, out, index % table->column_count, cell->width);
}

enum err table_print(struct table *table, FILE *out)
{
    if (table->failed) {
        return ERR_NOMEM;
    }
    ASSERT(table->cell_count % table->column_count == 0);
    if (table->headers) {
        print_titles(table, out);
        table->headers = false;
    }
    for (size_t i = 0; i < table->cell_count; i++) {
        print_cell(table, out, i);
        if ((i + 1) % table->column_count == 0) {
            fputc('\n', out);
        }
    }
    drop_cells(table);
    return ERR_OK;
}
