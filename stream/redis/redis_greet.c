// SPDX-License-Identifier: Apache-2.0
// AUTH, SELECT, CLIENT SETNAME, ROLE, INFO, SCRIPT LOAD, CLIENT ID, in one pipeline; never HELLO: hiredis
// 0.14 cannot read RESP3.  INFO tells version and eviction policy, because managed servers refuse CONFIG.
#include "base/log.h"
#include "base/text.h"
#include "stream/redis/errors.h"
#include "stream/redis/redis_password.h"
#include "stream/redis/redis_state.h"

#include <stdio.h>

#define VERSION_MIN 7

static void warn(const struct redis *redis, const char *what, struct span text)
{
    log_event(LOG_WARN, "stream", log_text("server", redis->options.url), log_text("what", what),
              log_str("text", text));
}

static void post(struct redis *redis, struct redis_link *link, enum redis_kind kind)
{
    const struct redis_link_command command = {.kind = (int)kind,
                                               .timeout_ms = redis->options.reply_timeout_ms};
    redis_send(redis, link, &command);
}

static void send_words(struct redis *redis, struct redis_link *link, enum redis_kind kind,
                       const char *const words[2])
{
    resp_command(&redis->out, words[1] == NULL ? 1 : 2);
    resp_arg_str(&redis->out, words[0]);
    if (words[1] != NULL) {
        resp_arg_str(&redis->out, words[1]);
    }
    post(redis, link, kind);
}

// False: the password file cannot be read, and redis_down was called.
static bool send_auth(struct redis *redis, struct redis_link *link)
{
    if (redis->options.password_file[0] == '\0') {
        return true;
    }
    if (redis_password_auth(redis->options.user, redis->options.password_file, &redis->out) !=
        ERR_OK) {
        redis_down(redis, STREAM_CONFIG, SPAN_LIT("stream.password_file cannot be read"));
        return false;
    }
    post(redis, link, REDIS_AUTH);
    redis_password_wipe(&redis->out);
    return true;
}

// CLIENT SETNAME takes printable ASCII without blanks.
static void send_name(struct redis *redis, struct redis_link *link)
{
    char name[128];
    int len = snprintf(name, sizeof(name), "meshpulse-%s-%s", redis->options.node,
                       link == &redis->put ? "put" : "read");
    for (int i = 0; i < len && name[i] != '\0'; i++) {
        if (name[i] <= ' ' || name[i] > '~') {
            name[i] = '_';
        }
    }
    resp_command(&redis->out, 3);
    resp_arg_str(&redis->out, "CLIENT");
    resp_arg_str(&redis->out, "SETNAME");
    resp_arg_str(&redis->out, name);
    post(redis, link, REDIS_NAME);
}

void redis_greet_load(struct redis *redis, enum scripts_id id)
{
    const struct redis_link_command command = {.kind = REDIS_SCRIPT,
                                               .partition = (uint32_t)id,
                                               .timeout_ms = redis->options.reply_timeout_ms};
    resp_command(&redis->out, 3);
    resp_arg_str(&redis->out, "SCRIPT");
    resp_arg_str(&redis->out, "LOAD");
    resp_arg_str(&redis->out, scripts_rows[id].text);
    redis_send(redis, &redis->put, &command);
}

void redis_greet(struct redis *redis, struct redis_link *link)
{
    if (!send_auth(redis, link)) {
        return;
    }
    if (redis->url.database != 0) {
        char database[TEXT_U64_LEN];
        text_u64_format(redis->url.database, database);
        send_words(redis, link, REDIS_SELECT, (const char *const[2]){"SELECT", database});
    }
    send_name(redis, link);
    send_words(redis, link, REDIS_ROLE, (const char *const[2]){"ROLE", NULL});
    send_words(redis, link, REDIS_INFO_SERVER, (const char *const[2]){"INFO", "server"});
    if (link == &redis->put) {
        send_words(redis, link, REDIS_INFO_MEMORY, (const char *const[2]){"INFO", "memory"});
        for (int id = 0; id < SCRIPTS_COUNT; id++) {
            redis_greet_load(redis, (enum scripts_id)id);
        }
    }
    send_words(redis, link, REDIS_CLIENT_ID, (const char *const[2]){"CLIENT", "ID"});
}

// The value of a line "name:value" of INFO; empty when there is none.
static struct span info_value(struct span info, const char *name)
{
    size_t len = strlen(name);
    while (info.len > 0) {
        const char *end = memchr(info.ptr, '\n', info.len);
        size_t line_len = end == NULL ? info.len : (size_t)(end - info.ptr) + 1;
        if (line_len > len && memcmp(info.ptr, name, len) == 0 && info.ptr[len] == ':') {
            struct span value = span_of(info.ptr + len + 1, line_len - len - 1);
            while (value.len > 0 &&
                   (value.ptr[value.len - 1] == '\n' || value.ptr[value.len - 1] == '\r')) {
                value.len--;
            }
            return value;
        }
        info = span_of(info.ptr + line_len, info.len - line_len);
    }
    return SPAN_NONE;
}

