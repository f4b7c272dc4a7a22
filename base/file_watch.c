// SPDX-License-Identifier: Apache-2.0
#include "base/file_watch.h"

#include "base/assert.h"

#include <string.h>
#include <sys/stat.h>

static void take_stamps(const struct file_watch *watch,
                        struct file_stamp ret_stamps[FILE_WATCH_MAX])
{
    memset(ret_stamps, 0, FILE_WATCH_MAX * sizeof(*ret_stamps));
    for (size_t i = 0; i < FILE_WATCH_MAX; i++) {
        struct stat found;
        if (watch->paths[i] != NULL && stat(watch->paths[i], &found) == 0) {
            ret_stamps[i] =
                (struct file_stamp){found.st_dev, found.st_ino, found.st_size, found.st_mtim};
        }
    }
}

static bool stamps_eq(const struct file_stamp *a, const struct file_stamp *b)
{
    for (size_t i = 0; i < FILE_WATCH_MAX; i++) {
        if (a[i].device != b[i].device || a[i].inode != b[i].inode || a[i].len != b[i].len ||
            a[i].modified.tv_sec != b[i].modified.tv_sec ||
            a[i].modified.tv_nsec != b[i].modified.tv_nsec) {
            return false;
        }
    }
    return true;
}

void file_watch_init(struct file_watch *watch, const char *const paths[], size_t count)
{
    ASSERT(count <= FILE_WATCH_MAX);
    memset(watch, 0, sizeof(*watch));
    for (size_t i = 0; i < count; i++) {
        watch->paths[i] = paths[i] != NULL && paths[i][0] != '\0' ? paths[i] : NULL;
    }
    file_watch_mark(watch);
}

bool file_watch_has_files(const struct file_watch *watch)
{
    bool any = false;
    for (size_t i = 0; i < FILE_WATCH_MAX; i++) {
        any = any || watch->paths[i] != NULL;
    }
    return any;
}

void file_watch_mark(struct file_watch *watch)
{
    take_stamps(watch, watch->read);
    memcpy(watch->seen, watch->read, sizeof(watch->seen));
}

bool file_watch_look(struct file_watch *watch)
{
    struct file_stamp now[FILE_WATCH_MAX];
    take_stamps(watch, now);
    bool still = stamps_eq(now, watch->seen);
    memcpy(watch->seen, now, sizeof(now));
    return still && file_watch_is_changing(watch);
}

bool file_watch_is_changing(const struct file_watch *watch)
{
    return !stamps_eq(watch->seen, watch->read);
}
