// SPDX-License-Identifier: Apache-2.0
#include "tests/lib/tree.h"

#include "tests/lib/suite.h"

#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[32];
static char full[PATH_MAX];

const char *tree_begin(void)
{
    (void)snprintf(root, sizeof(root), "/tmp/mp-tree-XXXXXX");
    CHECK(mkdtemp(root) != NULL);
    return root;
}

static int remove_one(const char *path, const struct stat *found, int type, struct FTW *place)
{
    (void)found;
    (void)type;
    (void)place;
    return remove(path);
}

void tree_end(void)
{
    CHECK_EQ(nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

const char *tree_path(const char *path)
{
    CHECK(snprintf(full, sizeof(full), "%s/%s", root, path) < (int)sizeof(full));
    for (char *slash = full + strlen(root) + 1; (slash = strchr(slash, '/')) != NULL; slash++) {
        *slash = '\0';
        (void)mkdir(full, 0700);
        *slash = '/';
    }
    return full;
}

void tree_lay(const char *path, const char *text)
{
    FILE *file = fopen(tree_path(path), "we");
    CHECK(file != NULL);
    CHECK(fputs(text, file) >= 0);
    CHECK_EQ(fclose(file), 0);
}

void tree_take_away(const char *path)
{
    CHECK_EQ(unlink(tree_path(path)), 0);
}
