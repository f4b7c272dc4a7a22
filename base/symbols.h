// SPDX-License-Identifier: Apache-2.0
// Names for addresses of this program, so that a stack can be read: out of the symbol table of its own file,
// static functions included.  A stripped program, and a library, names what it exports, or its file.
// Invariant: what comes out is text for people; that a name is missing is no error.
// One thread at a time.  Read next: localmap/table/wait_ring.h, where stacks come from.
#pragma once

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

#define SYMBOLS_NAME_LEN 160

struct symbols;

// Reads the table: a millisecond or so.  *gives* it.  ERR_NOMEM, ERR_IO: the program's file cannot be read;
// ERR_SYNTAX: it is no ELF file that is understood here.
enum err symbols_new(struct symbols **ret_symbols) MUST_USE;
void symbols_free(struct symbols *symbols); // accepts NULL

// "function+0x1f", "library.so.6: function+0x1f", "library.so.6+0x1234", or "0x55..." when nothing is known.
// `address` is a return address: the call before it is meant.  `symbols` NULL: as without a table.
void symbols_name(const struct symbols *symbols, uintptr_t address,
                  char ret_name[SYMBOLS_NAME_LEN]);
