// SPDX-License-Identifier: Apache-2.0
#include "stream/redis/redis_ask.h"

#include "base/assert.h"
#include "base/loop.h"
#include "base/resolver.h"
#include "base/text.h"
#include "base/tls.h"
#include "stream/redis/redis_link.h"
#include "stream/redis/redis_password.h"
#include "stream/redis/redis_url.h"

#include <stdio.h>
#include <stdlib.h>

#define OUT_MAX (64 * 1024)
#define PROBLEM_MAX 256

struct redis_ask {
    struct redis_ask_options options;
    struct redis_url url;
    struct loop *loop;
    struct resolver *resolver;
    struct redis_link link;
    struct buf out;
    struct address address;
    char tls_name[REDIS_URL_HOST_MAX + 1]; // the link needs it until it is open
    const struct redis_ask_call *call;     // that waits
    enum err err;                          // of what is waited for
    bool waiting;
    char problem[PROBLEM_MAX];
};

static void note(struct redis_ask *ask, enum err err, struct span text)
{
    ask->err = err;
    (void)snprintf(ask->problem, sizeof(ask->problem), "%.*s", (int)text.len, text.ptr);
}

static void wake(struct redis_ask *ask)
{
    ask->waiting = false;
    loop_stop(ask->loop);
}

// Until `wake`; every wait has a deadline of its own elsewhere (the link's, the resolver's).
static enum err settle(struct redis_ask *ask)
{
    ask->waiting = true;
    ask->err = ERR_OK;
    ask->problem[0] = '\0';
    while (ask->waiting) {
        loop_run(ask->loop);
    }
    return ask->err;
}

static void on_open(struct redis_link *link)
{
    wake(link->owner);
}

static void on_reply(struct redis_link *link, const struct redis_link_command *command,
                     const struct resp_reply *reply)
{
    struct redis_ask *ask = link->owner;
    (void)command;
    if (resp_type(reply) == RESP_ERROR) {
        note(ask, ERR_DENIED, resp_text(reply));
    } else if (ask->call->on_reply != NULL) {
        ask->call->on_reply(ask->call->arg, reply);
    }
    wake(ask);
}

static void on_down(struct redis_link *link, struct span text)
{
    struct redis_ask *ask = link->owner;
    bool was_open = ask->call != NULL;
    note(ask, was_open ? ERR_CLOSED : ERR_REFUSED, text);
    redis_link_close(link);
    wake(ask);
}

static const struct redis_link_handlers handlers = {
    .on_open = on_open, .on_reply = on_reply, .on_down = on_down};

enum err redis_ask_new(const struct redis_ask_options *options, struct redis_ask **ret_ask)
{
    struct redis_ask *ask = calloc(1, sizeof(*ask));
    if (ask == NULL) {
        return ERR_NOMEM;
    }
    ask->options = *options;
    ask->link.handlers = &handlers;
    ask->link.owner = ask;
    buf_init(&ask->out, OUT_MAX);
    enum err err = redis_url_parse(span_str(options->url), &ask->url);
    if (err == ERR_OK) {
        err = loop_new(&ask->loop);
    }
    if (err == ERR_OK) {
        err = redis_link_init(&ask->link, ask->loop, 1);
    }
    if (err == ERR_OK && !ask->url.is_unix) {
        err = resolver_new(ask->loop, NULL, NULL, &ask->resolver);
    }
    if (err != ERR_OK) {
        redis_ask_free(ask);
        return err;
    }
    *ret_ask = ask;
    return ERR_OK;
}

void redis_ask_free(struct redis_ask *ask)
{
    if (ask == NULL) {
        return;
    }
    resolver_free(ask->resolver);
    redis_link_fini(&ask->link);
    loop_free(ask->loop);
    buf_fini(&ask->out);
    free(ask);
}

