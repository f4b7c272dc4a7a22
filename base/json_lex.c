// SPDX-License-Identifier: Apache-2.0
#include "base/json_lex.h"

#include "base/random.h"
#include "base/siphash.h"
#include "base/utf8.h"

#include <math.h>
#include <stdlib.h>

// Keys are remembered as keyed hashes of their decoded bytes.  With a random key two different keys of
// one text meet with a chance of n^2 / 2^65, and nobody outside can bring it about.
struct seen_key {
    uint64_t hash;
    size_t offset;
};

// Recursion is bounded by JSON_DEPTH_MAX.  `keys` is a stack: an object's own keys lie on its top while
// it is open and are compared and popped when it closes.
struct lexer {
    struct span text;
    size_t at;
    unsigned depth;
    uint8_t hash_key[SIPHASH_KEY_LEN];
    struct seen_key *keys;
    size_t key_count;
    size_t key_cap;
    char *decoded; // of the key being read
    size_t decoded_cap;
    enum err err;
    struct json_error error;
};

// The first failure is the one that is told.
static bool fail_at(struct lexer *lexer, size_t offset, const char *text)
{
    if (lexer->err == ERR_OK) {
        lexer->err = ERR_SYNTAX;
        lexer->error = (struct json_error){offset, text};
    }
    return false;
}

static bool fail(struct lexer *lexer, const char *text)
{
    return fail_at(lexer, lexer->at, text);
}

static bool fail_nomem(struct lexer *lexer)
{
    lexer->err = ERR_NOMEM;
    return false;
}

