// SPDX-License-Identifier: Apache-2.0
// The client's commands: each takes an open session, says what happened, and gives the exit status.
// Main thread.  Read next: session.h, get.c, watch.c, write.c, overview_run.c.
#pragma once

struct session;

int get_run(struct session *session);
int watch_run(struct session *session);
int set_run(struct session *session);
int report_run(struct session *session);
int delete_run(struct session *session);
int drain_run(struct session *session);
int undrain_run(struct session *session);
int nodes_run(struct session *session);
int overview_run(struct session *session); // `status`
int top_run(struct session *session);
