// SPDX-License-Identifier: Apache-2.0
// SipHash-1-3 (Aumasson, Bernstein: "SipHash: a fast short-input PRF", 2012; the variant with one
// compression and three finalisation rounds that Rust and CPython use for their tables).
//
// Two uses that must not be mixed: with a random key it defends a table against names that tenants
// choose; with a fixed key it is part of the wire (partition, record hash, digest).
// Invariant: the result depends on key and bytes only, never on the machine.  Pure, any thread.
#pragma once

#include <stddef.h>
#include <stdint.h>

#define SIPHASH_KEY_LEN 16

// Sixteen zero bytes: the key of everything that all nodes must compute alike.
extern const uint8_t siphash_zero_key[SIPHASH_KEY_LEN];

// The hash of `len` bytes at `data` (NULL is allowed when len is 0).
uint64_t siphash13(const uint8_t key[SIPHASH_KEY_LEN], const void *data, size_t len);
