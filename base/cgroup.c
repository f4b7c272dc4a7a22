// SPDX-License-Identifier: Apache-2.0
#include "base/cgroup.h"

#include "base/span.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define FILE_LEN_MAX 8192
#define LEVELS_MAX 32 // of groups above ours
// v1 says "no limit" by the greatest number of whole pages in a signed word; the size of a page varies.
#define V1_UNLIMITED (UINT64_C(1) << 62)

// A file's beginning.
struct content {
    char bytes[FILE_LEN_MAX];
    size_t len;
};

// A group: where it is, and how its files are called.
struct group {
    enum cgroup_version version;
    char path[PATH_MAX];
    size_t top_len; // of the hierarchy's top
};

// --- files

// false: absent, or unreadable.  Without waiting: what is laid out as a pipe or a device is no content.
static bool read_file(const char *path, struct content *ret_content)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        return false;
    }
    size_t len = 0;
    ssize_t got = 0;
    do {
        got = read(fd, ret_content->bytes + len, sizeof(ret_content->bytes) - len);
        len += got > 0 ? (size_t)got : 0;
    } while ((got > 0 && len < sizeof(ret_content->bytes)) || (got < 0 && errno == EINTR));
    (void)close(fd);
    ret_content->len = len;
    return got >= 0;
}

static bool read_of(const struct group *group, const char *name, struct content *ret_content)
{
    char path[PATH_MAX];
    int len = snprintf(path, sizeof(path), "%s/%s", group->path, name);
    return len > 0 && (size_t)len < sizeof(path) && read_file(path, ret_content);
}

static struct span first_line(const struct content *content)
{
    const char *end = memchr(content->bytes, '\n', content->len);
    return span_of(content->bytes, end == NULL ? content->len : (size_t)(end - content->bytes));
}

static struct span next_line(struct span *rest)
{
    const char *end = rest->len == 0 ? NULL : memchr(rest->ptr, '\n', rest->len);
    struct span line = span_of(rest->ptr, end == NULL ? rest->len : (size_t)(end - rest->ptr));
    size_t used = line.len + (end == NULL ? 0 : 1);
    *rest = span_of(rest->ptr + used, rest->len - used);
    return line;
}

static bool begins_with(struct span text, const char *word)
{
    size_t len = strlen(word);
    return text.len >= len && memcmp(text.ptr, word, len) == 0;
}

static struct span without(struct span text, size_t len)
{
    return span_of(text.ptr + len, text.len - len);
}

// false: absent or no number.
static bool read_number(const struct group *group, const char *name, uint64_t *ret_value)
{
    struct content content;
    return read_of(group, name, &content) && text_u64(first_line(&content), ret_value) == ERR_OK;
}

// The number behind `word` at the beginning of a line; 0 when there is none.
static uint64_t read_stat(const struct group *group, const char *word)
{
    struct content content;
    uint64_t value = 0;
    if (!read_of(group, "memory.stat", &content)) {
        return 0;
    }
    struct span rest = span_of(content.bytes, content.len);
    while (rest.len > 0) {
        struct span line = next_line(&rest);
        if (begins_with(line, word)) {
            return text_u64(without(line, strlen(word)), &value) == ERR_OK ? value : 0;
        }
    }
    return 0;
}

// --- what a group says

// A limit of v2.  false: malformed.  An absent one is none: the uppermost group has no such file.
static bool read_v2_limit(const struct group *group, const char *name, uint64_t *limit)
{
    struct content content;
    uint64_t value = 0;
    if (!read_of(group, name, &content) || span_eq_str(first_line(&content), "max")) {
        return true;
    }
    if (text_u64(first_line(&content), &value) != ERR_OK) {
        return false;
    }
    // A limit of 0 is one: then all of the usage is too much.
    value = value == 0 ? 1 : value;
    *limit = *limit == 0 || value < *limit ? value : *limit;
    return true;
}

