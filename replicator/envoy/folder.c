// SPDX-License-Identifier: Apache-2.0
#include "replicator/envoy/folder.h"

#include "base/assert.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static enum err from_errno(int error)
{
    switch (error) {
    case ENOENT:
    case ENOTDIR:
        return ERR_NOT_FOUND;
    case EACCES:
    case EPERM:
    case EROFS:
        return ERR_DENIED;
    default:
        return ERR_IO;
    }
}

enum err folder_open(const char *path, struct folder *ret_folder)
{
    if (mkdir(path, 0755) != 0 && errno != EEXIST) {
        return from_errno(errno);
    }
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return from_errno(errno);
    }
    ret_folder->fd = fd;
    int len = snprintf(ret_folder->temporary, sizeof(ret_folder->temporary), ".meshpulse-%ld.tmp",
                       (long)getpid());
    ASSERT(len > 0 && (size_t)len < sizeof(ret_folder->temporary));
    return ERR_OK;
}

void folder_close(struct folder *folder)
{
    if (folder->fd >= 0) {
        (void)close(folder->fd);
        folder->fd = -1;
    }
}

static enum err write_all(int fd, struct span content)
{
    while (content.len > 0) {
        ssize_t len = write(fd, content.ptr, content.len);
        if (len < 0 && errno != EINTR) {
            return from_errno(errno);
        }
        if (len > 0) {
            content = span_of(content.ptr + len, content.len - (size_t)len);
        }
    }
    return ERR_OK;
}

enum err folder_replace(const struct folder *folder, const char *name, struct span content)
{
    int fd = openat(folder->fd, folder->temporary,
                    O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (fd < 0) {
        int error = errno;
        if (error == ELOOP) {
            (void)unlinkat(folder->fd, folder->temporary, 0); // a link that somebody put there
        }
        return from_errno(error);
    }
    enum err err = write_all(fd, content);
    if (close(fd) != 0 && err == ERR_OK) {
        err = from_errno(errno); // a full disk may be told as late as here
    }
    if (err == ERR_OK && renameat(folder->fd, folder->temporary, folder->fd, name) != 0) {
        err = from_errno(errno);
    }
    if (err != ERR_OK) {
        (void)unlinkat(folder->fd, folder->temporary, 0);
    }
    return err;
}

// Do the bytes that are left in `fd` begin with `content`?
static bool same_bytes(int fd, struct span content)
{
    char piece[4096];
    while (content.len > 0) {
        ssize_t len = read(fd, piece, content.len < sizeof(piece) ? content.len : sizeof(piece));
        if (len < 0 && errno == EINTR) {
            continue;
        }
        if (len <= 0 || memcmp(piece, content.ptr, (size_t)len) != 0) {
            return false;
        }
        content = span_of(content.ptr + len, content.len - (size_t)len);
    }
    return true;
}

bool folder_holds(const struct folder *folder, const char *name, struct span content)
{
    struct stat stat;
    int fd = openat(folder->fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    bool same = fstat(fd, &stat) == 0 && S_ISREG(stat.st_mode) &&
                (size_t)stat.st_size == content.len && same_bytes(fd, content);
    (void)close(fd);
    return same;
}
