// SPDX-License-Identifier: Apache-2.0
#include "stream/redis/redis_password.h"

#include "stream/redis/resp.h"

#include <stdio.h>
#include <string.h>

#define PASSWORD_MAX 4096

// The file's first line.  False: it cannot be read.
static bool read_password(const char *path, char ret_password[PASSWORD_MAX], size_t *ret_len)
{
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return false;
    }
    setbuf(file, NULL); // no copy of the secret stays in a buffer
    size_t len = fread(ret_password, 1, PASSWORD_MAX, file);
    bool failed = ferror(file) != 0;
    fclose(file);
    const char *end = len == 0 ? NULL : memchr(ret_password, '\n', len);
    *ret_len = end == NULL ? len : (size_t)(end - ret_password);
    if (*ret_len > 0 && ret_password[*ret_len - 1] == '\r') {
        --*ret_len;
    }
    return !failed;
}

enum err redis_password_auth(const char *user, const char *file, struct buf *out)
{
    char password[PASSWORD_MAX];
    size_t len = 0;
    if (!read_password(file, password, &len)) {
        return ERR_NOT_FOUND;
    }
    bool has_user = user[0] != '\0';
    resp_command(out, has_user ? 3 : 2);
    resp_arg_str(out, "AUTH");
    if (has_user) {
        resp_arg_str(out, user);
    }
    resp_arg(out, span_of(password, len));
    explicit_bzero(password, sizeof(password));
    return ERR_OK;
}

void redis_password_wipe(struct buf *out)
{
    if (out->ptr != NULL) {
        explicit_bzero(out->ptr, out->cap);
    }
    buf_reset(out);
}
