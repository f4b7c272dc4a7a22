// SPDX-License-Identifier: Apache-2.0
#include "stream/redis/redis.h"

#include "base/assert.h"
#include "base/resolver.h"
#include "base/tls.h"
#include "stream/redis/errors.h"
#include "stream/redis/redis_state.h"

#include <stdio.h>
#include <stdlib.h>

#define BACKOFF_MIN_MS 100
#define STEADY_MS 5000 // up for so long: the next failure is a new story
#define PREFIX_MAX 63
#define OUT_MAX (256 * 1024)
#define BEAT_MAX (8 * 1024)
#define WAITING_PUT(partitions) ((partitions)*4 + 256)
#define WAITING_READ 64

static const struct stream_ops ops;
static const struct redis_link_handlers handlers;

void redis_emit(struct redis *redis, const struct stream_event *event)
{
    redis->stream.on_event(redis->stream.arg, event);
}

void redis_arg_key(struct redis *redis, uint32_t partition, const char *suffix)
{
    char text[96];
    int len = snprintf(text, sizeof(text), "{%s:%u}%s", redis->options.prefix, partition, suffix);
    ASSERT(len > 0 && (size_t)len < sizeof(text));
    resp_arg(&redis->out, span_of(text, (size_t)len));
}

void redis_send(struct redis *redis, struct redis_link *link,
                const struct redis_link_command *command)
{
    redis_link_send(link, command, &redis->out);
    buf_reset(&redis->out);
}

// --- making

static const char *copy(const char *text, bool *failed)
{
    char *copied = strdup(text == NULL ? "" : text);
    *failed = *failed || copied == NULL;
    return copied;
}

static bool copy_options(struct redis *redis, const struct redis_options *options)
{
    bool failed = false;
    redis->options = *options;
    redis->options.url = copy(options->url, &failed);
    redis->options.prefix = copy(options->prefix, &failed);
    redis->options.node = copy(options->node, &failed);
    redis->options.user = copy(options->user, &failed);
    redis->options.password_file = copy(options->password_file, &failed);
    redis->options.ca_file = copy(options->ca_file, &failed);
    redis->options.cert_file = copy(options->cert_file, &failed);
    redis->options.key_file = copy(options->key_file, &failed);
    return !failed;
}

static void free_options(struct redis *redis)
{
    const char *const texts[] = {redis->options.url,           redis->options.prefix,
                                 redis->options.node,          redis->options.user,
                                 redis->options.password_file, redis->options.ca_file,
                                 redis->options.cert_file,     redis->options.key_file};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        free((void *)(uintptr_t)texts[i]);
    }
}

static void redis_free(struct stream *stream)
{
    struct redis *redis = redis_of(stream);
    if (redis->query != NULL) {
        resolver_cancel(redis->query);
    }
    resolver_free(redis->resolver);
    redis_link_fini(&redis->put);
    redis_link_fini(&redis->read);
    redis_reader_fini(redis);
    redis_watch_fini(redis);
    redis_secrets_fini(&redis->secrets);
    loop_timer_free(redis->attempt);
    buf_fini(&redis->out);
    buf_fini(&redis->beat.bytes);
    free_options(redis);
    free(redis);
}

static void on_attempt(void *arg);
static void on_secrets(void *arg);

static enum err init(struct redis *redis)
{
    struct loop *loop = redis->options.loop;
    uint32_t waiting_max = WAITING_PUT(redis->options.partitions);
    enum err err = loop_timer_new(loop, on_attempt, redis, &redis->attempt);
    if (err == ERR_OK) {
        err = redis_watch_init(redis);
    }
    if (err == ERR_OK) {
        redis->secrets.options = &redis->options;
        redis->secrets.tls = redis->url.tls;
        redis->secrets.on_change = on_secrets;
        redis->secrets.arg = redis;
        err = redis_secrets_init(&redis->secrets, loop);
    }
    if (err == ERR_OK) {
        err = redis_link_init(&redis->put, loop, waiting_max);
    }
    if (err == ERR_OK) {
        err = redis_link_init(&redis->read, loop, WAITING_READ);
    }
    if (err == ERR_OK) {
        err = redis_reader_init(redis);
    }
    if (err == ERR_OK && !redis->url.is_unix) {
        err = resolver_new(loop, NULL, NULL, &redis->resolver);
    }
    return err;
}

