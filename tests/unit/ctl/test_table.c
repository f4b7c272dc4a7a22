// SPDX-License-Identifier: Apache-2.0
// Prints into memory and compares every byte.
#include "admin-api/ctl/table.h"
#include "tests/lib/failalloc.h"
#include "tests/lib/suite.h"

#include <string.h>

static const char *const titles[] = {"NAME", "STATUS"};

static void row(struct table *table, struct span name, const char *status)
{
    table_cell(table, name, TABLE_PLAIN);
    table_cell(table, span_str(status), TABLE_RED);
}

static void check_print(struct table *table, const char *want)
{
    char text[512] = "";
    FILE *out = fmemopen(text, sizeof(text), "w");
    ck_assert_ptr_nonnull(out);
    CHECK_OK(table_print(table, out));
    (void)fclose(out);
    CHECK_STR(text, want);
}

TEST(columns_are_as_wide_as_their_widest_cell)
{
    struct table table;
    table_init(&table, titles, 2, (struct table_options){.headers = true});
    row(&table, SPAN_LIT("a"), "HEALTHY");
    row(&table, SPAN_LIT("longer"), "UNHEALTHY");
    check_print(&table, "NAME    STATUS\na       HEALTHY\nlonger  UNHEALTHY\n");
    row(&table, SPAN_LIT("b"), "x");
    check_print(&table, "b       x\n");
    table_fini(&table);
}

TEST(without_headers_only_cells_count)
{
    struct table table;
    table_init(&table, titles, 2, (struct table_options){.headers = false});
    row(&table, SPAN_LIT("a"), "");
    check_print(&table, "a  -\n");
    table_fini(&table);
}

TEST(a_table_without_rows_is_its_titles)
{
    struct table table;
    table_init(&table, titles, 2, (struct table_options){.headers = true});
    check_print(&table, "NAME  STATUS\n");
    table_fini(&table);
}

TEST(widths_count_characters_not_bytes)
{
    struct table table;
    table_init(&table, titles, 2, (struct table_options){.headers = false});
    row(&table, SPAN_LIT("\xc3\xa9\xc3\xa9"), "x");
    row(&table, SPAN_LIT("abc"), "y");
    check_print(&table, "\xc3\xa9\xc3\xa9   x\nabc  y\n");
    table_fini(&table);
}

TEST(control_characters_never_reach_the_terminal)
{
    struct table table;
    table_init(&table, titles, 2, (struct table_options){.headers = false});
    row(&table, SPAN_LIT("a\033[2J\n\x7f"), "x");
    row(&table,
        SPAN_LIT("\xc2\x9b"
                 "b\xc2\xa0"),
        "y");
    check_print(&table, "a\\x1b[2J\\x0a\\x7f  x\n\\x9bb\xc2\xa0            y\n");
    table_fini(&table);
}

TEST(colours_do_not_count_as_width)
{
    struct table table;
    table_init(&table, titles, 2, (struct table_options){.colours = true});
    table_cell(&table, SPAN_LIT("x"), TABLE_GREEN);
    table_cell(&table, SPAN_LIT("y"), TABLE_PLAIN);
    check_print(&table, "\033[32mx\033[0m  y\n");
    table_fini(&table);
}

static bool print_rows(void *arg)
{
    FILE *out = arg;
    struct table table;
    table_init(&table, titles, 2, (struct table_options){.headers = true});
    for (size_t i = 0; i < 100; i++) {
        row(&table, SPAN_LIT("name"), "HEALTHY");
    }
    enum err err = table_print(&table, out);
    table_fini(&table);
    return err == ERR_OK;
}

TEST(a_cell_that_found_no_memory_is_never_a_hole)
{
    FILE *out = fopen("/dev/null", "w");
    ck_assert_ptr_nonnull(out);
    (void)setvbuf(out, NULL, _IONBF, 0); // else it allocates too, and carries on without
    CHECK(failalloc_each(print_rows, out) > 200);
    (void)fclose(out);
}

SUITE("ctl/table", T(columns_are_as_wide_as_their_widest_cell), T(without_headers_only_cells_count),
      T(a_table_without_rows_is_its_titles), T(widths_count_characters_not_bytes),
      T(control_characters_never_reach_the_terminal), T(colours_do_not_count_as_width),
      T(a_cell_that_found_no_memory_is_never_a_hole));
