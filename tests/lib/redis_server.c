// SPDX-License-Identifier: Apache-2.0
#include "tests/lib/redis_server.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ARGS_MAX 32
#define ANSWER_MAX (64 * 1024)

static _Noreturn void give_up(const char *what)
{
    fprintf(stderr, "redis_server: %s: %s\n", what, strerror(errno));
    abort();
}

static void nap(void)
{
    const struct timespec pause = {0, 2000000};
    nanosleep(&pause, NULL);
}

static const char *program(void)
{
    const char *named = getenv("REDIS_SERVER");
    return named != NULL && named[0] != '\0' ? named : "build/redis-server";
}

static int dial(const struct redis_server *server)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const struct timeval limit = {.tv_sec = 5};
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", server->socket);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static void execute(const struct redis_server *server)
{
    const char *argv[ARGS_MAX] = {
        program(),   "--port",    "0",  "--unixsocket", server->socket, "--dir",
        server->dir, "--save",    "",   "--appendonly", "no",           "--loglevel",
        "warning",   "--logfile", "log"};
    size_t count = 15;
    for (size_t i = 0; server->args != NULL && server->args[i] != NULL && count + 1 < ARGS_MAX;
         i++) {
        argv[count++] = server->args[i];
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    execv(argv[0], (char *const *)(uintptr_t)argv);
    _exit(127);
}

void redis_server_restart(struct redis_server *server)
{
    unlink(server->socket);
    server->pid = fork();
    if (server->pid == 0) {
        execute(server);
    }
    for (int i = 0; i < 2500; i++) {
        char answer[64] = "";
        int fd = dial(server);
        if (fd >= 0) {
            close(fd);
            redis_server_run(server, "PING", answer, sizeof(answer));
        }
        if (strcmp(answer, "+PONG") == 0 || answer[0] == '-') {
            return;
        }
        if (waitpid(server->pid, NULL, WNOHANG) == server->pid) {
            give_up("it did not start; tools/deps.sh installs build/redis-server");
        }
        nap();
    }
    give_up("it does not answer");
}

void redis_server_start(struct redis_server *server, const char *const *args)
{
    *server = (struct redis_server){.args = args};
    snprintf(server->dir, sizeof(server->dir), "/tmp/meshpulse-test-XXXXXX");
    if (mkdtemp(server->dir) == NULL) {
        give_up("no directory");
    }
    snprintf(server->socket, sizeof(server->socket), "%s/redis", server->dir);
    snprintf(server->url, sizeof(server->url), "unix://%s", server->socket);
    redis_server_restart(server);
}

void redis_server_kill(struct redis_server *server)
{
    if (server->pid > 0) {
        kill(server->pid, SIGKILL);
        waitpid(server->pid, NULL, 0);
        server->pid = 0;
    }
}

void redis_server_pause(struct redis_server *server)
{
    kill(server->pid, SIGSTOP);
}

void redis_server_resume(struct redis_server *server)
{
    kill(server->pid, SIGCONT);
}

void redis_server_stop(struct redis_server *server)
{
    static const char *const names[] = {"redis", "log", "dump.rdb", "password"};
    redis_server_kill(server);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char path[128];
        snprintf(path, sizeof(path), "%s/%s", server->dir, names[i]);
        unlink(path);
    }
    rmdir(server->dir);
}

// Good for the short answers of the commands that tests give: one read that ends in CRLF.
static void talk(const struct redis_server *server, struct span bytes, char *ret_text, size_t cap)
{
    static char answer[ANSWER_MAX];
    size_t len = 0;
    int fd = dial(server);
    if (fd < 0) {
        ret_text[0] = '\0';
        return;
    }
    while (bytes.len > 0) {
        ssize_t sent = send(fd, bytes.ptr, bytes.len, MSG_NOSIGNAL);
        if (sent <= 0) {
            break;
        }
        bytes = span_of(bytes.ptr + sent, bytes.len - (size_t)sent);
    }
    while (len < sizeof(answer) && (len == 0 || answer[len - 1] != '\n')) {
        ssize_t got = read(fd, answer + len, sizeof(answer) - len);
        if (got <= 0) {
            break;
        }
        len += (size_t)got;
    }
    close(fd);
    size_t start = len > 0 && answer[0] == '$' ? strcspn(answer, "\n") + 1 : 0;
    size_t line = start;
    while (line < len && answer[line] != '\r') {
        line++;
    }
    snprintf(ret_text, cap, "%.*s", (int)(line - start), answer + start);
}

void redis_server_run(struct redis_server *server, const char *command, char *ret_text, size_t cap)
{
    char line[1024];
    int len = snprintf(line, sizeof(line), "%s\r\n", command);
    talk(server, span_of(line, (size_t)len), ret_text, cap);
}

void redis_server_send(struct redis_server *server, const struct span *words, size_t count)
{
    char answer[256];
    char *bytes = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&bytes, &len);
    fprintf(out, "*%zu\r\n", count);
    for (size_t i = 0; i < count; i++) {
        fprintf(out, "$%zu\r\n", words[i].len);
        fwrite(words[i].ptr, 1, words[i].len, out);
        fprintf(out, "\r\n");
    }
    fclose(out);
    talk(server, span_of(bytes, len), answer, sizeof(answer));
    free(bytes);
    if (answer[0] == '-' || answer[0] == '\0') {
        fprintf(stderr, "%s\n", answer);
        give_up("refused a command");
    }
}
