// SPDX-License-Identifier: Apache-2.0
// libFuzzer: any bytes as a configuration file.  The tree must keep its promises, an error its place.
//   clang -fsanitize=fuzzer,address,undefined -D_GNU_SOURCE -I. tests/fuzz/fuzz_yaml.c base/*.c ... (tools/fuzz.sh)
#include "base/assert.h"
#include "base/utf8.h"
#include "base/yaml.h"

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void walk(const struct yaml *node, unsigned depth)
{
    const struct span text = yaml_scalar(node);
    ASSERT(depth <= YAML_DEPTH_MAX);
    ASSERT(yaml_at(node).line > 0 && yaml_key_at(node).column > 0);
    ASSERT(utf8_valid(text) && (text.len == 0 || memchr(text.ptr, '\0', text.len) == NULL));
    ASSERT(utf8_valid(yaml_key(node)));
    size_t count = 0;
    for (const struct yaml *child = yaml_first(node); child != NULL; child = yaml_next(child)) {
        walk(child, depth + 1);
        count++;
    }
    ASSERT(count == yaml_count(node));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct yaml *root = NULL;
    struct yaml_error error = {{0, 0}, ""};
    const enum err err = yaml_parse(span_of(data, len), &root, &error);
    ASSERT((err == ERR_OK) == (root != NULL));
    ASSERT(err == ERR_OK || err == ERR_NOMEM || (error.at.line > 0 && error.text[0] != '\0'));
    if (root != NULL) {
        walk(root, 0);
    }
    yaml_free(root);
    return 0;
}
