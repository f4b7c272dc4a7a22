// SPDX-License-Identifier: Apache-2.0
// The command `status`: asks for the documents, keeps them until the overview is shown.
#include "admin-api/ctl/answer.h"
#include "admin-api/ctl/ctl.h"
#include "admin-api/ctl/overview.h"
#include "admin-api/ctl/overview_show.h"
#include "admin-api/ctl/run.h"
#include "admin-api/ctl/session.h"
#include "admin-api/ctl/target.h"
#include "base/json.h"

#include <stdlib.h>
#include <string.h>

#define OUTPUT_MAX (1U << 20)
#define PATH_LEN_MAX 65536
// One request each: in a mesh where more services are in trouble, ten instances of these are bad enough.
#define SERVICES_MAX 64
#define TREES_MAX (5 + SERVICES_MAX)

struct run {
    struct session *session;
    struct json *trees[TREES_MAX];
    size_t tree_count;
    struct overview overview;
};

// GET, and its answer as a tree that lives as long as the run.
static int fetch(struct run *run, const char *path, const struct json **ret_tree)
{
    struct json *tree = NULL;
    int exit = session_call(run->session, "GET", path, NULL);
    if (exit == CTL_OK) {
        exit = session_parse(run->session, &tree);
    }
    if (exit == CTL_OK) {
        run->trees[run->tree_count++] = tree;
        *ret_tree = tree;
    }
    return exit;
}

// Not being ready is an answer here, no failure.
static int fetch_ready(struct run *run, const struct json **ret_tree)
{
    struct session *session = run->session;
    struct json *tree = NULL;
    int exit = session_ask(session, "/readyz");
    if (exit == CTL_OK && session->status != 200 && session->status != 503) {
        exit = session_judge(session->status, buf_span(&session->body));
    }
    if (exit == CTL_OK) {
        exit = session_parse(session, &tree);
    }
    if (exit == CTL_OK) {
        run->trees[run->tree_count++] = tree;
        *ret_tree = tree;
    }
    return exit;
}

static int fetch_instances(struct run *run, const struct json *service)
{
    struct target target = {answer_text(service, "name"), SPAN_NONE};
    const struct json *instances = NULL;
    struct buf path;
    buf_init(&path, PATH_LEN_MAX);
    int exit = session_path(run->session, &target, &path);
    buf_str(&path, "/instances");
    if (exit == CTL_OK) {
        exit = session_check(&path);
    }
    if (exit == CTL_OK) {
        exit = fetch(run, buf_cstr(&path), &instances);
    }
    buf_fini(&path);
    if (exit == CTL_OK) {
        overview_add(&run->overview, instances);
    }
    return exit == CTL_NOT_FOUND ? CTL_OK : exit; // deleted meanwhile
}

static int by_trouble(const void *a, const void *b)
{
    int64_t of_a = overview_trouble(*(const struct json *const *)a);
    int64_t of_b = overview_trouble(*(const struct json *const *)b);
    return (of_a < of_b) - (of_a > of_b);
}

// The instances of the services that have the most trouble.
static int look_into(struct run *run, const struct json *services)
{
    const struct json *service = json_first(json_get(services, "items"));
    size_t count = 0, cap = json_count(json_get(services, "items"));
    const struct json **rows = calloc(cap + 1, sizeof(const struct json *));
    if (rows == NULL) {
        session_complain("%s", err_text(ERR_NOMEM));
        return CTL_FAILED;
    }
    for (; service != NULL; service = json_next(service)) {
        if (overview_trouble(service) > 0) {
            rows[count++] = service;
        }
    }
    qsort(rows, count, sizeof(const struct json *), by_trouble);
    int exit = CTL_OK;
    for (size_t i = 0; exit == CTL_OK && i < count && i < SERVICES_MAX; i++) {
        exit = fetch_instances(run, rows[i]);
    }
    free(rows);
    return exit;
}

static int fetch_all(struct run *run)
{
    struct overview_documents documents = {.ready = NULL};
    struct buf path;
    int exit = fetch_ready(run, &documents.ready);
    const struct {
        const char *path;
        const struct json **tree;
    } rows[] = {{"/v1/nodes", &documents.nodes},
                {"/v1/partitions", &documents.partitions},
                {"/v1/digest", &documents.digest}};
    for (size_t i = 0; exit == CTL_OK && i < sizeof(rows) / sizeof(rows[0]); i++) {
        exit = fetch(run, rows[i].path, rows[i].tree);
    }
    buf_init(&path, PATH_LEN_MAX);
    if (exit == CTL_OK) {
        exit = session_path(run->session, &(struct target){SPAN_NONE, SPAN_NONE}, &path);
    }
    if (exit == CTL_OK) {
        exit = fetch(run, buf_cstr(&path), &documents.services);
    }
    buf_fini(&path);
    if (exit == CTL_OK) {
        overview_judge(&run->overview, &documents);
        exit = look_into(run, documents.services);
    }
    return exit;
}

static int print(const struct run *run)
{
    struct buf out;
    enum err err = ERR_OK;
    buf_init(&out, OUTPUT_MAX);
    if (run->session->form == SESSION_JSON) {
        overview_show_json(&run->overview, &out);
        err = out.err;
        printf("%s%s", err == ERR_OK ? buf_cstr(&out) : "", err == ERR_OK ? "\n" : "");
    } else {
        err = overview_show(&run->overview, run->session, stdout);
    }
    buf_fini(&out);
    if (err != ERR_OK) {
        session_complain("%s", err_text(err));
    }
    return err == ERR_OK && overview_is_fine(&run->overview) ? CTL_OK : CTL_FAILED;
}

// One small request, for whoever asks every few seconds.
static int only_ready(struct run *run)
{
    struct overview_documents documents = {.ready = NULL};
    int exit = fetch_ready(run, &documents.ready);
    if (exit != CTL_OK) {
        return exit;
    }
    overview_judge(&run->overview, &documents);
    const struct overview *overview = &run->overview;
    if (run->session->form == SESSION_JSON) {
        printf("{\"ready\":%s}\n", overview->ready ? "true" : "false");
    } else {
        puts(overview->ready ? "ready" : "not ready");
    }
    for (size_t i = 0; !overview->ready && i < overview->problem_count; i++) {
        session_complain("%s", overview->problems[i]);
    }
    return overview->ready ? CTL_OK : CTL_FAILED;
}

int overview_run(struct session *session)
{
    struct run run = {.session = session};
    bool brief = session_value(session, OPTION_READY) != NULL;
    int exit = brief ? only_ready(&run) : fetch_all(&run);
    if (!brief && exit == CTL_OK) {
        exit = print(&run);
    }
    for (size_t i = 0; i < run.tree_count; i++) {
        json_free(run.trees[i]);
    }
    return exit;
}