static void on_addresses(void *arg, const struct resolver_answer *answer)
{
    struct redis_ask *ask = arg;
    if (answer->err != ERR_OK) {
        note(ask, ERR_REFUSED, span_str(answer->text));
    } else {
        ask->address = answer->addresses[0];
    }
    wake(ask);
}

static enum err resolve(struct redis_ask *ask)
{
    if (ask->url.is_unix) {
        enum err err = address_unix(ask->url.host, &ask->address);
        if (err != ERR_OK) {
            note(ask, err, SPAN_LIT("the path is too long for a socket"));
        }
        return err;
    }
    struct resolver_query *query = NULL;
    const struct resolver_ask question = {
        .name = ask->url.host, .port = ask->url.port, .fn = on_addresses, .arg = ask};
    enum err err = resolver_query(ask->resolver, &question, &query);
    return err == ERR_OK ? settle(ask) : err;
}

static enum err make_tls(struct redis_ask *ask, struct redis_link_target *target)
{
    char text[TLS_TEXT_LEN] = "";
    const struct tls_options options = {.ca_file = ask->options.ca_file,
                                        .cert_file = ask->options.cert_file,
                                        .key_file = ask->options.key_file};
    enum err err = tls_context_new(&options, text, &target->tls);
    if (err != ERR_OK) {
        note(ask, err, span_str(text));
        return err;
    }
    memcpy(ask->tls_name, ask->url.host.ptr, ask->url.host.len);
    ask->tls_name[ask->url.host.len] = '\0';
    target->tls_name = ask->tls_name;
    return ERR_OK;
}

static enum err connect_it(struct redis_ask *ask)
{
    struct redis_link_target target = {.address = &ask->address,
                                       .timeout_ms = ask->options.connect_timeout_ms};
    enum err err = ask->url.tls ? make_tls(ask, &target) : ERR_OK;
    if (err != ERR_OK) {
        return err;
    }
    err = redis_link_open(&ask->link, &target);
    tls_context_free(target.tls);
    return err == ERR_OK ? settle(ask) : err;
}

// Sends what stands in `out` and waits for its reply.
static enum err exchange(struct redis_ask *ask, const struct redis_ask_call *call)
{
    if (!redis_link_is_open(&ask->link)) {
        return ERR_CLOSED; // the problem of the call before stands
    }
    const struct redis_link_command command = {.timeout_ms = ask->options.reply_timeout_ms};
    ask->call = call;
    redis_link_send(&ask->link, &command, &ask->out);
    redis_password_wipe(&ask->out);
    return settle(ask);
}

static enum err greet(struct redis_ask *ask)
{
    static const struct redis_ask_call ignored = {.words = NULL};
    enum err err = ERR_OK;
    if (ask->options.password_file[0] != '\0') {
        err = redis_password_auth(ask->options.user, ask->options.password_file, &ask->out);
        if (err != ERR_OK) {
            note(ask, err, SPAN_LIT("stream.password_file cannot be read"));
            return err;
        }
        err = exchange(ask, &ignored);
    }
    if (err == ERR_OK && ask->url.database != 0) {
        resp_command(&ask->out, 2);
        resp_arg_str(&ask->out, "SELECT");
        resp_arg_u64(&ask->out, ask->url.database);
        err = exchange(ask, &ignored);
    }
    return err;
}

enum err redis_ask_open(struct redis_ask *ask)
{
    ASSERT(!redis_link_is_open(&ask->link));
    enum err err = resolve(ask);
    if (err == ERR_OK) {
        err = connect_it(ask);
    }
    return err == ERR_OK ? greet(ask) : err;
}

enum err redis_ask_call(struct redis_ask *ask, const struct redis_ask_call *call)
{
    resp_command(&ask->out, (uint32_t)call->word_count);
    for (size_t i = 0; i < call->word_count; i++) {
        resp_arg(&ask->out, call->words[i]);
    }
    return exchange(ask, call);
}

const char *redis_ask_problem(const struct redis_ask *ask)
{
    return ask->problem;
}
