// SPDX-License-Identifier: Apache-2.0
// A document read node by node with its places, a table of what is refused and where, every prefix of a
// document, and every allocation failing once.
#include "base/yaml.h"

#include "tests/lib/failalloc.h"
#include "tests/lib/suite.h"

#include <stdio.h>

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

static const char document[] =
    "# a comment\n"
    "config_version: 1\n"
    "node: {id: \"a\\tb\", zone: ''}\n"
    "empty:\n"
    "tilde: ~\n"
    "quoted: \"null\"\n"
    "services:\n"
    "  - name: pay\n"
    "    instances: [{id: pay-1, port: 8081}, {id: z\xC3\xBC, port: 1}]\n"
    "  - name: |\n"
    "      two\n"
    "      lines\n";

static struct yaml *parse(const char *text)
{
    struct yaml *root = NULL;
    struct yaml_error error = {{0, 0}, ""};
    const enum err err = yaml_parse(span_str(text), &root, &error);
    ck_assert_msg(err == ERR_OK, "%u:%u: %s", error.at.line, error.at.column, error.text);
    return root;
}

static void check_at(struct yaml_mark mark, uint32_t line, uint32_t column)
{
    CHECK_UEQ(mark.line, line);
    CHECK_UEQ(mark.column, column);
}

TEST(every_node_knows_its_place)
{
    struct yaml *root = parse(document);
    const struct yaml *node = yaml_get(root, "node");
    const struct yaml *services = yaml_get(root, "services");
    const struct yaml *pay = yaml_first(services);
    const struct yaml *second = yaml_next(yaml_first(yaml_get(pay, "instances")));
    check_at(yaml_at(root), 2, 1);
    check_at(yaml_key_at(node), 3, 1);
    check_at(yaml_at(node), 3, 7);
    check_at(yaml_at(yaml_get(node, "zone")), 3, 26);
    check_at(yaml_key_at(services), 7, 1);
    check_at(yaml_at(pay), 8, 5);
    check_at(yaml_key_at(yaml_get(second, "port")), 9, 51);
    CHECK(span_eq_str(yaml_scalar(yaml_get(second, "id")), "z\xC3\xBC"));
    yaml_free(root);
}

TEST(maps_and_sequences_keep_their_order)
{
    static const char *const keys[] = {"config_version", "node",   "empty",
                                       "tilde",          "quoted", "services"};
    struct yaml *root = parse(document);
    size_t i = 0;
    for (const struct yaml *node = yaml_first(root); node != NULL; node = yaml_next(node)) {
        CHECK(span_eq_str(yaml_key(node), keys[i++]));
    }
    CHECK_UEQ(i, COUNT(keys));
    CHECK_UEQ(yaml_count(root), COUNT(keys));
    const struct yaml *services = yaml_get(root, "services");
    CHECK_EQ(yaml_kind(services), YAML_SEQ);
    CHECK_UEQ(yaml_count(services), 2);
    CHECK(yaml_key(yaml_first(services)).ptr == NULL && yaml_key(root).ptr == NULL);
    CHECK(yaml_get(services, "name") == NULL && yaml_get(NULL, "name") == NULL);
    CHECK(yaml_first(NULL) == NULL && yaml_count(NULL) == 0);
    CHECK(yaml_scalar(services).ptr == NULL);
    yaml_free(root);
}

TEST(scalars_lose_their_quotes_but_not_their_kind)
{
    static const struct {
        const char *key;
        const char *text;
        bool plain, null;
    } rows[] = {{"config_version", "1", true, false},
                {"empty", "", true, true},
                {"tilde", "~", true, true},
                {"quoted", "null", false, false}};
    struct yaml *root = parse(document);
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct yaml *node = yaml_get(root, rows[i].key);
        CHECK_EQ(yaml_kind(node), YAML_SCALAR);
        CHECK(span_eq_str(yaml_scalar(node), rows[i].text));
        CHECK_EQ(yaml_is_plain(node), rows[i].plain);
        CHECK_EQ(yaml_is_null(node), rows[i].null);
    }
    const struct yaml *node = yaml_get(root, "node");
    CHECK(span_eq_str(yaml_scalar(yaml_get(node, "id")), "a\tb"));
    CHECK(!yaml_is_null(yaml_get(node, "zone")));
    CHECK(!yaml_is_null(node));
    const struct yaml *block = yaml_get(yaml_next(yaml_first(yaml_get(root, "services"))), "name");
    CHECK(span_eq_str(yaml_scalar(block), "two\nlines\n"));
    yaml_free(root);
}

TEST(nothing_is_an_empty_map)
{
    static const char *const rows[] = {
        "", "\n", "# only a comment\n", "---\n", "---\n...\n", "\xEF\xBB\xBF", "~"};
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct yaml *root = parse(rows[i]);
        CHECK_EQ(yaml_kind(root), YAML_MAP);
        CHECK(yaml_first(root) == NULL);
        check_at(yaml_at(root), 1, 1);
        yaml_free(root);
    }
    yaml_free(NULL);
}

TEST(a_byte_order_mark_is_skipped)
{
    struct yaml *root = parse("\xEF\xBB\xBF"
                              "a: 1\n");
    CHECK(span_eq_str(yaml_scalar(yaml_get(root, "a")), "1"));
    yaml_free(root);
}

