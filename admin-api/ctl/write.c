// SPDX-License-Identifier: Apache-2.0
// The commands that change something: set, report, delete, drain, undrain.
#include "admin-api/ctl/ctl.h"
#include "admin-api/ctl/run.h"
#include "admin-api/ctl/session.h"
#include "admin-api/ctl/status.h"
#include "admin-api/ctl/target.h"
#include "base/json_write.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH_MAX_LEN 65536
#define BODY_MAX 65536

struct write {
    struct session *session;
    struct target target;
    struct buf path;
    struct buf body;
    struct json_writer json; // into the body
};

// The first operand as target; whole: SERVICE alone is allowed too.
static int write_begin(struct write *write, struct session *session, bool service_allowed)
{
    const struct arguments *arguments = session->arguments;
    const char *operand = arguments->operands[0];
    bool whole = session_value(session, OPTION_SERVICE) != NULL;
    memset(write, 0, sizeof(*write));
    write->session = session;
    enum err err = target_parse(operand, whole, &write->target);
    if (err != ERR_OK || (write->target.instance.len == 0 && !service_allowed)) {
        return ctl_usage_error(arguments->command, "\"%s\" is no target; allowed: %s", operand,
                               arguments->command->operands);
    }
    buf_init(&write->path, PATH_MAX_LEN);
    buf_init(&write->body, BODY_MAX);
    json_writer_init(&write->json, &write->body, JSON_COMPACT);
    return session_path(session, &write->target, &write->path);
}

static void write_fini(struct write *write)
{
    buf_fini(&write->path);
    buf_fini(&write->body);
}

static void print_done(const struct write *write, const char *what)
{
    const struct session *session = write->session;
    bool json = session->form == SESSION_JSON || session->form == SESSION_JSONL;
    if (session->quiet) {
        return;
    }
    if (json) {
        if (session->body.len > 0) {
            printf("%s\n", buf_cstr(&session->body));
        }
        return;
    }
    struct span service = write->target.service, instance = write->target.instance;
    bool name = session->form == SESSION_NAME;
    printf("%.*s%s%.*s%s%s\n", (int)service.len, service.ptr, instance.len > 0 ? "/" : "",
           (int)instance.len, instance.len > 0 ? instance.ptr : "", name ? "" : " ",
           name ? "" : what);
}

// Adds what --ack asks for to the path.
static void add_ack(struct write *write)
{
    const char *ack = session_value(write->session, OPTION_ACK);
    const char *timeout = session_value(write->session, OPTION_TIMEOUT);
    if (ack == NULL) {
        return;
    }
    buf_printf(&write->path, "?ack=%s", ack);
    if (timeout != NULL && strcmp(ack, "stream") == 0) {
        buf_str(&write->path, "&timeout=");
        target_encode(span_str(timeout), &write->path);
    }
}

static int write_send(struct write *write, const char *method, const char *done)
{
    struct session *session = write->session;
    add_ack(write);
    int exit = session_check(&write->path);
    if (exit == CTL_OK) {
        exit = session_check(&write->body);
    }
    if (exit != CTL_OK) {
        return exit;
    }
    const char *body = write->body.len > 0 ? buf_cstr(&write->body) : NULL;
    exit = session_call(session, method, buf_cstr(&write->path), body);
    if (exit != CTL_OK) {
        return exit;
    }
    print_done(write, done);
    if (session->status == 202) {
        session_complain("kept here, but not accepted by the stream yet");
        return CTL_TIMED_OUT;
    }
    return CTL_OK;
}

// An option as a string member, where it was given.
static void add_text(struct write *write, const char *key, enum option_id id)
{
    const char *value = session_value(write->session, id);
    if (value != NULL) {
        json_write_text(&write->json, key, value);
    }
}

