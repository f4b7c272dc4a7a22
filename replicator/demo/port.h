// SPDX-License-Identifier: Apache-2.0
// Finds TCP ports of 127.0.0.1 below those that the kernel hands out by itself (32768 and above), where
// nobody else turns up by chance.  Any thread.
#pragma once

#include "base/err.h"

#include <stdint.h>

#define PORT_FIRST 20000
#define PORT_LAST 31999

// A port that could be bound a moment ago, at or after `from` and, past the last, from the first one on.
// ERR_BUSY: none.
enum err port_find(uint16_t from, uint16_t *ret_port) MUST_USE;
// Where to start looking: differs between processes, so that two demos rarely meet.
uint16_t port_start(void);
