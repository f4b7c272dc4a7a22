// SPDX-License-Identifier: Apache-2.0
// One range of addresses for all records and indexes of a table.
//
//     | small pieces | chunk | chunk | index ... | chunk | not yet used: no pages, no access |
//
// Reserved once and given to nobody else until the table is freed; pages come as they are touched, may go back
// to the kernel and come again as zeros, addresses never.  A reference is the distance from the start in words
// of 8 bytes, so 32 bits reach 32 GiB; 0 leads to readable zeros and is nobody.
// What is a record once is a record for ever, an index an index: a reader with a stale pointer reads no other.
// Any thread; one mutex (rank 31).  Private to table/.  Read next: slab.h, index.h.
#pragma once

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

#define RANGE_WINDOW 65536 // larger pieces begin at a multiple of this

struct range;

// *gives* the range.  ERR_NOMEM: no addresses, or no memory for its books.
enum err range_new(struct range **ret_range) MUST_USE;
void range_free(struct range *range); // accepts NULL
char *range_base(const struct range *range);

// A piece that reads as zeros, for as long as the range lives; its distance from the start in bytes.  `bytes`: a
// multiple of `align`, or of RANGE_WINDOW; `align`: a power of two, 8..RANGE_WINDOW.  ERR_NOMEM.
enum err range_take(struct range *range, size_t bytes, size_t align, uint64_t *ret_at) MUST_USE;

// Something of the owner's for each window; NULL at first.  Who took the window reads and writes it.
void **range_owner(const struct range *range, uint64_t at);

// For a thread beside; none of them changes what is read, so none needs a lock of the piece's owner.
void range_populate(char *from, size_t bytes); // has the kernel give the pages now
// Sees to it that what is taken next has its pages: 1 to 16 MiB of it, a 32nd of what is in use.
void range_ahead(struct range *range);

// Gives pages back; they read as zeros from then on.  Whole pages within the piece only.
void range_give_back(char *from, size_t bytes);