enum err redis_new(const struct redis_options *options, stream_event_fn on_event, void *arg,
                   struct stream **ret_stream)
{
    ASSERT(options->partitions > 0 && options->partitions <= STREAM_PARTITIONS_MAX);
    size_t prefix_len = strlen(options->prefix);
    struct redis *redis = calloc(1, sizeof(*redis));
    if (redis == NULL) {
        return ERR_NOMEM;
    }
    redis->stream = (struct stream){.ops = &ops, .on_event = on_event, .arg = arg};
    redis->put.handlers = &handlers;
    redis->put.owner = redis;
    redis->read.handlers = &handlers;
    redis->read.owner = redis;
    buf_init(&redis->out, OUT_MAX);
    buf_init(&redis->beat.bytes, BEAT_MAX);
    random_seed(&redis->random, random_u64());
    enum err err = copy_options(redis, options) ? ERR_OK : ERR_NOMEM;
    if (err == ERR_OK) {
        err = redis_url_parse(span_str(redis->options.url), &redis->url);
    }
    if (err == ERR_OK &&
        (prefix_len == 0 || prefix_len > PREFIX_MAX || strpbrk(options->prefix, "{}") != NULL)) {
        err = ERR_SYNTAX;
    }
    if (err == ERR_OK) {
        err = init(redis);
    }
    if (err != ERR_OK) {
        redis_free(&redis->stream);
        return err;
    }
    *ret_stream = &redis->stream;
    return ERR_OK;
}

// --- down, and back

static int64_t backoff_ms(struct redis *redis, enum stream_status status)
{
    int64_t max = redis->options.backoff_max_ms;
    int64_t cap = BACKOFF_MIN_MS;
    for (uint32_t i = 0; i < redis->attempts && cap < max; i++) {
        cap *= 2;
    }
    cap = cap < max ? cap : max;
    if (status == STREAM_CONFIG) {
        cap = max; // nothing changes until somebody changes it
    }
    return 1 + (int64_t)random_below(&redis->random, (uint64_t)cap);
}

static void keep_error(struct redis *redis, struct span text)
{
    size_t len = text.len < REDIS_TEXT_MAX ? text.len : REDIS_TEXT_MAX;
    if (len > 0) {
        memmove(redis->last_error, text.ptr, len);
    }
    redis->last_error_len = len;
}

void redis_down(struct redis *redis, enum stream_status status, struct span text)
{
    struct mono now = loop_now(redis->options.loop);
    keep_error(redis, text);
    if (redis->life == REDIS_UP && mono_ms_between(redis->up_since, now) >= STEADY_MS) {
        redis->attempts = 0;
    }
    redis_link_close(&redis->put);
    redis_link_close(&redis->read);
    redis_reader_down(redis);
    redis_watch_down(redis);
    buf_reset(&redis->out);
    redis->put_greeted = false;
    redis->read_greeted = false;
    redis->life = REDIS_WAITING;
    loop_timer_set_ms(redis->attempt, redis->hasten ? 1 : backoff_ms(redis, status));
    redis->hasten = false;
    redis->attempts += redis->attempts < 32 ? 1 : 0;
    const struct stream_event event = {.type = STREAM_EV_DOWN,
                                       .status = status,
                                       .text = span_of(redis->last_error, redis->last_error_len)};
    redis_emit(redis, &event);
}

static void open_links(struct redis *redis, const struct address *address)
{
    char text[TLS_TEXT_LEN];
    struct redis_link_target target = {.address = address,
                                       .timeout_ms = redis->options.connect_timeout_ms};
    enum err err = redis_secrets_context(&redis->secrets, text, &target.tls);
    if (err != ERR_OK) {
        redis_down(redis, STREAM_CONFIG, span_str(text[0] != '\0' ? text : err_text(err)));
        return;
    }
    if (redis->url.tls) {
        memcpy(redis->tls_name, redis->url.host.ptr, redis->url.host.len);
        redis->tls_name[redis->url.host.len] = '\0';
        target.tls_name = redis->tls_name;
    }
    err = redis_link_open(&redis->put, &target);
    if (err == ERR_OK) {
        err = redis_link_open(&redis->read, &target);
    }
    if (err != ERR_OK) {
        redis_down(redis, STREAM_RETRY, span_str(err_text(err)));
    }
}

// Whoever waits because of what stood in the files waits no longer, nor who is about to fail because of it.
static void on_secrets(void *arg)
{
    struct redis *redis = arg;
    redis->hasten = redis->life == REDIS_CONNECTING;
    if (redis->life == REDIS_WAITING) {
        loop_timer_set_ms(redis->attempt, 0);
    }
}

