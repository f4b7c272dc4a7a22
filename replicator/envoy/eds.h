// SPDX-License-Identifier: Apache-2.0
// One service as Envoy's REST and file subscriptions read it: a DiscoveryResponse in JSON that holds one
// ClusterLoadAssignment.
//
//     {"version_info":"<hash>","resources":[{"@type":"…ClusterLoadAssignment","cluster_name":"pay","endpoints":[
//       {"locality":{"region":…,"zone":…,"sub_zone":…},"lb_endpoints":[
//         {"endpoint":{"address":{"socket_address":{"address":"10.0.0.1","port_value":8080}}},
//          "health_status":"HEALTHY","load_balancing_weight":1}],"priority":0}]}]}
//
// Invariant: canonical: equal endpoints give equal bytes and an equal version on every node; no times, no
// latency, nothing of the node itself.  A service without endpoints is a cluster with an empty list.
// Read next: endpoints.h (the order).
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

#include <stdint.h>

struct endpoints;

#define EDS_TYPE "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment"
#define EDS_VERSION_LEN 17 // 16 hex digits and a NUL
#define EDS_LEN_MAX (128u << 20)

// Writes the response of ordered endpoints to `out` (emptied first; `scratch` is used along the way).
// ERR_NOMEM, ERR_TOO_LARGE.
enum err eds_write(const struct endpoints *endpoints, struct span cluster_name, struct buf *scratch,
                   struct buf *out) MUST_USE;
// The hash of a ClusterLoadAssignment as eds_write puts it into version_info.
void eds_version(struct span assignment, char ret_version[EDS_VERSION_LEN]);
