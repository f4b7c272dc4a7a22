// SPDX-License-Identifier: Apache-2.0
#include "replicator/envoy/cluster.h"

#include "base/assert.h"
#include "base/siphash.h"
#include "base/template.h"
#include "base/text.h"
#include "localmap/model/key.h"

#include <string.h>

#define HASH_DIGITS 16
#define CUT_LEN (CLUSTER_FILE_STEM_MAX - HASH_DIGITS - 1)

enum err cluster_name(struct span name_template, struct span service_key, struct buf *out)
{
    struct key key;
    buf_reset(out);
    if (key_parse(service_key, &key) != ERR_OK || key.kind != KEY_POLICY) {
        return ERR_SYNTAX;
    }
    const struct template_word words[] = {{"service", key.service}, {"tenant", key.tenant}};
    enum err err = template_expand(name_template, words, 2, out);
    return err != ERR_OK ? err : out->err;
}

// How many bytes at the start of `encoded`, at most `max`, do not end inside a %XX.
static size_t whole_len(const char *encoded, size_t max)
{
    for (size_t back = 1; back <= 2; back++) {
        if (encoded[max - back] == '%') {
            return max - back;
        }
    }
    return max;
}

void cluster_file_name(struct span cluster, char ret_name[CLUSTER_FILE_LEN])
{
    char encoded[3 * CLUSTER_NAME_MAX];
    ASSERT(cluster.len <= CLUSTER_NAME_MAX);
    size_t len = text_percent_encode(cluster, "_-", encoded, sizeof(encoded));
    if (len > CLUSTER_FILE_STEM_MAX) {
        uint64_t hash = siphash13(siphash_zero_key, cluster.ptr, cluster.len);
        len = whole_len(encoded, CUT_LEN);
        encoded[len++] = '-';
        len += text_hex_u64_format(hash, HASH_DIGITS, encoded + len);
    }
    memcpy(ret_name, encoded, len);
    memcpy(ret_name + len, ".json", sizeof(".json"));
}
