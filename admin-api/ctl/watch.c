// SPDX-License-Identifier: Apache-2.0
#include "admin-api/ctl/watch.h"

#include "admin-api/ctl/answer.h"
#include "admin-api/ctl/client.h"
#include "admin-api/ctl/ctl.h"
#include "admin-api/ctl/run.h"
#include "admin-api/ctl/session.h"
#include "admin-api/ctl/show.h"
#include "admin-api/ctl/sse.h"
#include "admin-api/ctl/target.h"
#include "base/json.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

#define WAIT_MIN_MS 200
#define WAIT_MAX_MS 5000
#define PROBLEM_MAX (1U << 20)

struct follower {
    struct session *session;
    const struct watch_options *options;
    struct client *client;
    struct sse sse;
    struct buf path;
    struct buf problem; // the body of an answer that is no stream
    unsigned status;
    bool connected; // in this attempt
    enum err err;   // of reading the stream
    int wait_ms;
};

static void on_event(void *arg, const struct sse_event *event)
{
    struct follower *follower = arg;
    const struct watch_options *options = follower->options;
    struct json *object = NULL;
    struct json_error where;
    if (strcmp(event->event, "resync") == 0) {
        options->on_resync(options->arg, event->data);
    } else if (strcmp(event->event, "change") == 0 &&
               json_parse(event->data, &object, &where) == ERR_OK) {
        struct watch_event change = {object, event->data, answer_bool(object, "deleted")};
        options->on_change(options->arg, &change);
    }
    json_free(object);
}

static bool on_data(void *arg, unsigned status, struct span data)
{
    struct follower *follower = arg;
    follower->status = status;
    if (status != 200) {
        buf_put(&follower->problem, data);
        return true;
    }
    follower->connected = true;
    follower->wait_ms = WAIT_MIN_MS;
    follower->err = sse_feed(&follower->sse, data);
    if (follower->err == ERR_OK && ferror(stdout) != 0) {
        follower->err = ERR_CLOSED; // nobody reads any more
    }
    return follower->err == ERR_OK;
}

static int make_path(struct follower *follower)
{
    const char *tenant = session_value(follower->session, OPTION_TENANT);
    struct buf *path = &follower->path;
    buf_str(path, "/v1/watch?tenant=");
    target_encode(span_str(tenant != NULL ? tenant : "default"), path);
    if (follower->options->service.len > 0) {
        buf_str(path, "&service=");
        target_encode(follower->options->service, path);
    }
    if (follower->options->since != NULL) {
        buf_printf(path, "&since=%s", follower->options->since);
    }
    return session_check(path);
}

// One connection, until it ends.  CTL_OK: another one is worth trying.
static int connect_once(struct follower *follower, bool first)
{
    const char *id = sse_id(&follower->sse);
    struct client_request request = {
        .method = "GET",
        .path = buf_cstr(&follower->path),
        .last_event_id = id[0] != '\0' ? id : NULL,
        .stream = true,
        .on_data = on_data,
        .arg = follower,
    };
    follower->connected = false;
    follower->status = 0;
    buf_reset(&follower->problem);
    sse_reset(&follower->sse);
    enum err err = client_call(follower->client, &request, &follower->status);
    if (follower->err == ERR_CLOSED) {
        return CTL_FAILED;
    }
    if (follower->err != ERR_OK) {
        session_complain("the stream of events: %s", err_text(follower->err));
        return CTL_FAILED;
    }
    if (follower->connected) {
        return CTL_OK;
    }
    if (err != ERR_OK && first) {
        return session_unreachable(follower->client, err);
    }
    bool passing = err != ERR_OK || (follower->status == 503 && !first);
    return passing ? CTL_OK : session_judge(follower->status, buf_span(&follower->problem));
}

static int follow(struct follower *follower)
{
    int exit = make_path(follower);
    for (bool first = true; exit == CTL_OK; first = false) {
        exit = connect_once(follower, first);
        if (exit != CTL_OK) {
            break;
        }
        if (follower->connected && !follower->session->quiet) {
            session_complain("the connection ended; connecting again");
        }
        (void)poll(NULL, 0, follower->wait_ms);
        follower->wait_ms =
            follower->wait_ms * 2 < WAIT_MAX_MS ? follower->wait_ms * 2 : WAIT_MAX_MS;
    }
    return exit;
}

int watch_follow(struct session *session, const struct watch_options *options)
{
    struct follower follower = {.session = session, .options = options, .wait_ms = WAIT_MIN_MS};
    int exit = session_connect(session, &follower.client);
    if (exit != CTL_OK) {
        return exit;
    }
    sse_init(&follower.sse, on_event, &follower);
    buf_init(&follower.path, 16384);
    buf_init(&follower.problem, PROBLEM_MAX);
    exit = follow(&follower);
    buf_fini(&follower.problem);
    buf_fini(&follower.path);
    sse_fini(&follower.sse);
    client_free(follower.client);
    return exit;
}

// --- the command: each change as a line

struct printer {
    struct session *session;
    struct table table;
};

static void print_change(void *arg, const struct watch_event *event)
{
    struct printer *printer = arg;
    const struct session *session = printer->session;
    if (session->form == SESSION_JSON || session->form == SESSION_JSONL) {
        printf("%.*s\n", (int)event->text.len, event->text.ptr);
    } else if (session->form == SESSION_NAME) {
        show_name(stdout, SHOW_CHANGE, event->object);
    } else {
        if (event->deleted) {
            show_deleted(&printer->table, SHOW_CHANGE, session, event->object);
        } else {
            show_row(&printer->table, SHOW_CHANGE, session, event->object);
        }
        if (table_print(&printer->table, stdout) != ERR_OK) {
            session_complain("a change is not shown: out of memory");
        }
    }
    (void)fflush(stdout);
}

static void print_resync(void *arg, struct span text)
{
    const struct printer *printer = arg;
    (void)text;
    if (printer->session->form == SESSION_JSON || printer->session->form == SESSION_JSONL) {
        puts("{\"resync\":true}");
    } else {
        puts("resync: changes may be missing here");
    }
    (void)fflush(stdout);
}

int watch_run(struct session *session)
{
    const struct arguments *arguments = session->arguments;
    struct printer printer = {.session = session};
    const char *service = arguments->operand_count > 0 ? arguments->operands[0] : "";
    if (arguments->operand_count > 0 && service[0] == '\0') {
        return ctl_usage_error(arguments->command, "SERVICE is empty");
    }
    struct watch_options options = {
        .service = span_str(service),
        .on_change = print_change,
        .on_resync = print_resync,
        .arg = &printer,
    };
    show_table_init(&printer.table, SHOW_CHANGE, session);
    int exit = watch_follow(session, &options);
    table_fini(&printer.table);
    return exit;
}