static void reply_version(struct redis *redis, struct span info)
{
    struct span valkey = info_value(info, "valkey_version");
    struct span version = valkey.len > 0 ? valkey : info_value(info, "redis_version");
    const char *name = valkey.len > 0 ? "valkey" : "redis";
    size_t digits = 0;
    uint64_t major = 0;
    while (digits < version.len && version.ptr[digits] >= '0' && version.ptr[digits] <= '9') {
        digits++;
    }
    snprintf(redis->server, sizeof(redis->server), "%s %.*s", name,
             version.len < 40 ? (int)version.len : 40, version.len == 0 ? "" : version.ptr);
    if (text_u64(span_of(version.ptr, digits), &major) != ERR_OK) {
        warn(redis, "version unknown", version);
    } else if (major < VERSION_MIN) {
        char text[128];
        snprintf(text, sizeof(text), "%s is too old: redis 7.0 or newer, or valkey, is needed",
                 redis->server);
        redis_down(redis, STREAM_CONFIG, span_str(text));
    }
}

static void reply_policy(struct redis *redis, struct span info)
{
    redis_watch_policy(redis, info_value(info, "maxmemory_policy"));
    if (redis->policy == REDIS_POLICY_UNKNOWN) {
        warn(redis, "eviction policy unknown", SPAN_NONE);
    }
}

void redis_greet_look_again(struct redis *redis, const struct resp_reply *reply)
{
    struct span policy = info_value(resp_text(reply), "maxmemory_policy");
    if (policy.len > 0) { // an error, or denied meanwhile: what was known last holds
        redis_watch_policy(redis, policy);
    }
}

static void reply_role(struct redis *redis, const struct resp_reply *reply)
{
    struct span role = resp_count(reply) > 0 ? resp_text(resp_at(reply, 0)) : SPAN_NONE;
    if (!span_eq_str(role, "master")) {
        redis_down(redis, STREAM_RETRY, SPAN_LIT("a replica, not the master"));
    }
}

// The ones that a careful operator may have taken away: we do without, and say so.
static bool is_optional(enum redis_kind kind)
{
    return kind == REDIS_NAME || kind == REDIS_ROLE || kind == REDIS_INFO_SERVER ||
           kind == REDIS_INFO_MEMORY || kind == REDIS_CLIENT_ID;
}

// By ACL, or by rename-command.
static bool is_denial(struct span text)
{
    static const char *const heads[] = {"NOPERM", "ERR unknown command"};
    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
        size_t len = strlen(heads[i]);
        if (text.len >= len && memcmp(text.ptr, heads[i], len) == 0) {
            return true;
        }
    }
    return false;
}

// True: the greeting goes on in spite of it.
static bool reply_error(struct redis *redis, enum redis_kind kind, struct span text)
{
    enum errors_class class = errors_classify(text);
    if (is_optional(kind) && (is_denial(text) || class == ERRORS_RETRY)) {
        static const char *const names[] = {[REDIS_NAME] = "CLIENT SETNAME denied",
                                            [REDIS_ROLE] = "ROLE denied",
                                            [REDIS_INFO_SERVER] = "INFO server denied",
                                            [REDIS_INFO_MEMORY] = "INFO memory denied",
                                            [REDIS_CLIENT_ID] = "CLIENT ID denied"};
        warn(redis, names[kind], text);
        return true;
    }
    redis_down(redis, errors_status(class), text);
    return false;
}

static void reply_script(struct redis *redis, uint32_t id, const struct resp_reply *reply)
{
    struct span sha = resp_text(reply);
    if (id >= SCRIPTS_COUNT || sha.len != SCRIPTS_SHA_LEN) {
        redis_down(redis, STREAM_RETRY, SPAN_LIT("SCRIPT LOAD answered no digest"));
        return;
    }
    memcpy(redis->sha[id], sha.ptr, SCRIPTS_SHA_LEN);
}

bool redis_greet_reply(struct redis *redis, struct redis_link *link,
                       const struct redis_link_command *command, const struct resp_reply *reply)
{
    enum redis_kind kind = (enum redis_kind)command->kind;
    uint32_t generation = link->generation;
    bool failed = resp_type(reply) == RESP_ERROR;
    if (failed && kind == REDIS_INFO_MEMORY) {
        redis->policy = REDIS_POLICY_UNKNOWN; // what is known is of the connection before
    }
    if (failed && !reply_error(redis, kind, resp_text(reply))) {
        return false;
    }
    if (!failed && kind == REDIS_ROLE) {
        reply_role(redis, reply);
    } else if (!failed && kind == REDIS_INFO_SERVER) {
        reply_version(redis, resp_text(reply));
    } else if (!failed && kind == REDIS_INFO_MEMORY) {
        reply_policy(redis, resp_text(reply));
    } else if (!failed && kind == REDIS_SCRIPT) {
        reply_script(redis, command->partition, reply);
    } else if (kind == REDIS_CLIENT_ID && link == &redis->read) {
        redis->reader.client_id = failed ? 0 : resp_integer(reply);
        redis->reader.may_unblock = redis->reader.client_id > 0;
    }
    return kind == REDIS_CLIENT_ID && link->generation == generation;
}
