// SPDX-License-Identifier: Apache-2.0
// libFuzzer: the strict lexer against the tree builder.  What the lexer accepts must become a tree, and
// a place that it names must lie inside the text.
//   clang -fsanitize=fuzzer,address,undefined -D_GNU_SOURCE -I. tests/fuzz/fuzz_json.c base/*.c ... (tools/fuzz.sh)
#include "base/assert.h"
#include "base/json.h"

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

// Visits every node, as a reader would.
static size_t walk(const struct json *node)
{
    size_t nodes = 1;
    for (const struct json *child = json_first(node); child != NULL; child = json_next(child)) {
        nodes += walk(child);
    }
    return nodes;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct json *root = NULL;
    struct json_error error = {0, NULL};
    const enum err err = json_parse(span_of(data, len), &root, &error);
    ASSERT(err == ERR_OK ||
           err == ERR_SYNTAX); // ERR_NOMEM: accepted by the one, refused by the other
    ASSERT((err == ERR_OK) == (root != NULL));
    ASSERT(err == ERR_OK || (error.text != NULL && error.offset <= len));
    ASSERT(root == NULL || walk(root) > 0);
    json_free(root);
    return 0;
}
