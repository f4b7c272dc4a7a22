// SPDX-License-Identifier: Apache-2.0
#include "admin-api/ctl/answer.h"
#include "admin-api/ctl/ctl.h"
#include "admin-api/ctl/run.h"
#include "admin-api/ctl/session.h"
#include "admin-api/ctl/show.h"
#include "admin-api/ctl/status.h"
#include "admin-api/ctl/target.h"
#include "admin-api/ctl/watch.h"
#include "base/json.h"

#include <stdio.h>
#include <string.h>

#define PATH_MAX_LEN 65536
#define INDEX_MAX 32
#define ITEMS_MAX (1U << 30)

struct get {
    struct session *session;
    struct target target;
    enum show_kind kind;
    bool filtered;
    unsigned statuses; // of the filter
    bool watching;
    struct table table;
    struct buf path;
    struct buf items; // of -o json with a filter
    char index[INDEX_MAX];
};

// A service has the statuses of its instances.
static bool service_has(const struct json *service, unsigned statuses)
{
    static const char *const counts[] = {"unknown",  "healthy", "unhealthy",
                                         "draining", "timeout", "degraded"};
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        if (status_set_has(statuses, span_str(counts[i])) &&
            answer_int(service, counts[i], 0) > 0) {
            return true;
        }
    }
    return false;
}

static bool is_wanted(const struct get *get, const struct json *item)
{
    bool named = get->kind != SHOW_INSTANCE || get->target.instance.len == 0 ||
                 span_eq(answer_text(item, "id"), get->target.instance);
    if (!named || !get->filtered) {
        return named;
    }
    return get->kind == SHOW_SERVICE ? service_has(item, get->statuses)
                                     : status_set_has(get->statuses, answer_text(item, "status"));
}

static void emit(struct get *get, const struct json *item)
{
    switch (get->session->form) {
    case SESSION_TABLE:
    case SESSION_WIDE:
        show_row(&get->table, get->kind, get->session, item);
        break;
    case SESSION_JSON:
    case SESSION_JSONL:
        if (get->items.len > 0) {
            buf_byte(&get->items, get->session->form == SESSION_JSON ? ',' : '\n');
        }
        answer_write(item, &get->items);
        break;
    case SESSION_NAME:
        show_name(stdout, get->kind, item);
        break;
    }
}

static int finish_items(struct get *get)
{
    if (session_check(&get->items) != CTL_OK) {
        return CTL_FAILED;
    }
    bool list =
        get->session->form == SESSION_JSON && !get->watching && get->target.instance.len == 0;
    if (list) {
        printf("{\"items\":[%s],\"index\":\"%s\"}\n", buf_cstr(&get->items), get->index);
    } else if (get->items.len > 0) {
        puts(buf_cstr(&get->items));
    }
    buf_reset(&get->items);
    return CTL_OK;
}

// Prints what was emitted.
static int finish(struct get *get)
{
    int exit = CTL_OK;
    enum session_form form = get->session->form;
    if (form == SESSION_JSON || form == SESSION_JSONL) {
        exit = finish_items(get);
    } else if (form != SESSION_NAME && table_print(&get->table, stdout) != ERR_OK) {
        session_complain("%s", err_text(ERR_NOMEM));
        exit = CTL_FAILED;
    }
    (void)fflush(stdout);
    return exit;
}

static int show_observations(const struct get *get, const struct json *instance)
{
    struct table table;
    show_table_init(&table, SHOW_OBSERVATION, get->session);
    const struct json *row = json_first(json_get(instance, "observations"));
    for (; row != NULL; row = json_next(row)) {
        show_row(&table, SHOW_OBSERVATION, get->session, row);
    }
    putchar('\n');
    enum err err = table_print(&table, stdout);
    table_fini(&table);
    return err == ERR_OK ? CTL_OK : CTL_FAILED;
}

static int show_one(struct get *get, const struct json *item)
{
    if (!is_wanted(get, item)) {
        return CTL_OK;
    }
    emit(get, item);
    int exit = finish(get);
    bool wide = get->session->form == SESSION_WIDE && get->kind == SHOW_INSTANCE;
    return exit == CTL_OK && wide && !get->watching ? show_observations(get, item) : exit;
}

static int show_list(struct get *get, const struct json *root)
{
    struct span index = answer_text(root, "index");
    if (index.len < INDEX_MAX) {
        memcpy(get->index, index.len > 0 ? index.ptr : "", index.len);
        get->index[index.len] = '\0';
    }
    size_t count = 0;
    const struct json *item = json_first(json_get(root, "items"));
    for (; item != NULL; item = json_next(item)) {
        if (is_wanted(get, item)) {
            emit(get, item);
            count++;
        }
    }
    if (count == 0 && get->target.instance.len > 0 && !get->filtered) {
        session_complain("there is no such instance");
        return CTL_NOT_FOUND;
    }
    return finish(get);
}

