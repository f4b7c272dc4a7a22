// SPDX-License-Identifier: Apache-2.0
#include "admin-api/ctl/client.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UNIX_PREFIX "unix:"
#define TOKEN_MAX 1024
#define STREAM_SILENT_S 45L // the server sends a comment every 15 s

struct client {
    CURL *curl;
    char *server; // for a unix socket: its path
    bool is_unix;
    struct client_options options;
    char problem[CURL_ERROR_SIZE];
    char token[TOKEN_MAX + 1]; // "" none
};

struct call {
    struct client *client;
    const struct client_request *request;
};

static bool begins(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool client_server_is_valid(const char *server)
{
    if (begins(server, UNIX_PREFIX)) {
        return server[strlen(UNIX_PREFIX)] != '\0';
    }
    const char *host = begins(server, "http://")    ? server + 7
                       : begins(server, "https://") ? server + 8
                                                    : "";
    return host[0] != '\0' && host[0] != '/' && strpbrk(host, " \t\r\n?#@") == NULL;
}

// The first line, without the blanks around it; it must do as the value of a header.
static enum err read_token(const char *path, char ret_token[TOKEN_MAX + 1])
{
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return ERR_IO;
    }
    char line[TOKEN_MAX + 1];
    const char *got = fgets(line, sizeof(line), file);
    (void)fclose(file);
    if (got == NULL) {
        return ERR_IO;
    }
    const char *begin = line + strspn(line, " \t");
    size_t len = strcspn(begin, " \t\r\n");
    for (size_t i = 0; i < len; i++) {
        if (begin[i] < '!' || begin[i] > '~') {
            return ERR_IO;
        }
    }
    if (len == 0 || strspn(begin + len, " \t\r\n") != strlen(begin + len)) {
        return ERR_IO;
    }
    memcpy(ret_token, begin, len);
    ret_token[len] = '\0';
    return ERR_OK;
}

enum err client_new(const struct client_options *options, struct client **ret_client)
{
    if (!client_server_is_valid(options->server)) {
        return ERR_INVALID;
    }
    struct client *client = calloc(1, sizeof(*client));
    if (client == NULL) {
        return ERR_NOMEM;
    }
    enum err err = ERR_OK;
    if (options->token_file != NULL) {
        err = read_token(options->token_file, client->token);
    }
    if (err != ERR_OK) {
        goto free_client;
    }
    err = ERR_NOMEM;
    client->options = *options;
    client->is_unix = begins(options->server, UNIX_PREFIX);
    client->server = strdup(options->server + (client->is_unix ? strlen(UNIX_PREFIX) : 0));
    if (client->server == NULL) {
        goto free_client;
    }
    client->curl = curl_easy_init();
    if (client->curl == NULL) {
        goto free_server;
    }
    *ret_client = client;
    return ERR_OK;

free_server:
    free(client->server);
free_client:
    free(client);
    return err;
}

void client_free(struct client *client)
{
    if (client == NULL) {
        return;
    }
    curl_easy_cleanup(client->curl);
    free(client->server);
    free(client);
}

static size_t on_write(char *data, size_t size, size_t count, void *arg)
{
    const struct call *call = arg;
    long status = 0;
    (void)curl_easy_getinfo(call->client->curl, CURLINFO_RESPONSE_CODE, &status);
    size_t len = size * count;
    bool go_on = call->request->on_data(call->request->arg, (unsigned)status, span_of(data, len));
    return go_on ? len : 0;
}

// Appends "name: value".  The list stays as it is where there is no memory.
static bool add_header(struct curl_slist **list, const char *name, const char *value)
{
    char line[TOKEN_MAX + 64];
    int len = snprintf(line, sizeof(line), "%s: %s", name, value);
    if (len < 0 || (size_t)len >= sizeof(line)) {
        return false;
    }
    struct curl_slist *longer = curl_slist_append(*list, line);
    if (longer == NULL) {
        return false;
    }
    *list = longer;
    return true;
}

static enum err make_headers(const struct call *call, struct curl_slist **ret_list)
{
    const struct client_request *request = call->request;
    char bearer[TOKEN_MAX + 16];
    (void)snprintf(bearer, sizeof(bearer), "Bearer %s", call->client->token);
    bool patch = strcmp(request->method, "PATCH") == 0;
    const struct {
        const char *name, *value;
    } rows[] = {
        {"Accept", request->stream ? "text/event-stream" : "application/json"},
        {"Authorization", call->client->token[0] != '\0' ? bearer : NULL},
        {"If-Match", request->if_match},
        {"Last-Event-ID", request->last_event_id},
        {"Content-Type", request->body == NULL ? NULL
                         : patch               ? "application/merge-patch+json"
                                               : "application/json"},
    };
    struct curl_slist *list = NULL;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].value != NULL && !add_header(&list, rows[i].name, rows[i].value)) {
            curl_slist_free_all(list);
            return ERR_NOMEM;
        }
    }
    *ret_list = list;
    return ERR_OK;
}

