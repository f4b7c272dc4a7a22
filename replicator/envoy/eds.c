// SPDX-License-Identifier: Apache-2.0
#include "replicator/envoy/eds.h"

#include "base/json_write.h"
#include "base/siphash.h"
#include "base/text.h"
#include "replicator/envoy/endpoints.h"

static void write_locality(struct json_writer *writer, const struct endpoint *endpoint)
{
    if (endpoint->region.len + endpoint->zone.len + endpoint->sub_zone.len == 0) {
        return;
    }
    json_write_object(writer, "locality");
    if (endpoint->region.len > 0) {
        json_write_string(writer, "region", endpoint->region);
    }
    if (endpoint->zone.len > 0) {
        json_write_string(writer, "zone", endpoint->zone);
    }
    if (endpoint->sub_zone.len > 0) {
        json_write_string(writer, "sub_zone", endpoint->sub_zone);
    }
    json_write_object_end(writer);
}

static void write_endpoint(struct json_writer *writer, const struct endpoint *endpoint)
{
    json_write_object(writer, NULL);
    json_write_object(writer, "endpoint");
    json_write_object(writer, "address");
    json_write_object(writer, "socket_address");
    json_write_string(writer, "address", endpoint->address);
    json_write_int(writer, "port_value", endpoint->port);
    json_write_object_end(writer);
    json_write_object_end(writer);
    json_write_object_end(writer);
    json_write_text(writer, "health_status", status_name(endpoint->status));
    json_write_int(writer, "load_balancing_weight", endpoint->weight);
    json_write_object_end(writer);
}

// The endpoints from `first` on that belong together.  Returns the place behind the last.
static size_t write_group(struct json_writer *writer, const struct endpoints *endpoints,
                          size_t first)
{
    const struct endpoint *items = endpoints->items;
    size_t i = first;
    json_write_object(writer, NULL);
    write_locality(writer, &items[first]);
    json_write_array(writer, "lb_endpoints");
    for (; i < endpoints->count && endpoints_same_group(&items[i], &items[first]); i++) {
        write_endpoint(writer, &items[i]);
    }
    json_write_array_end(writer);
    json_write_int(writer, "priority", items[first].priority);
    json_write_object_end(writer);
    return i;
}

static void write_assignment(const struct endpoints *endpoints, struct span cluster_name,
                             struct buf *out)
{
    struct json_writer writer;
    json_writer_init(&writer, out, JSON_COMPACT);
    json_write_object(&writer, NULL);
    json_write_text(&writer, "@type", EDS_TYPE);
    json_write_string(&writer, "cluster_name", cluster_name);
    json_write_array(&writer, "endpoints");
    for (size_t i = 0; i < endpoints->count;) {
        i = write_group(&writer, endpoints, i);
    }
    json_write_array_end(&writer);
    json_write_object_end(&writer);
}

void eds_version(struct span assignment, char ret_version[EDS_VERSION_LEN])
{
    uint64_t hash = siphash13(siphash_zero_key, assignment.ptr, assignment.len);
    (void)text_hex_u64_format(hash, EDS_VERSION_LEN - 1, ret_version);
}

enum err eds_write(const struct endpoints *endpoints, struct span cluster_name, struct buf *scratch,
                   struct buf *out)
{
    char version[EDS_VERSION_LEN];
    struct json_writer writer;
    buf_reset(scratch);
    buf_reset(out);
    write_assignment(endpoints, cluster_name, scratch);
    if (scratch->err != ERR_OK) {
        return scratch->err;
    }
    eds_version(buf_span(scratch), version);
    json_writer_init(&writer, out, JSON_COMPACT);
    json_write_object(&writer, NULL);
    json_write_text(&writer, "version_info", version);
    json_write_array(&writer, "resources");
    json_write_raw(&writer, NULL, buf_span(scratch));
    json_write_array_end(&writer);
    json_write_object_end(&writer);
    buf_byte(out, '\n');
    return out->err;
}
