// SPDX-License-Identifier: Apache-2.0
// Small values to text and back: numbers, durations, sizes, times, hex, percent-encoding.
// The grammar is that of the configuration and the HTTP interface, one for both, and strict: no blanks,
// no signs, no leading zeros, nothing after the value.
// Invariant: parse(format(x)) == x.  A failed parse writes nothing.
// Pure (no allocation, no locale, no clock), any thread.  Read next: utf8.h, json.h.
#pragma once

#include "base/err.h"
#include "base/span.h"
#include "base/time.h"

#include <stdint.h>

// Room for the longest text and its NUL.
#define TEXT_U64_LEN 21
#define TEXT_I64_LEN 21
#define TEXT_DURATION_LEN 24
#define TEXT_SIZE_LEN 24
#define TEXT_TIME_LEN 25

// A hundred years: far above every setting, far below what overflows `struct mono`.
#define TEXT_DURATION_MAX_MS (UINT64_C(36525) * 24 * 3600 * 1000)

// Decimal digits.  ERR_SYNTAX; ERR_RANGE: above 2^64-1.
enum err text_u64(struct span text, uint64_t *ret_value) MUST_USE;
// The same between `min` and `max` inclusive.  ERR_SYNTAX, ERR_RANGE.
enum err text_u64_in(struct span text, uint64_t min, uint64_t max, uint64_t *ret_value) MUST_USE;
size_t text_u64_format(uint64_t value, char ret_text[TEXT_U64_LEN]);
size_t text_i64_format(int64_t value, char ret_text[TEXT_I64_LEN]);

// `true` or `false`.  ERR_SYNTAX.
enum err text_bool(struct span text, bool *ret_value) MUST_USE;

// `500ms`, `2s`, `10m`, `24h`, and `0` alone.  ERR_SYNTAX; ERR_RANGE: above TEXT_DURATION_MAX_MS.
enum err text_duration(struct span text, uint64_t *ret_ms) MUST_USE;
// In the greatest unit that divides it: 90000 is `90s`, 0 is `0s`.
size_t text_duration_format(uint64_t ms, char ret_text[TEXT_DURATION_LEN]);

// `512`, `512B`, `64KiB`, `8MiB`, `1GiB`.  ERR_SYNTAX; ERR_RANGE: above 2^64-1.
enum err text_size(struct span text, uint64_t *ret_len) MUST_USE;
size_t text_size_format(uint64_t len, char ret_text[TEXT_SIZE_LEN]);

// RFC 3339.  Read: any offset, a fraction of any length cut to milliseconds, `T` and `Z` in either case;
// a leap second (:60) is refused, because nothing here could keep it apart.  Years 0000-9999.
// ERR_SYNTAX: not of that form; ERR_RANGE: no such day or time.
enum err text_time(struct span text, struct wall *ret_time) MUST_USE;
// `2026-11-24T10:00:00.123Z`; a time outside the years 0000-9999 is shown as the nearest inside.
size_t text_time_format(struct wall time, char ret_text[TEXT_TIME_LEN]);

// Lower-case hex.  `ret_text` has room for 2 x len; no NUL is written.  Returns the length.
size_t text_hex_format(const void *bytes, size_t len, char *ret_text);
// Exactly 2 x len hex digits, lower or upper case.  ERR_SYNTAX.
enum err text_hex(struct span text, void *ret_bytes, size_t len) MUST_USE;
// A number of exactly `digits` (1-16) lower-case hex digits, as text_hex_u64_format writes it.
enum err text_hex_u64(struct span text, unsigned digits, uint64_t *ret_value) MUST_USE;
// Writes exactly `digits` digits and a NUL (so `ret_text` has room for digits + 1).  Returns digits.
size_t text_hex_u64_format(uint64_t value, unsigned digits, char *ret_text);

// One path part: %XX becomes a byte, everything else (also `+`) stands for itself.  Never longer than
// `text`.  ERR_SYNTAX: a broken %XX; ERR_TOO_LARGE: more than `cap` bytes.
enum err text_percent_decode(struct span text, char *buf, size_t cap, size_t *ret_len) MUST_USE;
// Everything but letters, digits and the bytes of `keep` becomes %XX (upper case).  Returns the whole
// length; when that is more than `cap` (at most 3 x text.len) nothing of use has been written.
size_t text_percent_encode(struct span text, const char *keep, char *buf, size_t cap);
#define TEXT_PERCENT_KEEP_PATH "-._~" // what RFC 3986 calls unreserved
