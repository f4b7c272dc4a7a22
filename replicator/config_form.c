// SPDX-License-Identifier: Apache-2.0
#include "replicator/config_form.h"

#include "base/address.h"
#include "base/cidr.h"
#include "base/json_write.h"
#include "base/template.h"
#include "base/text.h"
#include "base/utf8.h"
#include "localmap/model/key.h"

#define QUOTE_MAX 64

void config_quote(struct buf *out, struct span text)
{
    struct span shown = utf8_cut(text, QUOTE_MAX);
    json_write_quoted(out, shown);
    if (shown.len < text.len) {
        buf_str(out, "...");
    }
}

void config_problem(struct buf *out, struct span text, const char *what, const char *allowed)
{
    config_quote(out, text);
    buf_printf(out, " %s; %s", what, allowed);
}

static bool starts_with(struct span text, const char *prefix)
{
    size_t len = strlen(prefix);
    return text.len >= len && memcmp(text.ptr, prefix, len) == 0;
}

// Everything behind the first `len` bytes.
static struct span behind(struct span text, size_t len)
{
    return span_of(text.ptr + len, text.len - len);
}

static bool all_of(struct span text, const char *allowed)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '\0' || strchr(allowed, text.ptr[i]) == NULL) {
            return false;
        }
    }
    return true;
}

#define DIGITS "0123456789"
#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// --- one function a form: NULL when it is right, else what is wrong

typedef const char *(*form_fn)(struct span text);

static const char *form_node_id(struct span text)
{
    if (text.len == 0) {
        return NULL; // the host name
    }
    if (text.ptr[0] == '!' || span_eq_str(text, "anonymous")) {
        return "is reserved";
    }
    return key_name_check(text, KEY_OBSERVER_MAX) == ERR_OK ? NULL : "is no name";
}

static const char *form_name(struct span text)
{
    bool valid = text.len == 0 || key_name_check(text, KEY_SERVICE_MAX) == ERR_OK;
    return valid ? NULL : "is no name";
}

static const char *form_prefix(struct span text)
{
    bool valid = text.len >= 1 && text.len <= 63 && all_of(text, LETTERS DIGITS "._:-");
    return valid ? NULL : "is no prefix";
}

static const char *form_path(struct span text)
{
    return text.len < CONFIG_STRING_MAX ? NULL : "is too long";
}

static const char *form_unix(struct span text)
{
    struct address address;
    bool valid = text.len == 0 || address_unix(text, &address) == ERR_OK;
    return valid ? NULL : "is too long";
}

static const char *form_listen(struct span text)
{
    struct address address;
    bool valid = text.len == 0 || address_parse(text, &address) == ERR_OK;
    return valid ? NULL : "is no address with a port";
}

static const char *form_mode(struct span text)
{
    bool valid =
        (text.len == 3 || (text.len == 4 && text.ptr[0] == '0')) && all_of(text, "01234567");
    return valid ? NULL : "is no mode";
}

// HOST or HOST:PORT or [IPV6]:PORT, nothing else.
static const char *host_and_port(struct span text)
{
    const char *end = text.len > 0 && text.ptr[0] == '[' ? memchr(text.ptr, ']', text.len) : NULL;
    size_t host_len = end == NULL ? 0 : (size_t)(end - text.ptr) + 1;
    if (end == NULL) {
        while (host_len < text.len && text.ptr[host_len] != ':') {
            host_len++;
        }
    }
    struct span host = span_of(text.ptr, host_len);
    const char *allowed = end == NULL ? LETTERS DIGITS ".-_" : LETTERS DIGITS "[]:.";
    if (host.len == 0 || host.len > 255 || !all_of(host, allowed)) {
        return "names no host";
    }
    uint64_t port = 0;
    struct span rest = behind(text, host_len);
    if (rest.len > 0 &&
        (rest.ptr[0] != ':' || text_u64_in(behind(rest, 1), 1, 65535, &port) != ERR_OK)) {
        return "has no valid port";
    }
    return NULL;
}

static const char *server_url(struct span rest)
{
    const char *at = rest.len == 0 ? NULL : memchr(rest.ptr, '@', rest.len);
    if (at != NULL && memchr(rest.ptr, ':', (size_t)(at - rest.ptr)) != NULL) {
        return "holds a password, which belongs into stream.password_file";
    }
    if (at != NULL) {
        return "holds a user, which belongs into stream.user";
    }
    return host_and_port(rest);
}

static const char *form_stream_url(struct span text)
{
    static const struct {
        const char *scheme;
        enum config_step step;
    } schemes[] = {{"redis://", CONFIG_STEP_SPINE},
                   {"rediss://", CONFIG_STEP_FIRST_DAY},
                   {"redis+sentinel://", CONFIG_STEP_REPLICATION},
                   {"redis+cluster://", CONFIG_STEP_REPLICATION}};
    if (span_eq_str(text, "memory:")) {
        return NULL;
    }
    if (starts_with(text, "unix://")) {
        struct span path = behind(text, 7);
        struct address address;
        bool valid = path.len > 0 && path.ptr[0] == '/' && address_unix(path, &address) == ERR_OK;
        return valid ? NULL : "names no path";
    }
    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        if (starts_with(text, schemes[i].scheme)) {
            return config_step_available(schemes[i].step)
                       ? server_url(behind(text, strlen(schemes[i].scheme)))
                       : "is not available in this version";
        }
    }
    return "is no URL of a stream";
}