static int load(struct get *get)
{
    struct session *session = get->session;
    int exit = session_call(session, "GET", buf_cstr(&get->path), NULL);
    if (exit != CTL_OK) {
        return exit;
    }
    if (session->form == SESSION_JSON && !get->filtered && !get->watching) {
        printf("%s\n", buf_cstr(&session->body));
        return CTL_OK;
    }
    struct json *root = NULL;
    exit = session_parse(session, &root);
    if (exit != CTL_OK) {
        return exit;
    }
    bool list = json_get(root, "items") != NULL;
    exit = list ? show_list(get, root) : show_one(get, root);
    json_free(root);
    return exit;
}

// The row of the service in which something changed.
static void show_service_of(struct get *get, const struct json *instance)
{
    struct target target = {answer_text(instance, "service"), SPAN_NONE};
    int exit = session_path(get->session, &target, &get->path);
    if (exit == CTL_OK) {
        (void)load(get); // what went wrong was said; the next change tries again
    }
}

static void on_change(void *arg, const struct watch_event *event)
{
    struct get *get = arg;
    if (get->kind == SHOW_SERVICE) {
        show_service_of(get, event->object);
        return;
    }
    bool gone = event->deleted && span_eq(answer_text(event->object, "id"), get->target.instance);
    gone = gone || (event->deleted && get->target.instance.len == 0);
    bool table = get->session->form == SESSION_TABLE || get->session->form == SESSION_WIDE;
    if (gone && table) {
        show_deleted(&get->table, get->kind, get->session, event->object);
    } else if (gone || (!event->deleted && is_wanted(get, event->object))) {
        emit(get, event->object);
    }
    (void)finish(get);
}

static int load_all(struct get *get)
{
    struct target target = get->target;
    if (get->watching) {
        target.instance = SPAN_NONE; // only a list has an index to go on from
    }
    int exit = session_path(get->session, &target, &get->path);
    if (exit == CTL_OK && get->kind == SHOW_INSTANCE && target.instance.len == 0) {
        buf_str(&get->path, "/instances");
        exit = session_check(&get->path);
    }
    return exit == CTL_OK ? load(get) : exit;
}

static void on_resync(void *arg, struct span text)
{
    struct get *get = arg;
    (void)text;
    session_complain("resync: changes may be missing; listing again");
    (void)load_all(get);
}

static int read_arguments(struct get *get)
{
    const struct arguments *arguments = get->session->arguments;
    const char *list = session_value(get->session, OPTION_STATUS);
    get->filtered = list != NULL;
    get->watching = session_value(get->session, OPTION_WATCH) != NULL;
    get->kind = arguments->operand_count > 0 ? SHOW_INSTANCE : SHOW_SERVICE;
    if (list != NULL && status_set_parse(list, &get->statuses) != ERR_OK) {
        return ctl_usage_error(arguments->command,
                               "--status: \"%s\"; allowed, parted by commas: %s", list,
                               STATUS_WORDS);
    }
    bool whole = session_value(get->session, OPTION_SERVICE) != NULL;
    if (arguments->operand_count > 0 &&
        target_parse(arguments->operands[0], whole, &get->target) != ERR_OK) {
        return ctl_usage_error(arguments->command, "\"%s\" has an empty name; allowed: %s",
                               arguments->operands[0], arguments->command->operands);
    }
    return CTL_OK;
}

int get_run(struct session *session)
{
    struct get get = {.session = session};
    int exit = read_arguments(&get);
    if (exit != CTL_OK) {
        return exit;
    }
    buf_init(&get.path, PATH_MAX_LEN);
    buf_init(&get.items, ITEMS_MAX);
    show_table_init(&get.table, get.kind, session);
    exit = load_all(&get);
    if (exit == CTL_OK && get.watching) {
        struct watch_options options = {
            .service = get.target.service,
            .since = get.index[0] != '\0' ? get.index : NULL,
            .on_change = on_change,
            .on_resync = on_resync,
            .arg = &get,
        };
        exit = watch_follow(session, &options);
    }
    table_fini(&get.table);
    buf_fini(&get.items);
    buf_fini(&get.path);
    return exit;
}

int nodes_run(struct session *session)
{
    struct get get = {.session = session, .kind = SHOW_NODE};
    buf_init(&get.path, PATH_MAX_LEN);
    buf_init(&get.items, ITEMS_MAX);
    show_table_init(&get.table, SHOW_NODE, session);
    buf_str(&get.path, "/v1/nodes");
    int exit = load(&get);
    table_fini(&get.table);
    buf_fini(&get.items);
    buf_fini(&get.path);
    return exit;
}