// false: malformed.  0: none.
static bool read_limit(const struct group *group, uint64_t *ret_limit)
{
    *ret_limit = 0;
    if (group->version == CGROUP_V2) {
        return read_v2_limit(group, "memory.max", ret_limit) &&
               read_v2_limit(group, "memory.high", ret_limit);
    }
    uint64_t value = 0;
    if (!read_number(group, "memory.limit_in_bytes", &value)) {
        return false;
    }
    *ret_limit = value >= V1_UNLIMITED ? 0 : value == 0 ? 1 : value;
    return true;
}

static const char *usage_name(const struct group *group)
{
    return group->version == CGROUP_V2 ? "memory.current" : "memory.usage_in_bytes";
}

static bool read_usage(const struct group *group, uint64_t *ret_usage)
{
    if (!read_number(group, usage_name(group), ret_usage)) {
        return false;
    }
    uint64_t files =
        read_stat(group, group->version == CGROUP_V2 ? "inactive_file " : "total_inactive_file ");
    *ret_usage -= files < *ret_usage ? files : *ret_usage;
    return true;
}

// "12.34" as 1234.
static bool parse_hundredths(struct span text, uint32_t *ret_value)
{
    const char *dot = memchr(text.ptr, '.', text.len);
    uint64_t whole = 0;
    if (dot == NULL || text.ptr + text.len - dot != 3 || dot[1] < '0' || dot[1] > '9' ||
        dot[2] < '0' || dot[2] > '9' ||
        text_u64_in(span_of(text.ptr, (size_t)(dot - text.ptr)), 0, 100, &whole) != ERR_OK) {
        return false;
    }
    *ret_value = (uint32_t)whole * 100 + (uint32_t)(dot[1] - '0') * 10 + (uint32_t)(dot[2] - '0');
    return true;
}

// "some avg10=0.12 avg60=..."
static bool read_pressure(const struct group *group, uint32_t *ret_pressure)
{
    static const char word[] = "some avg10=";
    struct content content;
    if (group->version != CGROUP_V2 || !read_of(group, "memory.pressure", &content)) {
        return false;
    }
    struct span line = first_line(&content);
    if (!begins_with(line, word)) {
        return false;
    }
    struct span value = without(line, sizeof(word) - 1);
    const char *end = value.len == 0 ? NULL : memchr(value.ptr, ' ', value.len);
    return end != NULL &&
           parse_hundredths(span_of(value.ptr, (size_t)(end - value.ptr)), ret_pressure);
}

// --- which group is ours

static bool has_word(struct span list, const char *word)
{
    while (list.len > 0) {
        const char *comma = memchr(list.ptr, ',', list.len);
        size_t len = comma == NULL ? list.len : (size_t)(comma - list.ptr);
        if (span_eq_str(span_of(list.ptr, len), word)) {
            return true;
        }
        list = without(list, comma == NULL ? len : len + 1);
    }
    return false;
}

// Does a line of /proc/self/cgroup ("4:memory:/path") name a group of this kind?
static bool parse_line(struct span line, enum cgroup_version version, struct span *ret_path)
{
    const char *first = line.len == 0 ? NULL : memchr(line.ptr, ':', line.len);
    if (first == NULL) {
        return false;
    }
    struct span rest = without(line, (size_t)(first - line.ptr) + 1);
    const char *second = rest.len == 0 ? NULL : memchr(rest.ptr, ':', rest.len);
    if (second == NULL) {
        return false;
    }
    struct span controllers = span_of(rest.ptr, (size_t)(second - rest.ptr));
    *ret_path = without(rest, controllers.len + 1);
    bool v2 = controllers.len == 0 && span_eq_str(span_of(line.ptr, 1), "0");
    return ret_path->len > 0 && ret_path->ptr[0] == '/' &&
           (version == CGROUP_V2 ? v2 : has_word(controllers, "memory"));
}

// A path that climbs is that of a process outside of its namespace: not below our root.
static bool climbs(struct span path)
{
    for (size_t i = 0; i + 2 < path.len; i++) {
        bool ends = i + 3 == path.len || path.ptr[i + 3] == '/';
        if (memcmp(path.ptr + i, "/..", 3) == 0 && ends) {
            return true;
        }
    }
    return false;
}

