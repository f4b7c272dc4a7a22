// SPDX-License-Identifier: Apache-2.0
// Tells when files that belong together have changed, and stand still again.
//
//     file_watch_look, now and then:   as they were read?        --> nothing
//                                      other than at the last look --> nothing yet: somebody is writing
//                                      still as at the last look   --> true: read them
//
// So a certificate is not read without its key, nor half a file.  Symbolic links are followed, since some
// replace all files at once by one.  Only looks: reads no file, and keeps no descriptor.
// Invariant: what changes while the files are read is seen by a later look (file_watch_mark comes first).
// One thread.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <time.h>

#define FILE_WATCH_MAX 4

struct file_watch {
    const char *paths[FILE_WATCH_MAX]; // NULL: none
    struct file_stamp {
        dev_t device; // all zero: not there
        ino_t inode;
        off_t len;
        struct timespec modified;
    } read[FILE_WATCH_MAX], seen[FILE_WATCH_MAX];
};

// *keeps* the paths; NULL and "" are no files.  Marks them as read.
void file_watch_init(struct file_watch *watch, const char *const paths[], size_t count);
bool file_watch_has_files(const struct file_watch *watch);
// What is there now counts as read.  Before the reading, not after it.
void file_watch_mark(struct file_watch *watch);
bool file_watch_look(struct file_watch *watch);
// Was the last look unlike what was read?
bool file_watch_is_changing(const struct file_watch *watch);
