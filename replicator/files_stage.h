// SPDX-License-Identifier: Apache-2.0
// The files for Envoy (xds.files_dir) as a stage; nothing when the directory is not set.
// [loop].  Read next: replicator/envoy/files.h.
#pragma once

struct daemon;

int files_stage_start(struct daemon *daemon);
void files_stage_stop(struct daemon *daemon);
// The changefeed has grown.
void files_stage_wake(struct daemon *daemon);
// The map may be served: files are written from now on.
void files_stage_ready(struct daemon *daemon);
// Files written, as a metric.
void files_stage_measure(struct daemon *daemon);
