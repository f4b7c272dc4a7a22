// SPDX-License-Identifier: Apache-2.0
#include "replicator/forget.h"

#include "admin-api/ctl/ctl.h"
#include "admin-api/ctl/session.h"
#include "base/buf.h"
#include "base/text.h"
#include "replicator/config.h"
#include "replicator/serve.h"
#include "stream/position.h"
#include "stream/redis/redis_ask.h"
#include "stream/redis/resp.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NAME_LEN_MAX 96
#define KEYS_MAX (2 * STREAM_PARTITIONS_MAX + 2)
#define META_FIELDS 4 // of a partition's state, beside the records
#define WORD_LEN 64
#define LIVE_TEXT_MAX 1024

struct forget {
    const struct config *config;
    const struct arguments *arguments;
    struct redis_ask *ask;
    char keys[KEYS_MAX][NAME_LEN_MAX]; // that are there
    size_t key_count;
    size_t partitions;
    int64_t records, entries;
    int64_t now_ms;  // of the server
    bool looked;     // once, and what is not ours was told
    struct buf live; // the names of the nodes that beat
    size_t live_count;
};

// --- questions

struct reply {
    char word[WORD_LEN];
    int64_t integer;
};

static void take(void *arg, const struct resp_reply *reply)
{
    struct reply *out = arg;
    struct span text = resp_text(reply);
    (void)snprintf(out->word, sizeof(out->word), "%.*s", (int)text.len, text.ptr);
    out->integer = resp_integer(reply);
}

static int call(struct forget *forget, const struct redis_ask_call *what)
{
    enum err err = redis_ask_call(forget->ask, what);
    const char *problem = redis_ask_problem(forget->ask);
    if (err != ERR_OK) {
        session_complain("Redis: %s", problem[0] != '\0' ? problem : err_text(err));
    }
    return err == ERR_OK ? CTL_OK : err == ERR_CLOSED ? CTL_UNREACHABLE : CTL_FAILED;
}

static int call_key(struct forget *forget, const char *command, const char *key,
                    struct reply *ret_reply)
{
    const struct span words[] = {span_str(command), span_str(key)};
    return call(forget, &(struct redis_ask_call){words, 2, take, ret_reply});
}

// --- what is there

// How much a key holds, added to what is told.
static int measure(struct forget *forget, const char *key, char suffix)
{
    struct reply reply;
    if (suffix != 's' && suffix != 'e') {
        return CTL_OK; // presence: the live nodes say more
    }
    int exit = call_key(forget, suffix == 's' ? "HLEN" : "XLEN", key, &reply);
    if (exit == CTL_OK && suffix == 'e') {
        forget->entries += reply.integer;
    } else if (exit == CTL_OK) {
        forget->partitions++;
        forget->records += reply.integer > META_FIELDS ? reply.integer - META_FIELDS : 0;
    }
    return exit;
}

// `part`: the number of a partition, or "n" for the presence of the nodes.
static int look_at(struct forget *forget, const char *part, char suffix)
{
    static const struct {
        char suffix;
        const char *type;
    } rows[] = {{'s', "hash"}, {'e', "stream"}, {'p', "zset"}, {'i', "hash"}};
    const char *type = "";
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        type = rows[i].suffix == suffix ? rows[i].type : type;
    }
    char *key = forget->keys[forget->key_count];
    (void)snprintf(key, NAME_LEN_MAX, "{%s:%s}%c", forget->config->stream_prefix, part, suffix);
    struct reply reply;
    int exit = call_key(forget, "TYPE", key, &reply);
    if (exit != CTL_OK || strcmp(reply.word, "none") == 0) {
        return exit;
    }
    if (strcmp(reply.word, type) != 0) {
        if (!forget->looked) {
            session_complain("%s is a %s, hence not ours: left alone", key, reply.word);
        }
        return CTL_OK;
    }
    forget->key_count++;
    return measure(forget, key, suffix);
}

