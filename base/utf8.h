// SPDX-License-Identifier: Apache-2.0
// UTF-8 as RFC 3629 has it: shortest form only, no surrogates, nothing above U+10FFFF.
// Invariant: what utf8_valid accepts is what the JSON lexer accepts and what the JSON writer writes.
// Pure, any thread.  Read next: text.h, json_write.h.
#pragma once

#include "base/span.h"

#include <stdint.h>

#define UTF8_LEN_MAX 4
#define UTF8_REPLACEMENT 0xFFFDu // what a writer shows in place of bytes that are no UTF-8

// The length (1-4) of the character at the start of `text` and its code point; 0 when there is none:
// empty, cut short or invalid.  `ret_code` is written only on success.
size_t utf8_next(struct span text, uint32_t *ret_code);

// Writes a code point (not a surrogate, at most U+10FFFF: ASSERTed).  Returns the length.
size_t utf8_put(uint32_t code, char ret_bytes[UTF8_LEN_MAX]);

bool utf8_valid(struct span text);

// C0, DEL, C1, U+2028 and U+2029: what may break a line or steer a terminal, and so stands in no name.
bool utf8_is_control(uint32_t code);

// The longest prefix of at most `len_max` bytes that does not end inside a character.
struct span utf8_cut(struct span text, size_t len_max);
