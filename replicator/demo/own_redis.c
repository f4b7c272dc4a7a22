// SPDX-License-Identifier: Apache-2.0
#include "replicator/demo/own_redis.h"

#include "base/assert.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static bool take_if_executable(struct own_redis *redis, const char *path)
{
    if (strlen(path) >= sizeof(redis->program) || access(path, X_OK) != 0) {
        return false;
    }
    memcpy(redis->program, path, strlen(path) + 1);
    return true;
}

// Beside ./meshpulse, or above build/<mode>/meshpulse.
static bool find_beside(struct own_redis *redis)
{
    char self[2048];
    ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);
    if (len <= 0) {
        return false;
    }
    self[len] = '\0';
    char *slash = strrchr(self, '/');
    if (slash == NULL) {
        return false;
    }
    *slash = '\0';
    static const char *const places[] = {"build/redis-server", "../redis-server"};
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        char path[2048 + 32];
        (void)snprintf(path, sizeof(path), "%s/%s", self, places[i]);
        if (take_if_executable(redis, path)) {
            return true;
        }
    }
    return false;
}

static bool find_in_path(struct own_redis *redis, const char *name)
{
    const char *path = getenv("PATH");
    while (path != NULL && *path != '\0') {
        size_t len = strcspn(path, ":");
        char file[4096];
        int written = snprintf(file, sizeof(file), "%.*s/%s", (int)len, path, name);
        bool fits = written > 0 && (size_t)written < sizeof(file);
        if (fits && len > 0 && take_if_executable(redis, file)) {
            return true;
        }
        path += len + (path[len] == ':');
    }
    return false;
}

// The program looks at the name under which it was called.
static enum err give_other_name(struct own_redis *redis)
{
    char name[PLACE_PATH_MAX + 32];
    place_name(redis->place, "redis-server", name, sizeof(name));
    if (symlink(redis->program, name) != 0) {
        return ERR_IO;
    }
    memcpy(redis->program, name, strlen(name) + 1);
    return ERR_OK;
}

enum err own_redis_find(struct own_redis *redis, const struct place *place)
{
    memset(redis, 0, sizeof(*redis));
    redis->place = place;
    if (find_beside(redis) || find_in_path(redis, "redis-server")) {
        return ERR_OK;
    }
    return find_in_path(redis, "redis-check-rdb") ? give_other_name(redis) : ERR_NOT_FOUND;
}

void own_redis_socket(const struct own_redis *redis, char *ret_path, size_t cap)
{
    place_name(redis->place, "redis.sock", ret_path, cap);
}

enum err own_redis_start(struct own_redis *redis)
{
    char socket_path[PLACE_PATH_MAX + 32];
    own_redis_socket(redis, socket_path, sizeof(socket_path));
    char text[512];
    // appendonly and save off: what is private and passing needs no disk.
    (void)snprintf(text, sizeof(text),
                   "port 0\nunixsocket %s\nunixsocketperm 600\ndir %s\nsave \"\"\nappendonly no\n"
                   "maxmemory-policy noeviction\ndaemonize no\n",
                   socket_path, redis->place->path);
    enum err err = place_write(redis->place, "redis.conf", text);
    if (err != ERR_OK) {
        return err;
    }
    char config[PLACE_PATH_MAX + 32], log[PLACE_PATH_MAX + 32], name[] = "redis-server";
    place_name(redis->place, "redis.conf", config, sizeof(config));
    place_name(redis->place, "redis.log", log, sizeof(log));
    char *arguments[] = {name, config, NULL};
    struct process_options options = {redis->program, arguments, log};
    return process_start(&redis->process, &options);
}

bool own_redis_answers(const struct own_redis *redis)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    own_redis_socket(redis, address.sun_path, sizeof(address.sun_path));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return false;
    }
    bool connected = connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0;
    (void)close(fd);
    return connected;
}
