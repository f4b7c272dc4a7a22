// SPDX-License-Identifier: Apache-2.0
#include "stream/redis/resp.h"

#include "base/assert.h"
#include "base/text.h"
#include "stream/redis/resp_tree.h"

#include <hiredis/hiredis.h>
#include <stdlib.h>

#define HEAD_MAX 32 // "$18446744073709551615\r\n" and some

enum scan_state {
    SCAN_TYPE,     // the next byte says what comes
    SCAN_HEAD,     // inside "$<length>\r\n" or "*<count>\r\n", held back until it is whole
    SCAN_LINE,     // inside a status, error or integer
    SCAN_BULK,     // `left` bytes of a bulk and its CRLF
    SCAN_CUT_KEEP, // the first bytes of a bulk that is cut
    SCAN_CUT_SKIP  // the rest of it
};

struct resp {
    redisReader *reader;
    redisReplyObjectFunctions functions; // the reader keeps a pointer to them
    struct resp_tree tree;
    enum scan_state state;
    char head[HEAD_MAX];
    size_t head_len;
    size_t line_len;
    uint64_t left;   // bytes of the bulk that are still to come, CRLF included
    size_t keep;     // of which so many go into the cut's text
    struct span run; // of the piece at hand: bytes that go to the reader together
    size_t held_len; // fed since the last whole reply
    size_t wire_len; // of the last whole reply
};

// --- what the reader calls to build a reply

#if HIREDIS_MAJOR >= 1
typedef size_t array_len; // the type of createArray's argument has changed
#else
typedef int array_len;
#endif

static struct resp_reply *make(const redisReadTask *task, enum resp_type type, size_t room)
{
    struct resp *resp = task->privdata;
    struct resp_reply *node = resp_tree_node(&resp->tree, type, room);
    if (node != NULL && task->parent != NULL) {
        struct resp_reply *parent = task->parent->obj;
        parent->elements[task->idx] = node;
    }
    return node;
}

static void *make_text(const redisReadTask *task, char *bytes, size_t len)
{
    enum resp_type type = task->type == REDIS_REPLY_STATUS  ? RESP_STATUS
                          : task->type == REDIS_REPLY_ERROR ? RESP_ERROR
                                                            : RESP_STRING;
    struct resp_reply *node = make(task, type, len);
    if (node != NULL) {
        node->len = (uint32_t)len; // the scanner let nothing longer than RESP_BULK_MAX pass
        memcpy(node->text, bytes, len);
    }
    return node;
}

static void *make_array(const redisReadTask *task, array_len len)
{
    struct resp_reply *node = make(task, RESP_ARRAY, (size_t)len * sizeof(struct resp_reply *));
    if (node != NULL) {
        node->len = (uint32_t)len; // at most RESP_COUNT_MAX, likewise
    }
    return node;
}

static void *make_integer(const redisReadTask *task, long long value)
{
    struct resp_reply *node = make(task, RESP_INTEGER, 0);
    if (node != NULL) {
        node->integer = value;
    }
    return node;
}

static void *make_nil(const redisReadTask *task)
{
    return make(task, RESP_NIL, 0);
}

static void unmake(void *root)
{
    resp_tree_free(root);
}

enum err resp_new(struct resp **ret_resp)
{
    struct resp *resp = calloc(1, sizeof(*resp));
    if (resp == NULL) {
        return ERR_NOMEM;
    }
    resp->functions = (redisReplyObjectFunctions){.createString = make_text,
                                                  .createArray = make_array,
                                                  .createInteger = make_integer,
                                                  .createNil = make_nil,
                                                  .freeObject = unmake};
    resp->reader = redisReaderCreateWithFunctions(&resp->functions);
    if (resp->reader == NULL) {
        free(resp);
        return ERR_NOMEM;
    }
    resp->reader->privdata = resp;
    *ret_resp = resp;
    return ERR_OK;
}

void resp_free(struct resp *resp)
{
    if (resp != NULL) {
        redisReaderFree(resp->reader);
        free(resp);
    }
}

static enum err flush(struct resp *resp)
{
    struct span run = resp->run;
    resp->run = SPAN_NONE;
    if (run.len == 0) {
        return ERR_OK;
    }
    resp->held_len += run.len;
    if (resp->held_len > RESP_REPLY_MAX) {
        return ERR_TOO_LARGE;
    }
    return redisReaderFeed(resp->reader, run.ptr, run.len) == REDIS_OK ? ERR_OK : ERR_NOMEM;
}

// Gives bytes to the reader, many small ones that lie side by side in one call.
static enum err pass(struct resp *resp, struct span bytes)
{
    if (bytes.len == 0) {
        return ERR_OK;
    }
    if (resp->run.len > 0 && resp->run.ptr + resp->run.len == bytes.ptr) {
        resp->run.len += bytes.len;
        return ERR_OK;
    }
    enum err err = flush(resp);
    resp->run = bytes;
    return err;
}

