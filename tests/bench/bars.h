// SPDX-License-Identifier: Apache-2.0
// The bars of the spine, one function each.  Each starts what it needs, prints its rows and leaves its bar to
// report.h.  What is compared with a raw client is measured in turns with it, in one run, and told as the
// median of the repetitions.  One thread, nothing of two measurements at one time.
#pragma once

// Records of peers applied per second of CPU: core_step with entries of 64 records, into a real map.
void bar_apply(void);
// The server's CPU per record against a bare pipelined XADD, and bytes on the wire against the payload.
void bar_server(void);
// From a write on one node to the record in a peer's map, against XADD to blocked XREAD.
void bar_latency(void);
// From a PUT on one real daemon to the event at a watch of another, beside the same; no bar.
void bar_watch(void);
// Writes through the write queue into core, with one and two threads that write; no bar.
void bar_queue(void);
// A node that starts among 100,000 records, against a bare HSCAN of the same hashes.
void bar_cold(void);
