// SPDX-License-Identifier: Apache-2.0
#include "stream/memory_request.h"

#include "stream/memory_server.h"

#include <stdlib.h>

static struct span keep(char **at, struct span text)
{
    struct span kept = span_of(*at, text.len);
    if (text.len > 0) {
        memcpy(*at, text.ptr, text.len);
    }
    *at += text.len;
    return kept;
}

// One block with all that the call borrows; NULL: no memory.
static struct memory_request *copy(const struct memory_call *call)
{
    size_t head = sizeof(struct memory_request) + call->count * sizeof(struct stream_record);
    size_t bytes = call->name.len + call->payload.len + 1;
    for (uint32_t i = 0; i < call->count; i++) {
        bytes += call->records[i].key.len + call->records[i].value.len;
    }
    struct memory_request *request = malloc(head + bytes);
    if (request == NULL) {
        return NULL;
    }
    struct stream_record *records = (struct stream_record *)(void *)(request + 1);
    char *at = (char *)request + head;
    *request = (struct memory_request){.call = *call};
    for (uint32_t i = 0; i < call->count; i++) {
        records[i] = call->records[i];
        records[i].key = keep(&at, call->records[i].key);
        records[i].value = keep(&at, call->records[i].value);
    }
    request->call.records = records;
    request->call.name = keep(&at, call->name);
    request->call.payload = keep(&at, call->payload);
    return request;
}

void memory_request_submit(struct memory_client *client, const struct memory_call *call)
{
    struct memory_server *server = client->server;
    if (server->request_delay_max == 0 && server->requests == NULL) {
        memory_client_execute(server, client, call);
        return;
    }
    struct memory_request *request = copy(call);
    if (request == NULL) {
        memory_server_disconnect(client, 0);
        return;
    }
    uint32_t spread = server->request_delay_max - server->request_delay_min;
    uint64_t more = spread == 0 ? 0 : random_below(&server->random, (uint64_t)spread + 1);
    request->client = client;
    request->due = mono_add_ms(server->now, server->request_delay_min + (int64_t)more);
    // Behind all that are due no later, and behind the client's own.
    struct memory_request **place = &server->requests;
    for (struct memory_request **link = place; *link != NULL; link = &(*link)->next) {
        if ((*link)->due.us <= request->due.us || (*link)->client == client) {
            place = &(*link)->next;
        }
        if ((*link)->client == client && (*link)->due.us > request->due.us) {
            request->due = (*link)->due;
        }
    }
    request->next = *place;
    *place = request;
    memory_server_wake(server);
}

void memory_request_step(struct memory_server *server)
{
    while (server->requests != NULL && server->requests->due.us <= server->now.us) {
        struct memory_request *request = server->requests;
        server->requests = request->next;
        memory_client_execute(server, request->client, &request->call);
        free(request);
    }
}

void memory_request_orphan(struct memory_server *server, const struct memory_client *client)
{
    struct memory_request **link = &server->requests;
    while (*link != NULL) {
        struct memory_request *request = *link;
        bool lost = request->client == client && random_below(&server->random, 2) == 0;
        if (request->client == client) {
            request->client = NULL;
        }
        if (lost) {
            *link = request->next;
            free(request);
        } else {
            link = &request->next;
        }
    }
}

void memory_request_drop_all(struct memory_server *server)
{
    while (server->requests != NULL) {
        struct memory_request *request = server->requests;
        server->requests = request->next;
        free(request);
    }
}