// The same for a duration, which is judged here, so that a slip is a usage error.
static int add_duration(struct write *write, const char *key, enum option_id id)
{
    const char *value = session_value(write->session, id);
    uint64_t ms;
    if (value != NULL && text_duration(span_str(value), &ms) != ERR_OK) {
        return ctl_usage_error(write->session->arguments->command,
                               "--%s: \"%s\" is no duration; allowed: 500ms, 2s, 10m, 24h",
                               option_table[id].name, value);
    }
    add_text(write, key, id);
    return CTL_OK;
}

static int add_number(struct write *write, const char *key, enum option_id id, uint64_t max)
{
    const char *value = session_value(write->session, id);
    uint64_t number;
    if (value == NULL) {
        return CTL_OK;
    }
    if (text_u64_in(span_str(value), 1, max, &number) != ERR_OK) {
        return ctl_usage_error(write->session->arguments->command, "--%s: \"%s\"; allowed: 1 to %u",
                               option_table[id].name, value, (unsigned)max);
    }
    json_write_int(&write->json, key, (int64_t)number);
    return CTL_OK;
}

// Is the key of this label given again further on?  The last one holds.
static bool given_again(const struct arguments *arguments, size_t at, size_t key_len)
{
    const char *label = arguments->given[at].value;
    for (size_t i = at + 1; i < arguments->given_count; i++) {
        const char *other = arguments->given[i].value;
        if (arguments->given[i].id == OPTION_LABEL && strncmp(label, other, key_len) == 0 &&
            other[key_len] == '=') {
            return true;
        }
    }
    return false;
}

static int add_labels(struct write *write)
{
    const struct arguments *arguments = write->session->arguments;
    if (!arguments_has(arguments, OPTION_LABEL)) {
        return CTL_OK;
    }
    json_write_object(&write->json, "labels");
    for (size_t i = 0; i < arguments->given_count; i++) {
        if (arguments->given[i].id != OPTION_LABEL) {
            continue;
        }
        const char *label = arguments->given[i].value;
        size_t key_len = strcspn(label, "=");
        if (key_len == 0 || label[key_len] == '\0') {
            return ctl_usage_error(arguments->command, "--label: \"%s\"; allowed: K=V", label);
        }
        if (!given_again(arguments, i, key_len)) {
            json_write_key(&write->json, span_of(label, key_len));
            json_write_text(&write->json, NULL, label + key_len + 1);
        }
    }
    json_write_object_end(&write->json);
    return CTL_OK;
}

static void add_zone(struct write *write)
{
    if (session_value(write->session, OPTION_ZONE) != NULL) {
        json_write_object(&write->json, "locality");
        add_text(write, "zone", OPTION_ZONE);
        json_write_object_end(&write->json);
    }
}

static int set_body(struct write *write)
{
    if (session_value(write->session, OPTION_ADDRESS) == NULL ||
        session_value(write->session, OPTION_PORT) == NULL) {
        return ctl_usage_error(write->session->arguments->command,
                               "--address and --port are needed");
    }
    json_write_object(&write->json, NULL);
    add_text(write, "address", OPTION_ADDRESS);
    add_zone(write);
    int exit = add_number(write, "port", OPTION_PORT, 65535);
    if (exit == CTL_OK) {
        exit = add_number(write, "weight", OPTION_WEIGHT, 1000000);
    }
    if (exit == CTL_OK) {
        exit = add_duration(write, "lease", OPTION_LEASE);
    }
    if (exit == CTL_OK) {
        exit = add_labels(write);
    }
    if (exit == CTL_OK) {
        json_write_object_end(&write->json);
    }
    return exit;
}

int set_run(struct session *session)
{
    struct write write;
    int exit = write_begin(&write, session, false);
    if (exit == CTL_OK) {
        exit = set_body(&write);
    }
    if (exit == CTL_OK) {
        exit = write_send(&write, "PUT", "set");
    }
    write_fini(&write);
    return exit;
}