// In place of the bulk: [announced length, its first bytes].
static enum err start_cut(struct resp *resp, uint64_t len)
{
    char head[3 * HEAD_MAX];
    struct buf buf;
    buf_init(&buf, sizeof(head));
    buf_printf(&buf, "*2\r\n:%llu\r\n$%d\r\n", (unsigned long long)len, RESP_CUT_KEPT);
    enum err err = buf.err;
    if (err == ERR_OK) {
        err = pass(resp, buf_span(&buf));
    }
    if (err == ERR_OK) {
        err = flush(resp); // before the bytes of the head go
    }
    buf_fini(&buf);
    resp->left = len + 2;
    resp->keep = RESP_CUT_KEPT;
    resp->state = SCAN_CUT_KEEP;
    return err;
}

static enum err head_bulk(struct resp *resp, struct span line, uint64_t len)
{
    if (len > RESP_BULK_MAX) {
        return len > INT64_MAX - 2 ? ERR_SYNTAX : start_cut(resp, len);
    }
    resp->left = len + 2;
    resp->state = SCAN_BULK;
    return pass(resp, line);
}

// `line`: a whole "$<length>\r\n" or "*<count>\r\n".
static enum err head_done(struct resp *resp, struct span line)
{
    uint64_t number = 0;
    resp->state = SCAN_TYPE;
    if (line.len < 4 || line.len > HEAD_MAX || line.ptr[line.len - 2] != '\r') {
        return ERR_SYNTAX;
    }
    struct span digits = span_of(line.ptr + 1, line.len - 3);
    if (span_eq_str(digits, "-1")) {
        return pass(resp, line);
    }
    if (text_u64(digits, &number) != ERR_OK) {
        return ERR_SYNTAX;
    }
    if (line.ptr[0] == '$') {
        return head_bulk(resp, line, number);
    }
    return number > RESP_COUNT_MAX ? ERR_TOO_LARGE : pass(resp, line);
}

// The usual case is a line that lies whole in the piece; else its parts are collected in `head`.
static enum err take_head(struct resp *resp, struct span *rest)
{
    const char *end = memchr(rest->ptr, '\n', rest->len);
    size_t len = end == NULL ? rest->len : (size_t)(end - rest->ptr) + 1;
    struct span line = span_of(rest->ptr, len);
    *rest = span_of(rest->ptr + len, rest->len - len);
    if (end != NULL && resp->head_len == 0) {
        return head_done(resp, line);
    }
    if (resp->head_len + len > HEAD_MAX) {
        return ERR_SYNTAX;
    }
    memcpy(resp->head + resp->head_len, line.ptr, len);
    resp->head_len += len;
    if (end == NULL) {
        return ERR_OK;
    }
    enum err err = head_done(resp, span_of(resp->head, resp->head_len));
    return err != ERR_OK ? err : flush(resp); // `head` is about to be used again
}

static enum err take_line(struct resp *resp, struct span *rest)
{
    const char *end = memchr(rest->ptr, '\n', rest->len);
    size_t len = end == NULL ? rest->len : (size_t)(end - rest->ptr) + 1;
    enum err err = pass(resp, span_of(rest->ptr, len));
    resp->line_len += len;
    *rest = span_of(rest->ptr + len, rest->len - len);
    if (end != NULL) {
        resp->state = SCAN_TYPE;
    }
    return resp->line_len > RESP_LINE_MAX ? ERR_TOO_LARGE : err;
}

static enum err take_bulk(struct resp *resp, struct span *rest)
{
    size_t len = rest->len < resp->left ? rest->len : (size_t)resp->left;
    enum err err = pass(resp, span_of(rest->ptr, len));
    resp->left -= len;
    *rest = span_of(rest->ptr + len, rest->len - len);
    if (resp->left == 0) {
        resp->state = SCAN_TYPE;
    }
    return err;
}

static enum err take_cut_kept(struct resp *resp, struct span *rest)
{
    size_t len = rest->len < resp->keep ? rest->len : resp->keep;
    enum err err = pass(resp, span_of(rest->ptr, len));
    resp->keep -= len;
    resp->left -= len;
    *rest = span_of(rest->ptr + len, rest->len - len);
    if (resp->keep == 0) {
        resp->state = SCAN_CUT_SKIP;
    }
    return err;
}

static enum err take_cut_skipped(struct resp *resp, struct span *rest)
{
    size_t len = rest->len < resp->left ? rest->len : (size_t)resp->left;
    resp->left -= len;
    *rest = span_of(rest->ptr + len, rest->len - len);
    if (resp->left > 0) {
        return ERR_OK;
    }
    resp->state = SCAN_TYPE;
    return pass(resp, SPAN_LIT("\r\n")); // a literal: it may wait in `run`
}

