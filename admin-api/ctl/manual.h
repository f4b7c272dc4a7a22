// SPDX-License-Identifier: Apache-2.0
// The manual page meshpulse(1) in mdoc(7), made from commands.def, options.def and exits.def.
// Pure, any thread; errors stay in the buffer.  Read next: base/mdoc.h, usage.h.
#pragma once

struct buf;

void manual_write(struct buf *out);
