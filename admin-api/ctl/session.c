// SPDX-License-Identifier: Apache-2.0
#include "admin-api/ctl/session.h"

#include "admin-api/ctl/answer.h"
#include "admin-api/ctl/client.h"
#include "admin-api/ctl/ctl.h"
#include "admin-api/ctl/target.h"
#include "base/json.h"
#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BODY_MAX (256U << 20)
#define TIMEOUT_DEFAULT_MS 10000
#define ACK_EXTRA_MS 2000 // the daemon's answer that its own patience has ended must get through

const char *session_value(const struct session *session, enum option_id id)
{
    return arguments_value(session->arguments, id);
}

void session_complain(const char *format, ...)
{
    char text[1024];
    va_list list;
    va_start(list, format);
    (void)vsnprintf(text, sizeof(text), format, list);
    va_end(list);
    // Words from outside must not drive the terminal.
    for (char *at = text; *at != '\0'; at++) {
        bool control = (unsigned char)*at < 0x20 || *at == 0x7f;
        *at = control ? '?' : *at;
    }
    fprintf(stderr, "meshpulse: %s\n", text);
}

static const char *default_server(void)
{
    const char *server = getenv("MESHPULSE_SERVER");
    if (server != NULL && server[0] != '\0') {
        return server;
    }
    struct stat status;
    bool there = stat(CLIENT_SOCKET_DEFAULT, &status) == 0 && S_ISSOCK(status.st_mode);
    return there ? "unix:" CLIENT_SOCKET_DEFAULT : CLIENT_URL_DEFAULT;
}

static int read_timeout(struct session *session)
{
    const char *text = session_value(session, OPTION_TIMEOUT);
    uint64_t ms = TIMEOUT_DEFAULT_MS;
    enum err err = text != NULL ? text_duration(span_str(text), &ms) : ERR_OK;
    if (err != ERR_OK || ms == 0 || ms > INT32_MAX) {
        return ctl_usage_error(session->arguments->command,
                               "--timeout: \"%s\" is no duration; allowed: 500ms, 2s, 10m", text);
    }
    session->timeout_ms = (int64_t)ms;
    return CTL_OK;
}

static void read_form(struct session *session)
{
    static const char *const words[] = {"table", "wide", "json", "jsonl", "name"};
    const char *form = session_value(session, OPTION_OUTPUT);
    form = form != NULL ? form : session_value(session, OPTION_FORM);
    session->form = SESSION_TABLE;
    for (size_t i = 0; form != NULL && i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(form, words[i]) == 0) {
            session->form = (enum session_form)i;
        }
    }
    const char *no_colour = getenv("NO_COLOR");
    const char *term = getenv("TERM");
    session->table.headers = session_value(session, OPTION_NO_HEADERS) == NULL;
    session->table.colours = isatty(STDOUT_FILENO) == 1 &&
                             (no_colour == NULL || no_colour[0] == '\0') &&
                             (term == NULL || strcmp(term, "dumb") != 0);
    session->quiet = session_value(session, OPTION_QUIET) != NULL;
}

int session_connect(const struct session *session, struct client **ret_client)
{
    const char *server = session_value(session, OPTION_SERVER);
    const char *token_file = session_value(session, OPTION_TOKEN_FILE);
    bool waits = session_value(session, OPTION_ACK) != NULL;
    struct client_options options = {
        .server = server != NULL ? server : default_server(),
        .token_file = token_file,
        .ca_file = session_value(session, OPTION_CACERT),
        .cert_file = session_value(session, OPTION_CERT),
        .key_file = session_value(session, OPTION_KEY),
        .timeout_ms = session->timeout_ms + (waits ? ACK_EXTRA_MS : 0),
        .verbose = session_value(session, OPTION_VERBOSE) != NULL,
    };
    if (!client_server_is_valid(options.server)) {
        return ctl_usage_error(session->arguments->command,
                               "--server: \"%s\" is no server; allowed: http://HOST:PORT, "
                               "https://HOST:PORT, unix:PATH",
                               options.server);
    }
    enum err err = client_new(&options, ret_client);
    if (err == ERR_IO) {
        session_complain("%s: cannot be read, or holds no token", token_file);
    } else if (err != ERR_OK) {
        session_complain("%s", err_text(err));
    }
    return err == ERR_OK ? CTL_OK : CTL_FAILED;
}

int session_open(struct session *session, const struct arguments *arguments)
{
    memset(session, 0, sizeof(*session));
    session->arguments = arguments;
    read_form(session);
    int exit = read_timeout(session);
    if (exit != CTL_OK) {
        return exit;
    }
    exit = session_connect(session, &session->client);
    if (exit == CTL_OK) {
        buf_init(&session->body, BODY_MAX);
    }
    return exit;
}

void session_close(struct session *session)
{
    buf_fini(&session->body);
    client_free(session->client);
}

int session_path(const struct session *session, const struct target *target, struct buf *ret_path)
{
    buf_reset(ret_path);
    target_path(target, session_value(session, OPTION_TENANT), ret_path);
    return session_check(ret_path);
}