static void take_time(void *arg, const struct resp_reply *reply)
{
    struct forget *forget = arg;
    uint64_t seconds = 0;
    if (resp_count(reply) > 0 && text_u64(resp_text(resp_at(reply, 0)), &seconds) == ERR_OK) {
        forget->now_ms = (int64_t)seconds * 1000;
    }
}

// Name and time of the last beat, in turn.  One from the future beats as well.
static void take_beats(void *arg, const struct resp_reply *reply)
{
    struct forget *forget = arg;
    for (uint32_t i = 0; i + 1 < resp_count(reply); i += 2) {
        struct span name = resp_text(resp_at(reply, i));
        double beat_ms = 0;
        char number[32];
        struct span text = resp_text(resp_at(reply, i + 1));
        (void)snprintf(number, sizeof(number), "%.*s", (int)text.len, text.ptr);
        beat_ms = strtod(number, NULL);
        if ((double)forget->now_ms - beat_ms < (double)forget->config->stream_lease_ms) {
            buf_printf(&forget->live, "%s%.*s", forget->live_count++ > 0 ? ", " : "", (int)name.len,
                       name.ptr);
        }
    }
}

static int look_for_nodes(struct forget *forget)
{
    char key[NAME_LEN_MAX];
    (void)snprintf(key, sizeof(key), "{%s:n}p", forget->config->stream_prefix);
    const struct span time = SPAN_LIT("TIME");
    const struct span range[] = {SPAN_LIT("ZRANGE"), span_str(key), SPAN_LIT("0"), SPAN_LIT("-1"),
                                 SPAN_LIT("WITHSCORES")};
    struct reply reply;
    int exit = call_key(forget, "TYPE", key, &reply);
    if (exit != CTL_OK || strcmp(reply.word, "zset") != 0) {
        return exit;
    }
    exit = call(forget, &(struct redis_ask_call){&time, 1, take_time, forget});
    return exit == CTL_OK ? call(forget, &(struct redis_ask_call){range, 5, take_beats, forget})
                          : exit;
}

static int look(struct forget *forget)
{
    forget->key_count = forget->partitions = forget->live_count = 0;
    forget->records = forget->entries = 0;
    buf_reset(&forget->live);
    int exit = CTL_OK;
    for (unsigned partition = 0; exit == CTL_OK && partition < STREAM_PARTITIONS_MAX; partition++) {
        char part[16];
        (void)snprintf(part, sizeof(part), "%u", partition);
        exit = look_at(forget, part, 's');
        if (exit == CTL_OK) {
            exit = look_at(forget, part, 'e');
        }
    }
    if (exit == CTL_OK) {
        exit = look_at(forget, "n", 'p');
    }
    if (exit == CTL_OK) {
        exit = look_at(forget, "n", 'i');
    }
    forget->looked = true;
    return exit == CTL_OK ? look_for_nodes(forget) : exit;
}

// --- the person in front of it

static void tell(const struct forget *forget)
{
    printf("prefix %s at %s: %zu keys; %zu partitions, %" PRId64 " records, %" PRId64
           " entries; nodes that beat: %s\n",
           forget->config->stream_prefix, forget->config->stream_url, forget->key_count,
           forget->partitions, forget->records, forget->entries,
           forget->live_count > 0 ? buf_cstr(&forget->live) : "none");
    (void)fflush(stdout);
}

static int judge_nodes(const struct forget *forget)
{
    if (forget->live_count == 0 || arguments_has(forget->arguments, OPTION_FORCE)) {
        return CTL_OK;
    }
    session_complain("nodes that beat would put back what they hold (%s): stop them first, or "
                     "delete anyhow by --force",
                     buf_cstr(&forget->live));
    return CTL_CONFLICT;
}

static int confirm(struct forget *forget)
{
    char line[16];
    if (arguments_has(forget->arguments, OPTION_YES)) {
        return CTL_OK;
    }
    if (isatty(STDIN_FILENO) != 1) {
        return ctl_usage_error(forget->arguments->command,
                               "nobody can be asked without a terminal; --yes deletes unasked");
    }
    fputs("Delete them for good? Only \"yes\" does: ", stderr);
    if (fgets(line, sizeof(line), stdin) == NULL || strcmp(line, "yes\n") != 0) {
        session_complain("nothing was deleted");
        return CTL_FAILED;
    }
    // While the answer was thought about a node may have come, and keys with it.
    int exit = look(forget);
    return exit == CTL_OK ? judge_nodes(forget) : exit;
}

