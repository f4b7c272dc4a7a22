// SPDX-License-Identifier: Apache-2.0
#include "replicator/demo/place.h"

#include "base/assert.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum err place_new(struct place *ret_place)
{
    const char *parent = getenv("TMPDIR");
    if (parent == NULL || parent[0] != '/') {
        parent = "/tmp";
    }
    struct place place;
    int len = snprintf(place.path, sizeof(place.path), "%s/meshpulse-demo-XXXXXX", parent);
    if (len < 0 || (size_t)len + strlen("/redis.sock") >= sizeof(place.path)) {
        return ERR_TOO_LARGE;
    }
    if (mkdtemp(place.path) == NULL) {
        return ERR_IO;
    }
    *ret_place = place;
    return ERR_OK;
}

static int remove_one(const char *path, const struct stat *stat, int type, struct FTW *ftw)
{
    (void)stat;
    (void)type;
    (void)ftw;
    (void)remove(path); // what cannot be removed must not keep the rest
    return 0;
}

void place_remove(const struct place *place)
{
    (void)nftw(place->path, remove_one, 8, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

void place_name(const struct place *place, const char *name, char *ret_path, size_t cap)
{
    int len = snprintf(ret_path, cap, "%s/%s", place->path, name);
    ASSERT(len > 0 && (size_t)len < cap);
}

enum err place_write(const struct place *place, const char *name, const char *text)
{
    char path[PLACE_PATH_MAX + 64];
    place_name(place, name, path, sizeof(path));
    FILE *file = fopen(path, "we");
    if (file == NULL) {
        return ERR_IO;
    }
    bool written = fputs(text, file) >= 0;
    bool closed = fclose(file) == 0;
    return written && closed ? ERR_OK : ERR_IO;
}

#define TAIL_LINES 5
#define TAIL_LINE_MAX 512

void place_print_tail(const struct place *place, const char *name)
{
    char path[PLACE_PATH_MAX + 64];
    char lines[TAIL_LINES][TAIL_LINE_MAX] = {""};
    place_name(place, name, path, sizeof(path));
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return;
    }
    size_t count = 0;
    while (fgets(lines[count % TAIL_LINES], TAIL_LINE_MAX, file) != NULL) {
        count++;
    }
    (void)fclose(file);
    size_t first = count > TAIL_LINES ? count - TAIL_LINES : 0;
    for (size_t i = first; i < count; i++) {
        fprintf(stderr, "  %s: %s", name, lines[i % TAIL_LINES]);
    }
}
