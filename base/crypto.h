// SPDX-License-Identifier: Apache-2.0
// The few primitives that secrets need: SHA-256, HMAC, comparison in constant time.  Random bytes:
// base/random.h.
// Not for hash tables (base/siphash.h) nor for digests of records.
// Any thread.
#pragma once

#include "base/err.h"
#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>

#define CRYPTO_SHA256_LEN 32

// ERR_IO: OpenSSL has no SHA-256 (a FIPS provider that does not load, say).
enum err crypto_sha256(struct span data, uint8_t ret_hash[CRYPTO_SHA256_LEN]) MUST_USE;
// Lower case, terminated.
enum err crypto_sha256_hex(struct span data, char ret_hex[2 * CRYPTO_SHA256_LEN + 1]) MUST_USE;
enum err crypto_hmac_sha256(struct span key, struct span data,
                            uint8_t ret_mac[CRYPTO_SHA256_LEN]) MUST_USE;

// Equal bytes?  The time depends on the lengths only.
bool crypto_equal(struct span a, struct span b);