static const char *form_http_url(struct span text)
{
    if (text.len == 0) {
        return NULL;
    }
    bool valid = starts_with(text, "http://") && host_and_port(behind(text, 7)) == NULL;
    return valid ? NULL : "is no URL";
}

static const char *form_cluster_name(struct span text)
{
    static const struct template_word words[] = {{"service", {"", 0}}, {"tenant", {"", 0}}};
    struct buf out;
    buf_init(&out, CONFIG_STRING_MAX);
    const char *wrong = "is no template";
    if (template_expand(text, words, 2, &out) == ERR_OK && text.len <= 255 &&
        key_name_check(text, 255) == ERR_OK) {
        // A name that does not say which service it is would be that of all of them.
        wrong = memmem(text.ptr, text.len, "{service}", 9) != NULL ? NULL : "names no service";
    }
    buf_fini(&out);
    return wrong;
}

static const char *form_rate(struct span text)
{
    uint64_t rate;
    bool valid = text.len > 2 && text.ptr[text.len - 1] == 's' && text.ptr[text.len - 2] == '/' &&
                 text_u64_in(span_of(text.ptr, text.len - 2), 1, 1000000, &rate) == ERR_OK;
    return valid ? NULL : "is no rate";
}

static const char *form_cidr(struct span text)
{
    struct cidr cidr;
    return cidr_parse(text, &cidr) == ERR_OK ? NULL : "is no network";
}

static const char *form_uid(struct span text)
{
    uint64_t uid;
    return text_u64_in(text, 0, UINT32_MAX - 1, &uid) == ERR_OK ? NULL : "is no user id";
}

static const char *form_host(struct span text)
{
    bool valid = text.len >= 1 && text.len <= 255 && all_of(text, LETTERS DIGITS ".-_:[]");
    return valid ? NULL : "is no name of a host";
}

static const struct {
    form_fn check;
    const char *allowed;
} forms[CONFIG_FORM_COUNT] = {
    [CONFIG_FORM_NODE_ID] = {form_node_id, "at most 63 bytes without control characters, not "
                                           "`anonymous`, no leading `!`"},
    [CONFIG_FORM_NAME] = {form_name, "at most 255 bytes without control characters"},
    [CONFIG_FORM_PREFIX] = {form_prefix, "1 to 63 letters, digits and . _ : -"},
    [CONFIG_FORM_PATH] = {form_path, "a path"},
    [CONFIG_FORM_UNIX] = {form_unix, "a path of at most 107 bytes"},
    [CONFIG_FORM_LISTEN] = {form_listen, "such as 127.0.0.1:9810, [::1]:9810 or localhost:9810"},
    [CONFIG_FORM_MODE] = {form_mode, "octal, such as \"0660\""},
    [CONFIG_FORM_STREAM_URL] = {form_stream_url,
                                "memory:, redis://HOST:PORT, rediss://HOST:PORT or unix:///PATH"},
    [CONFIG_FORM_HTTP_URL] = {form_http_url, "such as http://127.0.0.1:9901"},
    [CONFIG_FORM_CLUSTER_NAME] = {form_cluster_name,
                                  "text with {service} in it, and {tenant} if wanted"},
    [CONFIG_FORM_RATE] = {form_rate, "such as 200/s"},
    [CONFIG_FORM_CIDR] = {form_cidr, "such as 10.0.0.0/8 or fd00::/8"},
    [CONFIG_FORM_UID] = {form_uid, "a number"},
    [CONFIG_FORM_HOST] = {form_host, "a name, or an address with or without a port"},
};

static bool is_text(struct span text)
{
    if (!utf8_valid(text)) {
        return false;
    }
    for (size_t at = 0; at < text.len;) {
        uint32_t code = 0;
        at += utf8_next(behind(text, at), &code);
        if (utf8_is_control(code)) {
            return false;
        }
    }
    return true;
}

bool config_form_check(enum config_form form, struct span text, struct buf *ret_problem)
{
    const char *wrong = is_text(text) ? forms[form].check(text) : "is no text in one line";
    if (wrong == NULL) {
        return true;
    }
    // What looks like a secret is not shown again.
    bool secret =
        form == CONFIG_FORM_STREAM_URL && text.len > 0 && memchr(text.ptr, '@', text.len) != NULL;
    if (secret) {
        buf_printf(ret_problem, "the URL %s; %s", wrong, forms[form].allowed);
    } else {
        config_problem(ret_problem, text, wrong, forms[form].allowed);
    }
    return false;
}

const char *config_form_text(enum config_form form)
{
    return forms[form].allowed;
}