static enum err set_url(struct client *client, const char *path)
{
    const char *origin = client->is_unix ? "http://localhost" : client->server;
    size_t origin_len = strlen(origin);
    while (origin_len > 0 && origin[origin_len - 1] == '/') {
        origin_len--;
    }
    size_t cap = origin_len + strlen(path) + 1;
    char *url = malloc(cap);
    if (url == NULL) {
        return ERR_NOMEM;
    }
    (void)snprintf(url, cap, "%.*s%s", (int)origin_len, origin, path);
    CURLcode code = curl_easy_setopt(client->curl, CURLOPT_URL, url);
    free(url);
    return code == CURLE_OK ? ERR_OK : ERR_NOMEM;
}

static void set_tls(struct client *client)
{
    const struct client_options *options = &client->options;
    if (options->ca_file != NULL) {
        (void)curl_easy_setopt(client->curl, CURLOPT_CAINFO, options->ca_file);
        (void)curl_easy_setopt(client->curl, CURLOPT_CAPATH, NULL);
    }
    (void)curl_easy_setopt(client->curl, CURLOPT_SSLCERT, options->cert_file);
    (void)curl_easy_setopt(client->curl, CURLOPT_SSLKEY, options->key_file);
    (void)curl_easy_setopt(client->curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
}

static void set_limits(struct client *client, const struct client_request *request)
{
    CURL *curl = client->curl;
    (void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    (void)curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    (void)curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    (void)curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)client->options.timeout_ms);
    (void)curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS,
                           request->stream ? 0L : (long)client->options.timeout_ms);
    if (request->stream) {
        (void)curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
        (void)curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, STREAM_SILENT_S);
    }
}

static enum err set_all(struct call *call, const struct curl_slist *headers)
{
    struct client *client = call->client;
    const struct client_request *request = call->request;
    CURL *curl = client->curl;
    curl_easy_reset(curl);
    client->problem[0] = '\0';
    set_limits(client, request);
    set_tls(client);
    (void)curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, client->problem);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_write);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, call);
    (void)curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    if (request->body != NULL) {
        (void)curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request->body);
    }
    // After the body, which alone would make it a POST.
    CURLcode code = curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request->method);
    if (code == CURLE_OK && client->is_unix) {
        code = curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, client->server);
    }
    return code == CURLE_OK ? set_url(client, request->path) : ERR_NOMEM;
}

static const struct {
    CURLcode code;
    enum err err;
} curl_errors[] = {
    {CURLE_OK, ERR_OK},
    {CURLE_COULDNT_CONNECT, ERR_REFUSED},
    {CURLE_COULDNT_RESOLVE_HOST, ERR_REFUSED},
    {CURLE_OPERATION_TIMEDOUT, ERR_TIMEOUT},
    {CURLE_PEER_FAILED_VERIFICATION, ERR_TLS},
    {CURLE_SSL_CONNECT_ERROR, ERR_TLS},
    {CURLE_SSL_CERTPROBLEM, ERR_TLS},
    {CURLE_SSL_CACERT_BADFILE, ERR_TLS},
    {CURLE_WRITE_ERROR, ERR_CLOSED},
    {CURLE_PARTIAL_FILE, ERR_CLOSED},
    {CURLE_GOT_NOTHING, ERR_CLOSED},
    {CURLE_RECV_ERROR, ERR_CLOSED},
    {CURLE_SEND_ERROR, ERR_CLOSED},
    {CURLE_OUT_OF_MEMORY, ERR_NOMEM},
};

static enum err judge(struct client *client, CURLcode code)
{
    if (code != CURLE_OK && client->problem[0] == '\0') {
        (void)snprintf(client->problem, sizeof(client->problem), "%s", curl_easy_strerror(code));
    }
    for (size_t i = 0; i < sizeof(curl_errors) / sizeof(curl_errors[0]); i++) {
        if (curl_errors[i].code == code) {
            return curl_errors[i].err;
        }
    }
    return ERR_IO;
}

enum err client_call(struct client *client, const struct client_request *request,
                     unsigned *ret_status)
{
    struct call call = {client, request};
    struct curl_slist *headers = NULL;
    enum err err = make_headers(&call, &headers);
    if (err != ERR_OK) {
        return err;
    }
    err = set_all(&call, headers);
    if (err != ERR_OK) {
        goto free_headers;
    }
    if (client->options.verbose) {
        fprintf(stderr, "> %s %s\n", request->method, request->path);
    }
    err = judge(client, curl_easy_perform(client->curl));
    long status = 0;
    (void)curl_easy_getinfo(client->curl, CURLINFO_RESPONSE_CODE, &status);
    if (client->options.verbose) {
        fprintf(stderr, "< %ld %s\n", status, client->problem);
    }
    if (err == ERR_OK) {
        *ret_status = (unsigned)status;
    }
free_headers:
    curl_slist_free_all(headers);
    return err;
}

const char *client_problem(const struct client *client)
{
    return client->problem;
}