static struct span find_path(const struct content *self, enum cgroup_version version)
{
    struct span rest = span_of(self->bytes, self->len);
    struct span path = SPAN_NONE;
    while (rest.len > 0) {
        if (parse_line(next_line(&rest), version, &path)) {
            return climbs(path) ? SPAN_NONE : path;
        }
    }
    return SPAN_NONE;
}

// A hierarchy: its place below the root.
struct hierarchy {
    enum cgroup_version version;
    const char *dir;
};
static const struct hierarchy hierarchies[] = {
    {CGROUP_V2, ""},
    {CGROUP_V2, "/unified"}, // beside the controllers of v1
    {CGROUP_V1, "/memory"},
    {CGROUP_V1, ""}, // the root is the controller's own
};
#define HIERARCHIES (sizeof(hierarchies) / sizeof(hierarchies[0]))

// false: there is no such group, or it does not tell its usage.
static bool group_at(const char *root, const struct hierarchy *hierarchy, struct span path,
                     struct group *ret_group)
{
    struct content content;
    path.len = path.len == 1 ? 0 : path.len; // "/" alone
    ret_group->version = hierarchy->version;
    int top_len = snprintf(ret_group->path, sizeof(ret_group->path), "%s%s", root, hierarchy->dir);
    if (top_len < 0 || (size_t)top_len + path.len >= sizeof(ret_group->path)) {
        return false;
    }
    ret_group->top_len = (size_t)top_len;
    if (path.len > 0) {
        memcpy(ret_group->path + top_len, path.ptr, path.len);
    }
    ret_group->path[(size_t)top_len + path.len] = '\0';
    return read_of(ret_group, usage_name(ret_group), &content);
}

// First by our path, then at the top, as it is inside of a container.
static bool find_group(const char *root, const struct content *self, struct group *ret_group)
{
    for (size_t i = 0; i < HIERARCHIES; i++) {
        struct span path = find_path(self, hierarchies[i].version);
        if (path.len > 0 && group_at(root, &hierarchies[i], path, ret_group)) {
            return true;
        }
    }
    for (size_t i = 0; i < HIERARCHIES; i++) {
        if (group_at(root, &hierarchies[i], SPAN_NONE, ret_group)) {
            return true;
        }
    }
    return false;
}

// false: it was the top.
static bool go_up(struct group *group)
{
    size_t len = strlen(group->path);
    while (len > group->top_len && group->path[len - 1] != '/') {
        len--;
    }
    if (len <= group->top_len) {
        return false;
    }
    group->path[len - 1] = '\0';
    return true;
}

// The nearest group from `group` upwards that has a limit; itself when there is none.
static bool find_limit(const struct group *group, struct group *ret_bound, uint64_t *ret_limit)
{
    *ret_bound = *group;
    for (int level = 0; level < LEVELS_MAX; level++) {
        uint64_t usage = 0;
        bool there = level == 0 || read_number(ret_bound, usage_name(ret_bound), &usage);
        if (!there) {
            break; // the top of v2 tells no usage
        }
        if (!read_limit(ret_bound, ret_limit)) {
            return false;
        }
        if (*ret_limit != 0) {
            return true;
        }
        if (!go_up(ret_bound)) {
            break;
        }
    }
    *ret_bound = *group;
    return true;
}

void cgroup_read_memory(const char *root, const char *self, struct cgroup_memory *ret_memory)
{
    struct content content;
    struct group group;
    struct group bound;
    memset(ret_memory, 0, sizeof(*ret_memory));
    if (!read_file(self, &content)) {
        content.len = 0; // no such file system: the root may still be told
    }
    if (!find_group(root, &content, &group)) {
        return;
    }
    ret_memory->version = group.version;
    ret_memory->pressure_known = read_pressure(&group, &ret_memory->pressure);
    ret_memory->known =
        find_limit(&group, &bound, &ret_memory->limit) && read_usage(&bound, &ret_memory->usage);
    if (!ret_memory->known) {
        ret_memory->usage = 0;
        ret_memory->limit = 0;
    }
}
