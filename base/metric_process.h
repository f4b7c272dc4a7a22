// SPDX-License-Identifier: Apache-2.0
// The process metrics that Prometheus' own clients have, under their names, read from /proc/self.
// Invariant: what cannot be read keeps its last value; nothing here fails a scrape.
// [any]; called by metric_write only.  Read next: metric.h.
#pragma once

void metric_process_collect(void);
