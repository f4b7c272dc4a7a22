// SPDX-License-Identifier: Apache-2.0
// The file: sections of keys, and what stands beside them.
#include "replicator/config_load.h"

#include "replicator/config_value.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void read_list(struct config_loader *loader, const struct config_row *row,
                      const struct yaml *node, const char *name)
{
    struct config_list list = {NULL, 0};
    struct span *items = calloc(yaml_count(node) + 1, sizeof(*items));
    if (items == NULL) {
        loader->err = ERR_NOMEM;
        return;
    }
    const struct yaml *wrong = NULL;
    for (const struct yaml *item = yaml_first(node); item != NULL; item = yaml_next(item)) {
        items[list.count++] = yaml_scalar(item);
        wrong = wrong == NULL && yaml_kind(item) != YAML_SCALAR ? item : wrong;
    }
    list.items = items;
    if (wrong != NULL) {
        config_wrong(loader, yaml_at(wrong), span_str(name), "is no single value; [a, b]");
    } else if (config_take(loader, row, SPAN_NONE, &list) == ERR_INVALID) {
        config_wrong(loader, yaml_at(node), span_str(name), "%s", buf_cstr(&loader->problem));
    }
    free(items);
}

static void read_value(struct config_loader *loader, const struct config_row *row,
                       const struct yaml *node)
{
    char name[CONFIG_NAME_MAX];
    config_row_name(row, name);
    if (yaml_is_null(node)) {
        return; // a key without a value counts as not set
    }
    config_set_origin(loader, row, CONFIG_FILE, yaml_at(node));
    bool list = row->type == CONFIG_TYPE_LIST;
    if (list && yaml_kind(node) == YAML_SEQ) {
        read_list(loader, row, node, name);
    } else if (list || yaml_kind(node) != YAML_SCALAR) {
        buf_reset(&loader->problem);
        config_value_allowed(row, &loader->problem);
        config_wrong(loader, yaml_at(node), span_str(name), "is no %s; %s",
                     list ? "list" : "single value", buf_cstr(&loader->problem));
    } else if (config_take(loader, row, yaml_scalar(node), NULL) == ERR_INVALID) {
        config_wrong(loader, yaml_at(node), span_str(name), "%s", buf_cstr(&loader->problem));
    }
}

// "; did you mean map.shards?": a key of the section, else the section in which such a key stands.
static void suggest_key(struct config_loader *loader, struct span section, struct span key)
{
    const char *words[CONFIG_KEY_COUNT];
    size_t count = 0;
    const struct config_row *elsewhere = NULL;
    for (size_t i = 0; i < CONFIG_KEY_COUNT; i++) {
        if (span_eq_str(section, config_table[i].section)) {
            words[count++] = config_table[i].key;
        } else if (span_eq_str(key, config_table[i].key)) {
            elsewhere = &config_table[i];
        }
    }
    buf_reset(&loader->problem);
    if (elsewhere != NULL && config_nearest(key, words, count) == NULL) {
        buf_printf(&loader->problem, "; did you mean %s.%s?", elsewhere->section, elsewhere->key);
    } else {
        config_suggest(&loader->problem, key, words, count);
    }
}

static void read_section(struct config_loader *loader, const struct config_section *section,
                         const struct yaml *map)
{
    struct span name = span_str(section->name);
    if (yaml_kind(map) != YAML_MAP) {
        if (!yaml_is_null(map)) {
            config_wrong(loader, yaml_at(map), name, "is no mapping; {key: value, ...}");
        }
        return;
    }
    for (const struct yaml *node = yaml_first(map); node != NULL; node = yaml_next(node)) {
        const struct config_row *row = config_find(name, yaml_key(node));
        if (row != NULL) {
            read_value(loader, row, node);
            continue;
        }
        suggest_key(loader, name, yaml_key(node));
        size_t path = config_path_push(loader, "%s.", section->name);
        config_wrong(loader, yaml_key_at(node), yaml_key(node), "no such key%s",
                     buf_cstr(&loader->problem));
        config_path_pop(loader, path);
    }
}

