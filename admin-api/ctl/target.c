// SPDX-License-Identifier: Apache-2.0
#include "admin-api/ctl/target.h"

#include "base/buf.h"
#include "base/text.h"

#define NAME_MAX_LEN 4096 // far above every name; the daemon knows the real limits

enum err target_parse(const char *operand, bool whole, struct target *ret_target)
{
    struct span all = span_str(operand);
    const char *slash = whole ? NULL : strrchr(operand, '/');
    struct target target = {.service = all, .instance = SPAN_NONE};
    if (slash != NULL) {
        size_t len = (size_t)(slash - operand);
        target.service = span_of(operand, len);
        target.instance = span_of(slash + 1, all.len - len - 1);
    }
    bool empty = target.service.len == 0 || (slash != NULL && target.instance.len == 0);
    if (empty || all.len > NAME_MAX_LEN) {
        return ERR_SYNTAX;
    }
    *ret_target = target;
    return ERR_OK;
}

void target_encode(struct span text, struct buf *out)
{
    size_t cap = text.len * 3;
    char *room = buf_reserve(out, cap);
    if (room != NULL) {
        buf_advance(out, text_percent_encode(text, TEXT_PERCENT_KEEP_PATH, room, cap));
    }
}

void target_path(const struct target *target, const char *tenant, struct buf *out)
{
    buf_str(out, "/v1");
    if (tenant != NULL) {
        buf_str(out, "/tenants/");
        target_encode(span_str(tenant), out);
    }
    buf_str(out, "/services");
    if (target->service.len != 0) {
        buf_byte(out, '/');
        target_encode(target->service, out);
    }
    if (target->instance.len != 0) {
        buf_str(out, "/instances/");
        target_encode(target->instance, out);
    }
}
