// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/node_process.h"

#include "tests/bench/report.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define IN_LEN ((size_t)1 << 20)
#define READY_US 30e6
#define ANSWER_S 10

static void write_config(const char *path)
{
    FILE *file = fopen(path, "w");
    if (file == NULL || fputs("config_version: 1\n", file) < 0 || fclose(file) != 0) {
        report_give_up("no configuration file");
    }
}

static const char *program(void)
{
    const char *named = getenv("MESHPULSE");
    return named != NULL && named[0] != '\0' ? named : "build/release-gcc/meshpulse";
}

static void execute(const struct node_process *node, const char *config, const char *url)
{
    char id[64];
    char stream[192];
    char admin[160];
    snprintf(id, sizeof(id), "node.id=%s", node->name);
    snprintf(stream, sizeof(stream), "stream.url=%s", url);
    snprintf(admin, sizeof(admin), "admin.unix=%s", node->socket);
    int log = open(node->log, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (log >= 0) {
        (void)dup2(log, 1);
        (void)dup2(log, 2);
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    execl(program(), program(), "serve", "-c", config, "--set", id, "--set", stream, "--set", admin,
          "--set", "admin.listen=", (char *)NULL);
    _exit(127);
}

void node_process_start(struct node_process *node, const char *name, const char *dir,
                        const char *url)
{
    char config[128];
    snprintf(node->name, sizeof(node->name), "%s", name);
    snprintf(node->socket, sizeof(node->socket), "%s/%s.sock", dir, name);
    snprintf(node->log, sizeof(node->log), "%s/%s.log", dir, name);
    snprintf(config, sizeof(config), "%s/mesh.yaml", dir);
    write_config(config);
    node->pid = fork();
    if (node->pid == 0) {
        execute(node, config, url);
    }
    if (node->pid < 0) {
        report_give_up("no process");
    }
}

void node_process_stop(struct node_process *node)
{
    (void)kill(node->pid, SIGTERM);
    (void)waitpid(node->pid, NULL, 0);
    (void)unlink(node->socket);
    (void)unlink(node->log);
}

static int dial(const struct node_process *node)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const struct timeval limit = {.tv_sec = ANSWER_S};
    if (strlen(node->socket) >= sizeof(address.sun_path)) {
        report_give_up("the path of a socket is too long");
    }
    memcpy(address.sun_path, node->socket, strlen(node->socket) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static bool is_ready(const struct node_process *node)
{
    static const char question[] = "GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    char answer[64] = "";
    int fd = dial(node);
    bool ready = fd >= 0 && send(fd, question, sizeof(question) - 1, MSG_NOSIGNAL) > 0 &&
                 recv(fd, answer, sizeof(answer) - 1, 0) > 0 &&
                 strncmp(answer, "HTTP/1.1 200", 12) == 0;
    if (fd >= 0) {
        close(fd);
    }
    return ready;
}

void node_process_await_ready(const struct node_process *node)
{
    const struct timespec pause = {0, 20000000};
    double until_us = report_now_us() + READY_US;
    while (!is_ready(node)) {
        if (report_now_us() > until_us) {
            report_give_up("a daemon does not become ready");
        }
        nanosleep(&pause, NULL);
    }
}

// --- one connection

void node_http_open(struct node_http *http, const struct node_process *node)
{
    *http = (struct node_http){.fd = dial(node), .in = malloc(IN_LEN)};
    if (http->fd < 0 || http->in == NULL) {
        report_give_up("no connection to a daemon");
    }
}

void node_http_close(struct node_http *http)
{
    close(http->fd);
    free(http->in);
}

void node_http_send(struct node_http *http, struct span bytes)
{
    if (send(http->fd, bytes.ptr, bytes.len, MSG_NOSIGNAL) != (ssize_t)bytes.len) {
        report_give_up("a daemon takes no request");
    }
}

void node_http_await(struct node_http *http, const char *text)
{
    for (;;) {
        const char *at = memmem(http->in, http->in_len, text, strlen(text));
        if (at != NULL) {
            size_t used = (size_t)(at - http->in) + strlen(text);
            memmove(http->in, http->in + used, http->in_len - used);
            http->in_len -= used;
            return;
        }
        ssize_t len = recv(http->fd, http->in + http->in_len, IN_LEN - http->in_len, 0);
        if (len <= 0) {
            report_give_up("a daemon does not answer");
        }
        http->in_len += (size_t)len;
    }
}
