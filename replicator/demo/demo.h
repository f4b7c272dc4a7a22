// SPDX-License-Identifier: Apache-2.0
// `meshpulse demo`: a few nodes, a private Redis, six backends of which some fail and recover, and one
// table of how every node sees them.
//
//     STARTING --all nodes show all backends healthy--> RUNNING --duration, Ctrl-C--> SETTLING
//         |                                                |                             |
//         +-- 30 s, Ctrl-C: 1 --> ENDED <------------------+-- Ctrl-C again -------------+ all agree, or 10 s
//
// Invariant: whatever happens, no process and no file is left behind.
// Main thread.  Read next: story.h, fleet.h, screen.h.
#pragma once

struct arguments;

// The exit status: 0 only if the nodes converged and every flip was seen by every node.
int demo_run(const struct arguments *arguments);