static int delete_all(struct forget *forget)
{
    int exit = CTL_OK;
    int64_t deleted = 0;
    for (size_t i = 0; exit == CTL_OK && i < forget->key_count; i++) {
        struct reply reply = {.integer = 0};
        exit = call_key(forget, "UNLINK", forget->keys[i], &reply);
        deleted += exit == CTL_OK ? reply.integer : 0;
    }
    printf("%" PRId64 " keys deleted\n", deleted);
    return exit;
}

static int proceed(struct forget *forget)
{
    int exit = look(forget);
    if (exit != CTL_OK) {
        return exit;
    }
    tell(forget);
    if (forget->key_count == 0) {
        return CTL_OK;
    }
    exit = judge_nodes(forget);
    if (exit == CTL_OK) {
        exit = confirm(forget);
    }
    return exit == CTL_OK ? delete_all(forget) : exit;
}

// --- from the arguments to the server

static int open_server(struct forget *forget)
{
    const struct config *config = forget->config;
    const struct redis_ask_options options = {
        .url = config->stream_url,
        .user = config->stream_user,
        .password_file = config->stream_password_file,
        .ca_file = config->stream_ca_file,
        .cert_file = config->stream_cert_file,
        .key_file = config->stream_key_file,
        .connect_timeout_ms = config->stream_connect_timeout_ms,
        .reply_timeout_ms = config->stream_reply_timeout_ms,
    };
    enum err err = redis_ask_new(&options, &forget->ask);
    if (err == ERR_SYNTAX) {
        session_complain("forget: stream.url is %s; allowed: redis://HOST:PORT, rediss://HOST:PORT "
                         "or unix:///PATH (see -c, --set, MESHPULSE_STREAM_URL)",
                         config->stream_url);
        return CTL_CONFIG;
    }
    if (err == ERR_OK) {
        err = redis_ask_open(forget->ask);
    }
    if (err != ERR_OK) {
        const char *problem = forget->ask != NULL ? redis_ask_problem(forget->ask) : "";
        session_complain("no answer from Redis at %s: %s", config->stream_url,
                         problem[0] != '\0' ? problem : err_text(err));
    }
    bool denied = err == ERR_DENIED || err == ERR_NOMEM || err == ERR_NOT_FOUND;
    return err == ERR_OK ? CTL_OK : denied ? CTL_FAILED : CTL_UNREACHABLE;
}

static int run(struct forget *forget)
{
    buf_init(&forget->live, LIVE_TEXT_MAX);
    int exit = open_server(forget);
    if (exit == CTL_OK) {
        exit = proceed(forget);
    }
    redis_ask_free(forget->ask);
    buf_fini(&forget->live);
    return exit;
}

int forget_run(const struct arguments *arguments)
{
    const char *prefix = arguments_value(arguments, OPTION_PREFIX);
    if (prefix == NULL) {
        return ctl_usage_error(arguments->command, "--prefix is needed: the stream.prefix whose "
                                                   "keys are deleted, as mp");
    }
    char set[NAME_LEN_MAX];
    int len = snprintf(set, sizeof(set), "stream.prefix=%s", prefix);
    if (len < 0 || (size_t)len >= sizeof(set)) {
        return ctl_usage_error(arguments->command, "--prefix: \"%s\" is too long", prefix);
    }
    struct config *config = NULL;
    int exit = serve_load(arguments, set, &config);
    if (exit != CTL_OK) {
        return exit;
    }
    struct forget *forget = calloc(1, sizeof(*forget));
    if (forget == NULL) {
        session_complain("%s", err_text(ERR_NOMEM));
        exit = CTL_FAILED;
    } else {
        forget->config = config;
        forget->arguments = arguments;
        exit = run(forget);
    }
    free(forget);
    config_free(config);
    return exit;
}