TEST(what_nobody_needs_is_refused_with_the_place)
{
    static const struct {
        const char *text;
        uint32_t line, column;
        const char *why;
    } rows[] = {
        {"a: &x 1\n", 1, 4, "anchors and aliases are not allowed"},
        {"a: &x {b: 1}\n", 1, 4, "anchors and aliases are not allowed"},
        {"a: &x [1]\n", 1, 4, "anchors and aliases are not allowed"},
        {"a: 1\nb: *x\n", 2, 4, "anchors and aliases are not allowed"},
        {"*x : 1\n", 1, 1, "anchors and aliases are not allowed"},
        {"a: !!str 1\n", 1, 4, "tags are not allowed"},
        {"a: !x {}\n", 1, 4, "tags are not allowed"},
        {"a: ! []\n", 1, 4, "tags are not allowed"},
        {"%TAG ! tag:x,2000:\n---\na: 1\n", 1, 1, "tags are not allowed"},
        {"a: 1\n---\nb: 2\n", 2, 1, "only one document is allowed"},
        {"a: 1\nb: 2\na: 3\n", 3, 1, "duplicate key"},
        {"x: {a: 1, \"a\": 2}\n", 1, 11, "duplicate key"},
        {"? [a]\n: 1\n", 1, 3, "a key must be a scalar"},
        {"{{a: 1}: 2}\n", 1, 2, "a key must be a scalar"},
        {"a: \"x\\0y\"\n", 1, 4, "NUL is not allowed"},
        {"\"x\\0y\": 1\n", 1, 1, "NUL is not allowed"},
        {"[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]\n", 1, 17, "nested too deeply"},
        {"a: 1\nb: \"z\xC3\xBC\xFF\"\n", 2, 7, "invalid leading UTF-8 octet"},
        {"a: \x01\n", 1, 4, "control characters are not allowed"},
        {"a: [1\nb: 2\n", 2, 2, "while parsing a flow sequence: did not find expected ',' or ']'"},
        {"a: 1\n  b: 2\n", 2, 4, "mapping values are not allowed in this context"},
        {"a:\n\t- 1\n", 2, 1,
         "while scanning for the next token: found character that cannot start any token"},
        {"a: 'x\n", 2, 1, "while scanning a quoted scalar: found unexpected end of stream"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct yaml *root = NULL;
        struct yaml_error error = {{0, 0}, ""};
        const enum err err = yaml_parse(span_str(rows[i].text), &root, &error);
        ck_assert_msg(err == ERR_SYNTAX && root == NULL, "%s", rows[i].text);
        ck_assert_msg(error.at.line == rows[i].line && error.at.column == rows[i].column &&
                          strcmp(error.text, rows[i].why) == 0,
                      "%s%u:%u: %s", rows[i].text, error.at.line, error.at.column, error.text);
    }
}

TEST(the_limits_hold_to_the_byte)
{
    struct yaml *root = NULL;
    struct yaml_error error = {{0, 0}, ""};
    char *text = malloc(YAML_LEN_MAX + 1);
    ck_assert(text != NULL);
    memset(text, ' ', YAML_LEN_MAX + 1);
    CHECK_OK(yaml_parse(span_of(text, YAML_LEN_MAX), &root, &error));
    yaml_free(root);
    root = NULL;
    CHECK_EQ(yaml_parse(span_of(text, YAML_LEN_MAX + 1), &root, &error), ERR_TOO_LARGE);
    CHECK_STR(error.text, "more than 1 MiB");
    size_t len = 0;
    for (unsigned i = 0; i <= YAML_MAP_MAX; i++) {
        len += (size_t)snprintf(text + len, 16, "k%u:\n", i);
    }
    CHECK_EQ(yaml_parse(span_of(text, len), &root, &error), ERR_SYNTAX);
    CHECK_STR(error.text, "too many keys");
    check_at(error.at, YAML_MAP_MAX + 1, 1);
    CHECK(root == NULL);
    free(text);
}

TEST(no_prefix_of_a_document_does_harm)
{
    for (size_t len = 0; len <= sizeof(document) - 1; len++) {
        char *exact = malloc(len == 0 ? 1 : len);
        struct yaml *root = NULL;
        struct yaml_error error = {{0, 0}, ""};
        ck_assert(exact != NULL);
        memcpy(exact, document, len);
        const enum err err = yaml_parse(span_of(exact, len), &root, &error);
        CHECK((err == ERR_OK) == (root != NULL));
        CHECK(err == ERR_OK || (error.at.line > 0 && error.text[0] != '\0'));
        yaml_free(root);
        free(exact);
    }
}

static bool parse_document(void *arg)
{
    unsigned *odd = arg;
    struct yaml *root = NULL;
    struct yaml_error error;
    const enum err err = yaml_parse(span_str(document), &root, &error);
    *odd += err != ERR_OK && err != ERR_NOMEM;
    *odd += (err == ERR_OK) != (root != NULL);
    yaml_free(root);
    return err == ERR_OK;
}

TEST(without_memory_it_says_so_and_keeps_nothing)
{
    unsigned odd = 0;
    CHECK(failalloc_each(parse_document, &odd) > 20);
    CHECK_UEQ(odd, 0);
}

SUITE("base/yaml", T(every_node_knows_its_place), T(maps_and_sequences_keep_their_order),
      T(scalars_lose_their_quotes_but_not_their_kind), T(nothing_is_an_empty_map),
      T(a_byte_order_mark_is_skipped), T(what_nobody_needs_is_refused_with_the_place),
      T(the_limits_hold_to_the_byte), T(no_prefix_of_a_document_does_harm),
      T(without_memory_it_says_so_and_keeps_nothing));