#define EXTRA_KEYS 3 // beside the sections

static void tell_unknown_section(struct config_loader *loader, const struct yaml *node)
{
    const char *words[CONFIG_KEY_COUNT + EXTRA_KEYS] = {"config_version", "services", "tenants"};
    for (size_t i = 0; i < config_section_count; i++) {
        words[EXTRA_KEYS + i] = config_sections[i].name;
    }
    buf_reset(&loader->problem);
    config_suggest(&loader->problem, yaml_key(node), words, EXTRA_KEYS + config_section_count);
    config_wrong(loader, yaml_key_at(node), yaml_key(node), "no such section%s",
                 buf_cstr(&loader->problem));
}

static void read_top(struct config_loader *loader, const struct yaml *node)
{
    struct span key = yaml_key(node);
    const struct config_section *section = config_find_section(key);
    if (section != NULL) {
        read_section(loader, section, node);
    } else if (span_eq_str(key, "services")) {
        config_read_services(loader, node);
    } else if (span_eq_str(key, "tenants")) {
        config_read_tenants(loader, node);
    } else if (!span_eq_str(key, "config_version")) {
        tell_unknown_section(loader, node);
    } else if (!span_eq_str(yaml_scalar(node), "1")) {
        config_wrong(loader, yaml_at(node), key, "is not known to this version; 1");
    }
}

static void read_text(struct config_loader *loader, struct span text)
{
    struct yaml *root;
    struct yaml_error error = {{0, 0}, ""};
    enum err err = yaml_parse(text, &root, &error);
    if (err == ERR_NOMEM) {
        loader->err = ERR_NOMEM;
        return;
    }
    if (err != ERR_OK) {
        config_wrong(loader, error.at, SPAN_NONE, "%s", error.text);
        return;
    }
    bool map = yaml_kind(root) == YAML_MAP;
    if (!map && !yaml_is_null(root)) {
        config_wrong(loader, yaml_at(root), SPAN_NONE, "is no mapping; {section: {key: value}}");
    }
    const struct yaml *node = map ? yaml_first(root) : NULL;
    for (; node != NULL && loader->err == ERR_OK; node = yaml_next(node)) {
        read_top(loader, node);
    }
    yaml_free(root);
}

// ERR_IO with errno set, ERR_NOMEM; more than YAML_LEN_MAX is cut behind one byte too many.
static enum err read_all(int fd, struct buf *text)
{
    for (;;) {
        size_t room = YAML_LEN_MAX + 1 - text->len;
        size_t want = room < 65536 ? room : 65536;
        char *space = want == 0 ? NULL : buf_reserve(text, want);
        if (space == NULL) {
            return want == 0 ? ERR_OK : ERR_NOMEM;
        }
        ssize_t len = read(fd, space, want);
        if (len < 0 && errno == EINTR) {
            continue;
        }
        if (len <= 0) {
            return len == 0 ? ERR_OK : ERR_IO;
        }
        buf_advance(text, (size_t)len);
    }
}

static void tell_unreadable(struct config_loader *loader, int error)
{
    char text[128];
    const char *words = strerror_r(error, text, sizeof(text));
    config_wrong(loader, (struct yaml_mark){0, 0}, SPAN_NONE,
                 "cannot be read: %s; a file of at "
                 "most 1 MiB",
                 words);
}

void config_read_file(struct config_loader *loader)
{
    const struct config_options *options = loader->options;
    if (options->text.ptr != NULL) {
        read_text(loader, options->text);
        return;
    }
    struct buf text;
    buf_init(&text, YAML_LEN_MAX + 2);
    int fd = open(options->file, O_RDONLY | O_CLOEXEC);
    enum err err = fd < 0 ? ERR_IO : read_all(fd, &text);
    if (err == ERR_IO) {
        tell_unreadable(loader, errno);
    } else if (err == ERR_NOMEM) {
        loader->err = ERR_NOMEM;
    } else {
        read_text(loader, buf_span(&text));
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    buf_fini(&text);
}