static int report_body(struct write *write)
{
    const char *given = write->session->arguments->operands[1];
    const char *status = status_word(span_str(given));
    if (status == NULL) {
        return ctl_usage_error(write->session->arguments->command,
                               "\"%s\" is no status; allowed: %s", given, STATUS_WORDS);
    }
    const char *observer = session_value(write->session, OPTION_OBSERVER);
    buf_str(&write->path, "/observations/");
    target_encode(span_str(observer != NULL ? observer : "anonymous"), &write->path);
    json_write_object(&write->json, NULL);
    json_write_text(&write->json, "status", status);
    add_text(write, "reason", OPTION_REASON);
    add_text(write, "text", OPTION_TEXT);
    int exit = add_duration(write, "ttl", OPTION_TTL);
    if (exit == CTL_OK) {
        json_write_object_end(&write->json);
    }
    return exit;
}

int report_run(struct session *session)
{
    const char *observer = session_value(session, OPTION_OBSERVER);
    if (observer != NULL && observer[0] == '\0') {
        return ctl_usage_error(session->arguments->command, "--observer: the name is empty");
    }
    struct write write;
    int exit = write_begin(&write, session, false);
    if (exit == CTL_OK) {
        exit = report_body(&write);
    }
    if (exit == CTL_OK) {
        exit = write_send(&write, "PUT", "reported");
    }
    write_fini(&write);
    return exit;
}

int delete_run(struct session *session)
{
    struct write write;
    int exit = write_begin(&write, session, true);
    if (exit == CTL_OK) {
        exit = write_send(&write, "DELETE", "deleted");
    }
    write_fini(&write);
    return exit;
}

// service:NAME and node:NAME are other kinds of target, and never instances.
static int refuse_other_targets(const struct session *session)
{
    const char *target = session->arguments->operands[0];
    if (strncmp(target, "service:", 8) != 0 && strncmp(target, "node:", 5) != 0) {
        return CTL_OK;
    }
    return ctl_usage_error(session->arguments->command,
                           "\"%s\" is not available in this version; allowed: SERVICE/INSTANCE",
                           target);
}

static int drain_body(struct write *write)
{
    struct session *session = write->session;
    bool indefinite = session_value(session, OPTION_INDEFINITE) != NULL;
    int limits = (session_value(session, OPTION_FOR) != NULL) +
                 (session_value(session, OPTION_UNTIL) != NULL) + indefinite;
    if (limits != 1) {
        return ctl_usage_error(session->arguments->command,
                               "exactly one of --for, --until, --indefinite is needed");
    }
    const char *until = session_value(session, OPTION_UNTIL);
    struct wall time;
    if (until != NULL && text_time(span_str(until), &time) != ERR_OK) {
        return ctl_usage_error(session->arguments->command,
                               "--until: \"%s\" is no time; allowed: 2026-11-24T10:00:00Z", until);
    }
    const char *user = getenv("USER");
    buf_str(&write->path, "/override");
    json_write_object(&write->json, NULL);
    json_write_text(&write->json, "status", "DRAINING");
    add_text(write, "reason", OPTION_REASON);
    if (user != NULL && user[0] != '\0') {
        json_write_text(&write->json, "actor", user);
    }
    add_text(write, "until", OPTION_UNTIL);
    if (indefinite) {
        json_write_bool(&write->json, "indefinite", true);
    }
    int exit = add_duration(write, "ttl", OPTION_FOR);
    if (exit == CTL_OK) {
        json_write_object_end(&write->json);
    }
    return exit;
}

int drain_run(struct session *session)
{
    int exit = refuse_other_targets(session);
    if (exit != CTL_OK) {
        return exit;
    }
    struct write write;
    exit = write_begin(&write, session, false);
    if (exit == CTL_OK) {
        exit = drain_body(&write);
    }
    if (exit == CTL_OK) {
        exit = write_send(&write, "PUT", "draining");
    }
    write_fini(&write);
    return exit;
}

int undrain_run(struct session *session)
{
    int exit = refuse_other_targets(session);
    if (exit != CTL_OK) {
        return exit;
    }
    struct write write;
    exit = write_begin(&write, session, false);
    if (exit == CTL_OK) {
        buf_str(&write.path, "/override");
        exit = write_send(&write, "DELETE", "undrained");
    }
    write_fini(&write);
    return exit;
}
