// SPDX-License-Identifier: Apache-2.0
#include "replicator/demo/screen.h"

#include "admin-api/ctl/table.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define COLUMNS_MAX (SCORE_NODES_MAX + 6)
_Static_assert(COLUMNS_MAX <= TABLE_COLUMNS_MAX, "a column for each node");

#define FIXED_LINES (STORY_BACKENDS + 5) // of the table, beside a line for each node

static const char *const mode_words[] = {
    [STORY_HEALTHY] = "ok",
    [STORY_ERROR] = "answers 500",
    [STORY_HANG] = "hangs",
    [STORY_REFUSE] = "refuses",
};

// A table that is higher than the terminal could not be drawn again in place.
static bool fits(size_t node_count)
{
    struct winsize size;
    size_t lines = node_count + FIXED_LINES;
    bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0;
    return !known || lines < size.ws_row;
}

void screen_init(struct screen *screen, bool json, size_t node_count)
{
    const char *no_colour = getenv("NO_COLOR");
    const char *term = getenv("TERM");
    bool terminal = isatty(STDOUT_FILENO) == 1 && term != NULL && strcmp(term, "dumb") != 0;
    memset(screen, 0, sizeof(*screen));
    screen->form = json ? SCREEN_QUIET : terminal && fits(node_count) ? SCREEN_TABLE : SCREEN_LINES;
    screen->colours = terminal && (no_colour == NULL || no_colour[0] == '\0');
}

// The cursor to where the table began, and all below it away.
static void erase(struct screen *screen)
{
    if (screen->line_count > 0) {
        printf("\033[%zuA\033[J", screen->line_count);
    }
    screen->line_count = 0;
}

static enum table_colour colour_of(const char *status)
{
    if (strcmp(status, "HEALTHY") == 0) {
        return TABLE_GREEN;
    }
    bool bad = strcmp(status, "UNHEALTHY") == 0 || strcmp(status, "TIMEOUT") == 0;
    return bad ? TABLE_RED : status[0] == '\0' ? TABLE_DIM : TABLE_YELLOW;
}

static void draw_nodes(struct screen *screen, const struct view *view)
{
    static const char *const titles[] = {"NODE", "ADMIN API", "STREAM", "LAG", "RESTARTS"};
    struct table table;
    table_init(&table, titles, 5, (struct table_options){true, screen->colours});
    for (size_t i = 0; i < view->node_count; i++) {
        const struct view_node *node = &view->nodes[i];
        table_cell(&table, span_str(node->id), TABLE_PLAIN);
        table_cell(&table, span_str(node->url), TABLE_PLAIN);
        table_cell(&table, span_str(node->up ? node->stream : "down"),
                   node->up ? TABLE_PLAIN : TABLE_RED);
        if (node->lag_ms >= 0) {
            table_printf(&table, "%" PRId64 " ms", node->lag_ms);
        } else {
            table_cell(&table, SPAN_NONE, TABLE_DIM);
        }
        table_printf(&table, "%u", node->restarts);
    }
    if (table_print(&table, stdout) == ERR_OK) {
        screen->line_count += view->node_count + 1;
    }
    table_fini(&table);
}

// The time between the first and the last node that showed the last change.
static void add_spread(struct table *table, const struct view_backend *backend)
{
    if (backend->first_ms != 0) {
        table_printf(table, "%" PRId64 " ms", backend->last_ms - backend->first_ms);
    } else {
        table_cell(table, SPAN_NONE, TABLE_DIM);
    }
}

static void add_row(struct table *table, const struct view *view,
                    const struct view_backend *backend)
{
    table_cell(table, span_str(backend->service), TABLE_PLAIN);
    table_cell(table, span_str(backend->instance), TABLE_PLAIN);
    table_cell(table, span_str(mode_words[backend->mode]), TABLE_PLAIN);
    const char *reason = "";
    for (size_t i = 0; i < view->node_count; i++) {
        const struct view_seen *seen = &backend->seen[i];
        table_cell(table, span_str(seen->status), colour_of(seen->status));
        reason = seen->reason[0] != '\0' ? seen->reason : reason;
    }
    table_cell(table, span_str(reason), TABLE_PLAIN);
    table_printf(table, "%" PRId64 " s", (view->now_ms - backend->flipped_ms) / 1000);
    add_spread(table, backend);
}

static void draw_backends(struct screen *screen, const struct view *view)
{
    const char *titles[COLUMNS_MAX] = {"SERVICE", "INSTANCE", "BACKEND"};
    size_t count = 3;
    for (size_t i = 0; i < view->node_count; i++) {
        titles[count++] = view->nodes[i].id;
    }
    titles[count++] = "REASON";
    titles[count++] = "AGE";
    titles[count++] = "LAG";
    struct table table;
    table_init(&table, titles, count, (struct table_options){true, screen->colours});
    for (size_t i = 0; i < STORY_BACKENDS; i++) {
        add_row(&table, view, &view->backends[i]);
    }
    if (table_print(&table, stdout) == ERR_OK) {
        screen->line_count += STORY_BACKENDS + 1;
    }
    table_fini(&table);
}

void screen_draw(struct screen *screen, const struct view *view)
{
    if (screen->form != SCREEN_TABLE) {
        return;
    }
    erase(screen);
    int64_t now_ms = view->now_ms > 0 ? view->now_ms : 0;
    // No line may wrap, else there were more of them than we count.
    fputs("\033[?7l", stdout);
    printf("meshpulse demo  seed %" PRIu64 "  %" PRId64 ".%" PRId64 " s  flips %" PRIu64 "\n\n",
           view->seed, now_ms / 1000, now_ms % 1000 / 100, view->flips);
    screen->line_count = 2;
    draw_nodes(screen, view);
    putchar('\n');
    screen->line_count++;
    draw_backends(screen, view);
    fputs("\033[?7h", stdout);
    (void)fflush(stdout);
}

void screen_note(struct screen *screen, const char *format, ...)
{
    if (screen->form == SCREEN_TABLE) {
        erase(screen);
    }
    FILE *out = screen->form == SCREEN_QUIET ? stderr : stdout;
    va_list list;
    va_start(list, format);
    (void)vfprintf(out, format, list);
    va_end(list);
    fputc('\n', out);
    (void)fflush(out);
}

void screen_change(struct screen *screen, const struct view *view, size_t backend, size_t node)
{
    if (screen->form != SCREEN_LINES) {
        return;
    }
    const struct view_backend *row = &view->backends[backend];
    printf("%7.3f s  node %s sees %s/%s %s %s (the backend %s)\n", (double)view->now_ms / 1000,
           view->nodes[node].id, row->service, row->instance, row->seen[node].status,
           row->seen[node].reason, mode_words[row->mode]);
    (void)fflush(stdout);
}

void screen_result(struct screen *screen, const struct score *score, bool converged)
{
    int64_t p50 = score_percentile(score, 50);
    int64_t p99 = score_percentile(score, 99);
    if (screen->form == SCREEN_QUIET) {
        printf("{\"flips\":%" PRIu64 ",\"seen_p50_ms\":%" PRId64 ",\"seen_p99_ms\":%" PRId64
               ",\"converged\":%s}\n",
               score->flips, p50, p99, converged ? "true" : "false");
    } else {
        printf("flips %" PRIu64 "\nseen p50_ms %" PRId64 " p99_ms %" PRId64 "\nconverged: %s\n",
               score->flips, p50, p99, converged ? "yes" : "no");
    }
    (void)fflush(stdout);
}