int session_check(const struct buf *buf)
{
    if (buf->err != ERR_OK) {
        session_complain("%s", err_text(buf->err));
        return CTL_FAILED;
    }
    return CTL_OK;
}

static bool on_data(void *arg, unsigned status, struct span data)
{
    (void)status;
    struct session *session = arg;
    buf_put(&session->body, data);
    return session->body.err == ERR_OK;
}

// "V" and V mean the same; W/"V" is no version that could match.
static int make_if_match(const struct session *session, struct buf *ret_header)
{
    const char *given = session_value(session, OPTION_IF_MATCH);
    size_t len = strlen(given);
    bool quoted = len >= 2 && given[0] == '"' && given[len - 1] == '"';
    struct span version = quoted ? span_of(given + 1, len - 2) : span_of(given, len);
    bool clean = version.len > 0;
    for (size_t i = 0; i < version.len; i++) {
        clean = clean && version.ptr[i] > ' ' && version.ptr[i] < 0x7f && version.ptr[i] != '"';
    }
    if (!clean) {
        return ctl_usage_error(
            session->arguments->command,
            "--if-match: \"%s\" is no version; allowed: what get -o wide shows, or *", given);
    }
    if (strcmp(given, "*") == 0) {
        buf_str(ret_header, given);
    } else {
        buf_byte(ret_header, '"');
        buf_put(ret_header, version);
        buf_byte(ret_header, '"');
    }
    return session_check(ret_header);
}

// CTL_OK: there is an answer, whatever it says.
static int send(struct session *session, struct client_request *request)
{
    buf_reset(&session->body);
    request->on_data = on_data;
    request->arg = session;
    enum err err = client_call(session->client, request, &session->status);
    if (session->body.err != ERR_OK) {
        session_complain("the answer: %s", err_text(session->body.err));
        return CTL_FAILED;
    }
    if (err != ERR_OK) {
        return session_unreachable(session->client, err);
    }
    return CTL_OK;
}

int session_ask(struct session *session, const char *path)
{
    struct client_request request = {.method = "GET", .path = path};
    return send(session, &request);
}

int session_call(struct session *session, const char *method, const char *path, const char *body)
{
    struct client_request request = {.method = method, .path = path, .body = body};
    struct buf if_match;
    buf_init(&if_match, 512);
    int exit = CTL_OK;
    if (session_value(session, OPTION_IF_MATCH) != NULL) {
        exit = make_if_match(session, &if_match);
        request.if_match = buf_cstr(&if_match);
    }
    if (exit == CTL_OK) {
        exit = send(session, &request);
    }
    buf_fini(&if_match);
    if (exit == CTL_OK) {
        exit = session_judge(session->status, buf_span(&session->body));
    }
    return exit;
}

int session_unreachable(const struct client *client, enum err err)
{
    session_complain("no answer from the daemon: %s", client_problem(client));
    return err == ERR_NOMEM ? CTL_FAILED : CTL_UNREACHABLE;
}

static int exit_of(unsigned status)
{
    static const struct {
        unsigned status;
        int exit;
    } rows[] = {{404, CTL_NOT_FOUND}, {409, CTL_CONFLICT}, {412, CTL_CONFLICT}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].status == status) {
            return rows[i].exit;
        }
    }
    return CTL_FAILED;
}

static void complain_of_fields(const struct json *problem)
{
    const struct json *error = json_first(json_get(problem, "errors"));
    for (; error != NULL; error = json_next(error)) {
        struct span pointer = answer_text(error, "pointer");
        struct span detail = answer_text(error, "detail");
        session_complain("  %.*s: %.*s", (int)pointer.len, pointer.ptr, (int)detail.len,
                         detail.ptr);
    }
    struct span current = answer_text(json_get(problem, "current"), "version");
    if (current.len != 0) {
        session_complain("  the current version is %.*s", (int)current.len, current.ptr);
    }
}

static void complain_of(unsigned status, const struct json *problem)
{
    struct span code = answer_text(problem, "code");
    struct span detail = answer_text(problem, "detail");
    if (detail.len == 0) {
        detail = answer_text(problem, "title");
    }
    if (code.len == 0) {
        session_complain("the server answered with HTTP status %u", status);
        return;
    }
    session_complain("%.*s (%.*s)", (int)detail.len, detail.ptr, (int)code.len, code.ptr);
    complain_of_fields(problem);
}

int session_judge(unsigned status, struct span body)
{
    if (status >= 200 && status < 300) {
        return CTL_OK;
    }
    struct json *problem = NULL;
    struct json_error where;
    if (json_parse(body, &problem, &where) != ERR_OK) {
        problem = NULL; // no problem document: only the status says something
    }
    complain_of(status, problem);
    json_free(problem);
    return exit_of(status);
}

int session_parse(struct session *session, struct json **ret_root)
{
    struct json_error where;
    enum err err = json_parse(buf_span(&session->body), ret_root, &where);
    if (err != ERR_OK) {
        session_complain("the answer is no JSON: %s", err_text(err));
        return CTL_FAILED;
    }
    return CTL_OK;
}