static void on_addresses(void *arg, const struct resolver_answer *answer)
{
    struct redis *redis = arg;
    redis->query = NULL;
    if (answer->err != ERR_OK) {
        redis_down(redis, STREAM_RETRY, span_str(answer->text));
        return;
    }
    open_links(redis, &answer->addresses[redis->attempts % answer->count]);
}

static void on_attempt(void *arg)
{
    struct redis *redis = arg;
    struct address address;
    redis->life = REDIS_CONNECTING;
    if (redis->url.is_unix) {
        if (address_unix(redis->url.host, &address) != ERR_OK) {
            redis_down(redis, STREAM_CONFIG, SPAN_LIT("the path is too long for a socket"));
            return;
        }
        open_links(redis, &address);
        return;
    }
    const struct resolver_ask ask = {
        .name = redis->url.host, .port = redis->url.port, .fn = on_addresses, .arg = redis};
    enum err err = resolver_query(redis->resolver, &ask, &redis->query);
    if (err != ERR_OK) {
        redis->query = NULL;
        redis_down(redis, STREAM_RETRY, span_str(err_text(err)));
    }
}

static void redis_start(struct stream *stream)
{
    struct redis *redis = redis_of(stream);
    if (redis->life == REDIS_IDLE) {
        redis->life = REDIS_WAITING;
        redis_secrets_start(&redis->secrets);
        loop_timer_set_ms(redis->attempt, 0);
    }
}

static void redis_reload(struct stream *stream)
{
    redis_secrets_read(&redis_of(stream)->secrets);
}

// --- what the links tell

static void on_open(struct redis_link *link)
{
    redis_greet(link->owner, link);
}

static void go_up(struct redis *redis)
{
    redis->life = REDIS_UP;
    redis->up_since = loop_now(redis->options.loop);
    redis->connects++;
    redis->last_error_len = 0;
    redis->hasten = false;
    memset(redis->reloads, 0, sizeof(redis->reloads)); // of the connection before
    redis_watch_up(redis);
    const struct stream_event event = {.type = STREAM_EV_UP};
    redis_emit(redis, &event);
}

static void greeted(struct redis *redis, const struct redis_link *link)
{
    if (link == &redis->put) {
        redis->put_greeted = true;
    } else {
        redis->read_greeted = true;
    }
    if (redis->put_greeted && redis->read_greeted) {
        go_up(redis);
    }
}

static void on_reply(struct redis_link *link, const struct redis_link_command *command,
                     const struct resp_reply *reply)
{
    struct redis *redis = link->owner;
    if (command->kind <= (int)REDIS_CLIENT_ID) {
        if (redis_greet_reply(redis, link, command, reply)) {
            greeted(redis, link);
        }
    } else if (command->kind == (int)REDIS_READ) {
        redis_reader_reply(redis, reply);
    } else {
        redis_calls_reply(redis, command, reply);
    }
}

static void on_down(struct redis_link *link, struct span text)
{
    redis_down(link->owner, errors_status(errors_classify(text)), text);
}

static const struct redis_link_handlers handlers = {
    .on_open = on_open, .on_reply = on_reply, .on_down = on_down};

// --- the stream

static void redis_info(const struct stream *stream, struct stream_info *ret_info)
{
    const struct redis *redis = (const struct redis *)stream;
    *ret_info =
        (struct stream_info){.backend = "redis",
                             .connected = redis->life == REDIS_UP,
                             .server = span_str(redis->server),
                             .last_error = span_of(redis->last_error, redis->last_error_len),
                             .publishing_refused = redis_refuses(redis),
                             .connects = redis->connects,
                             .reconnects = redis->connects > 0 ? redis->connects - 1 : 0,
                             .commands = redis->put.commands + redis->read.commands,
                             .bytes_in = redis->put.bytes_in + redis->read.bytes_in,
                             .bytes_out = redis->put.bytes_out + redis->read.bytes_out,
                             .skipped_entries = redis->skipped_entries};
}

static const struct stream_ops ops = {.start = redis_start,
                                      .free = redis_free,
                                      .reload = redis_reload,
                                      .meta = redis_calls_meta,
                                      .create = redis_calls_create,
                                      .scan = redis_calls_scan,
                                      .probe = redis_calls_probe,
                                      .read = redis_reader_read,
                                      .unread = redis_reader_unread,
                                      .put = redis_calls_put,
                                      .beat = redis_calls_beat,
                                      .forget = redis_calls_forget,
                                      .info = redis_info};