static enum err take_type(struct resp *resp, const struct span *rest)
{
    resp->head_len = 0;
    resp->line_len = 0;
    switch (*rest->ptr) {
    case '$':
    case '*':
        resp->state = SCAN_HEAD;
        return ERR_OK;
    case '+':
    case '-':
    case ':':
        resp->state = SCAN_LINE;
        return ERR_OK;
    default:
        return ERR_SYNTAX; // RESP3, or no Redis at all
    }
}

static enum err take(struct resp *resp, struct span *rest)
{
    switch (resp->state) {
    case SCAN_TYPE:
        return take_type(resp, rest);
    case SCAN_HEAD:
        return take_head(resp, rest);
    case SCAN_LINE:
        return take_line(resp, rest);
    case SCAN_BULK:
        return take_bulk(resp, rest);
    case SCAN_CUT_KEEP:
        return take_cut_kept(resp, rest);
    case SCAN_CUT_SKIP:
        return take_cut_skipped(resp, rest);
    }
    return ERR_SYNTAX;
}

enum err resp_feed(struct resp *resp, struct span piece)
{
    ASSERT(piece.len <= RESP_PIECE_MAX);
    enum err err = ERR_OK;
    while (err == ERR_OK && piece.len > 0) {
        err = take(resp, &piece);
    }
    enum err flushed = flush(resp); // always: the piece is not ours after this
    return err != ERR_OK ? err : flushed;
}

enum err resp_next(struct resp *resp, struct resp_reply **ret_reply)
{
    void *reply = NULL;
    if (redisReaderGetReply(resp->reader, &reply) != REDIS_OK) {
        resp->tree = (struct resp_tree){NULL}; // the reader has freed it
        return resp->reader->err == REDIS_ERR_OOM ? ERR_NOMEM : ERR_SYNTAX;
    }
    if (reply != NULL) {
        resp->tree = (struct resp_tree){NULL};
        size_t waiting = resp->reader->len - resp->reader->pos;
        resp->wire_len = resp->held_len - waiting;
        resp->held_len = waiting;
    }
    *ret_reply = reply;
    return ERR_OK;
}

void resp_reply_free(struct resp_reply *reply)
{
    resp_tree_free(reply);
}

size_t resp_wire_len(const struct resp *resp)
{
    return resp->wire_len;
}

// --- looking into a reply

// A server never mixes an integer and a bulk in an array of two where we read keys and values; our
// scripts do not answer so either.  Only start_cut makes this shape.
static bool is_cut(const struct resp_reply *r)
{
    return r->len == 2 && r->elements[0]->type == RESP_INTEGER &&
           r->elements[0]->integer > RESP_BULK_MAX && r->elements[1]->type == RESP_STRING &&
           r->elements[1]->len == RESP_CUT_KEPT;
}

enum resp_type resp_type(const struct resp_reply *reply)
{
    return reply->type == RESP_ARRAY && is_cut(reply) ? RESP_CUT : reply->type;
}

struct span resp_text(const struct resp_reply *reply)
{
    enum resp_type type = resp_type(reply);
    if (type == RESP_CUT) {
        return span_of(reply->elements[1]->text, reply->elements[1]->len);
    }
    bool has_text = type == RESP_STRING || type == RESP_STATUS || type == RESP_ERROR;
    return has_text ? span_of(reply->text, reply->len) : SPAN_NONE;
}

int64_t resp_integer(const struct resp_reply *reply)
{
    enum resp_type type = resp_type(reply);
    if (type == RESP_CUT) {
        return reply->elements[0]->integer;
    }
    return type == RESP_INTEGER ? reply->integer : 0;
}

uint32_t resp_count(const struct resp_reply *reply)
{
    return resp_type(reply) == RESP_ARRAY ? reply->len : 0;
}

const struct resp_reply *resp_at(const struct resp_reply *reply, uint32_t index)
{
    ASSERT(index < resp_count(reply));
    return reply->elements[index];
}

// --- commands

void resp_command(struct buf *buf, uint32_t argument_count)
{
    buf_byte(buf, '*');
    buf_u64(buf, argument_count);
    buf_str(buf, "\r\n");
}

void resp_arg(struct buf *buf, struct span argument)
{
    buf_byte(buf, '$');
    buf_u64(buf, argument.len);
    buf_str(buf, "\r\n");
    buf_put(buf, argument);
    buf_str(buf, "\r\n");
}

void resp_arg_str(struct buf *buf, const char *argument)
{
    resp_arg(buf, span_str(argument));
}

void resp_arg_u64(struct buf *buf, uint64_t argument)
{
    char text[TEXT_U64_LEN];
    size_t len = text_u64_format(argument, text);
    resp_arg(buf, span_of(text, len));
}
