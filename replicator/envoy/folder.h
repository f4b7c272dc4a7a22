// SPDX-License-Identifier: Apache-2.0
// A folder whose files are replaced as a whole: written beside and renamed, so that a reader that watches
// for moves sees the old content or the new one.  No fsync (see files.h).
// Invariant: only plain names below the folder are touched; links are not followed.
// One thread; blocks on the disk.
#pragma once

#include "base/err.h"
#include "base/span.h"

#include <stdbool.h>

struct folder {
    int fd; // -1: closed
    char temporary[48];
};

// Opens `path`, making it when its parent is there.  ERR_NOT_FOUND, ERR_DENIED, ERR_IO.
enum err folder_open(const char *path, struct folder *ret_folder) MUST_USE;
void folder_close(struct folder *folder);

// Replaces or makes the file.  ERR_IO, ERR_DENIED, ERR_NOT_FOUND (the folder is gone): it is as it was.
enum err folder_replace(const struct folder *folder, const char *name,
                        struct span content) MUST_USE;
// Is there a file of exactly this content?
bool folder_holds(const struct folder *folder, const char *name, struct span content);