// The byte here; NUL at the end (a NUL in the text is no JSON either, so the two need not differ).
static char peek(const struct lexer *lexer)
{
    return lexer->at < lexer->text.len ? lexer->text.ptr[lexer->at] : '\0';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static void skip_space(struct lexer *lexer)
{
    char c = peek(lexer);
    while (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
        lexer->at++;
        c = peek(lexer);
    }
}

// --- strings

static bool take_hex4(struct lexer *lexer, uint32_t *ret_code)
{
    uint32_t code = 0;
    for (unsigned i = 0; i < 4; i++) {
        const char c = peek(lexer);
        const char lower = (char)(c | 0x20);
        const bool letter = lower >= 'a' && lower <= 'f';
        if (!is_digit(c) && !letter) {
            return fail(lexer, "\\u wants four hex digits");
        }
        code = code << 4 | (uint32_t)(letter ? lower - 'a' + 10 : c - '0');
        lexer->at++;
    }
    *ret_code = code;
    return true;
}

// After `\u`.  A pair of surrogates is one character.
static bool take_unicode_escape(struct lexer *lexer, uint32_t *ret_code)
{
    const size_t start = lexer->at - 2;
    uint32_t code;
    if (!take_hex4(lexer, &code)) {
        return false;
    }
    if (code == 0) {
        return fail_at(lexer, start, "\\u0000 is not allowed");
    }
    if (code >= 0xDC00 && code <= 0xDFFF) {
        return fail_at(lexer, start, "lone surrogate");
    }
    if (code >= 0xD800 && code <= 0xDBFF) {
        uint32_t low = 0;
        const bool escape =
            lexer->text.len - lexer->at >= 2 && memcmp(lexer->text.ptr + lexer->at, "\\u", 2) == 0;
        if (!escape) {
            return fail_at(lexer, start, "lone surrogate");
        }
        lexer->at += 2;
        if (!take_hex4(lexer, &low)) {
            return false;
        }
        if (low < 0xDC00 || low > 0xDFFF) {
            return fail_at(lexer, start, "lone surrogate");
        }
        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    }
    *ret_code = code;
    return true;
}

// After a backslash.
static bool take_escape(struct lexer *lexer, uint32_t *ret_code)
{
    static const char names[] = "\"\\/bfnrt";
    static const char values[] = "\"\\/\b\f\n\r\t";
    const char c = peek(lexer);
    if (c == 'u') {
        lexer->at++;
        return take_unicode_escape(lexer, ret_code);
    }
    const char *name = c == '\0' ? NULL : strchr(names, c);
    if (name == NULL) {
        return fail(lexer, "unknown escape");
    }
    lexer->at++;
    *ret_code = (uint32_t)values[name - names];
    return true;
}

// One character of a string, not its closing quote.
static bool take_character(struct lexer *lexer, uint32_t *ret_code)
{
    const struct span left = span_of(lexer->text.ptr + lexer->at, lexer->text.len - lexer->at);
    if (left.len == 0) {
        return fail(lexer, "string without an end");
    }
    if ((uint8_t)left.ptr[0] < 0x20) {
        return fail(lexer, "raw control byte in a string");
    }
    if (left.ptr[0] == '\\') {
        lexer->at++;
        return take_escape(lexer, ret_code);
    }
    const size_t len = utf8_next(left, ret_code);
    if (len == 0) {
        return fail(lexer, "not UTF-8");
    }
    lexer->at += len;
    return true;
}

// A string from its opening quote on.  `decoded` (NULL: not wanted) has room for what it decodes to: an
// escape is never shorter than what it means.
static bool take_string(struct lexer *lexer, char *decoded, size_t *ret_len)
{
    size_t len = 0;
    lexer->at++;
    while (peek(lexer) != '"') {
        uint32_t code;
        if (!take_character(lexer, &code)) {
            return false;
        }
        if (decoded != NULL) {
            len += utf8_put(code, decoded + len);
        }
    }
    lexer->at++;
    *ret_len = len;
    return true;
}

// --- keys

// The raw length of the string here, quotes included; the end of the text when it has no end.
static size_t raw_string_len(const struct lexer *lexer)
{
    size_t end = lexer->at + 1;
    while (end < lexer->text.len && lexer->text.ptr[end] != '"') {
        end += lexer->text.ptr[end] == '\\' ? 2 : 1;
    }
    return end < lexer->text.len ? end + 1 - lexer->at : lexer->text.len - lexer->at;
}

static bool reserve_decoded(struct lexer *lexer, size_t len)
{
    if (len <= lexer->decoded_cap) {
        return true;
    }
    char *grown = realloc(lexer->decoded, len * 2);
    if (grown == NULL) {
        return fail_nomem(lexer);
    }
    lexer->decoded = grown;
    lexer->decoded_cap = len * 2;
    return true;
}

static bool push_key(struct lexer *lexer, struct seen_key key)
{
    if (lexer->key_count == lexer->key_cap) {
        const size_t cap = lexer->key_cap == 0 ? 32 : lexer->key_cap * 2;
        struct seen_key *grown = realloc(lexer->keys, cap * sizeof(*grown));
        if (grown == NULL) {
            return fail_nomem(lexer);
        }
        lexer->keys = grown;
        lexer->key_cap = cap;
    }
    lexer->keys[lexer->key_count++] = key;
    return true;
}

static bool take_key(struct lexer *lexer)
{
    const size_t start = lexer->at;
    size_t len;
    // utf8_put may write up to four bytes before it says how many it needed.
    if (!reserve_decoded(lexer, raw_string_len(lexer) + UTF8_LEN_MAX) ||
        !take_string(lexer, lexer->decoded, &len)) {
        return false;
    }
    return push_key(lexer,
                    (struct seen_key){siphash13(lexer->hash_key, lexer->decoded, len), start});
}

static int seen_key_cmp(const void *a, const void *b)
{
    const struct seen_key *x = a;
    const struct seen_key *y = b;
    if (x->hash != y->hash) {
        return x->hash < y->hash ? -1 : 1;
    }
    return (x->offset > y->offset) - (x->offset < y->offset);
}

// Compares and pops the keys above `base`: those of the object that closes.
static bool pop_keys(struct lexer *lexer, size_t base)
{
    const size_t count = lexer->key_count - base;
    lexer->key_count = base;
    if (count < 2) {
        return true;
    }
    struct seen_key *keys = lexer->keys + base;
    size_t first_again = SIZE_MAX;
    qsort(keys, count, sizeof(*keys), seen_key_cmp);
    for (size_t i = 1; i < count; i++) {
        if (keys[i].hash == keys[i - 1].hash && keys[i].offset < first_again) {
            first_again = keys[i].offset;
        }
    }
    return first_again == SIZE_MAX || fail_at(lexer, first_again, "duplicate key");
}

// --- values

static bool take_digits(struct lexer *lexer)
{
    if (!is_digit(peek(lexer))) {
        return fail(lexer, "a digit is missing");
    }
    while (is_digit(peek(lexer))) {
        lexer->at++;
    }
    return true;
}

static bool take_number_form(struct lexer *lexer)
{
    if (peek(lexer) == '-') {
        lexer->at++;
    }
    const bool zero = peek(lexer) == '0';
    const size_t start = lexer->at;
    if (!take_digits(lexer)) {
        return false;
    }
    if (zero && lexer->at - start > 1) {
        return fail_at(lexer, start, "leading zero");
    }
    if (peek(lexer) == '.') {
        lexer->at++;
        if (!take_digits(lexer)) {
            return false;
        }
    }
    if (peek(lexer) == 'e' || peek(lexer) == 'E') {
        lexer->at++;
        if (peek(lexer) == '+' || peek(lexer) == '-') {
            lexer->at++;
        }
        return take_digits(lexer);
    }
    return true;
}

static bool take_number(struct lexer *lexer)
{
    const size_t start = lexer->at;
    if (!take_number_form(lexer)) {
        return false;
    }
    char text[JSON_NUMBER_LEN_MAX + 1];
    const size_t len = lexer->at - start;
    if (len > JSON_NUMBER_LEN_MAX) {
        return fail_at(lexer, start, "number too long");
    }
    memcpy(text, lexer->text.ptr + start, len);
    text[len] = '\0';
    return isfinite(strtod(text, NULL)) || fail_at(lexer, start, "number out of range");
}

static bool take_word(struct lexer *lexer, const char *word)
{
    const size_t len = strlen(word);
    if (lexer->text.len - lexer->at < len || memcmp(lexer->text.ptr + lexer->at, word, len) != 0) {
        return fail(lexer, "unknown word");
    }
    lexer->at += len;
    return true;
}

static bool take_value(struct lexer *lexer);

static bool take_member(struct lexer *lexer)
{
    if (peek(lexer) != '"') {
        return fail(lexer, "a key in quotes is missing");
    }
    if (!take_key(lexer)) {
        return false;
    }
    skip_space(lexer);
    if (peek(lexer) != ':') {
        return fail(lexer, "a colon is missing");
    }
    lexer->at++;
    return take_value(lexer);
}

// What stands between the brackets: items and commas up to `close`.
static bool take_items(struct lexer *lexer, char close)
{
    skip_space(lexer);
    if (peek(lexer) == close) {
        lexer->at++;
        return true;
    }
    for (;;) {
        skip_space(lexer);
        if (!(close == '}' ? take_member(lexer) : take_value(lexer))) {
            return false;
        }
        skip_space(lexer);
        const char c = peek(lexer);
        if (c != ',' && c != close) {
            return fail(lexer,
                        close == '}' ? "a comma or } is missing" : "a comma or ] is missing");
        }
        lexer->at++;
        if (c == close) {
            return true;
        }
    }
}

static bool take_container(struct lexer *lexer, char close)
{
    if (lexer->depth == JSON_DEPTH_MAX) {
        return fail(lexer, "nested too deeply");
    }
    const size_t base = lexer->key_count;
    lexer->depth++;
    lexer->at++;
    if (!take_items(lexer, close)) {
        return false;
    }
    lexer->depth--;
    return pop_keys(lexer, base);
}

static bool take_value(struct lexer *lexer)
{
    skip_space(lexer);
    const char c = peek(lexer);
    size_t len;
    switch (c) {
    case '{':
        return take_container(lexer, '}');
    case '[':
        return take_container(lexer, ']');
    case '"':
        return take_string(lexer, NULL, &len);
    case 't':
        return take_word(lexer, "true");
    case 'f':
        return take_word(lexer, "false");
    case 'n':
        return take_word(lexer, "null");
    default:
        return c == '-' || is_digit(c) ? take_number(lexer) : fail(lexer, "a value is missing");
    }
}

static bool take_text(struct lexer *lexer)
{
    static const struct span bom = {"\xEF\xBB\xBF", 3};
    if (lexer->text.len >= bom.len && memcmp(lexer->text.ptr, bom.ptr, bom.len) == 0) {
        return fail(lexer, "byte order mark");
    }
    if (!take_value(lexer)) {
        return false;
    }
    skip_space(lexer);
    return lexer->at == lexer->text.len || fail(lexer, "bytes after the value");
}

enum err json_lex(struct span text, struct json_error *ret_error)
{
    struct lexer lexer = {.text = text};
    random_bytes(lexer.hash_key, sizeof(lexer.hash_key));
    take_text(&lexer);
    free(lexer.keys);
    free(lexer.decoded);
    if (lexer.err == ERR_SYNTAX) {
        *ret_error = lexer.error;
    }
    return lexer.err;
}
