// SPDX-License-Identifier: Apache-2.0
#include "localmap/page.h"

#include "base/assert.h"

#define PLACES_PER_WORD sizeof(uint64_t)
#define PAGE_WORDS_MAX BLOCKS_WORDS(PAGE_CLASS_MAX)

_Static_assert(PAGE_WORDS_MAX <= UINT8_MAX + 1, "the number of a word fits into a byte");
_Static_assert(sizeof(struct page_head) == sizeof(struct word), "a head is read in one load");
_Static_assert(2 + (2 + PAGE_STRING_MAX + 7) / 8 <= PAGE_WORDS_MAX, "a page has room for a string");

static size_t string_words(size_t len)
{
    return (sizeof(uint16_t) + len + sizeof(uint64_t) - 1) / sizeof(uint64_t);
}

static size_t places_words(size_t count)
{
    return (count + PLACES_PER_WORD - 1) / PLACES_PER_WORD;
}

static void set_head(struct page *page)
{
    uint64_t bits = 0;
    memcpy(&bits, &page->head, sizeof(bits));
    word_set(&page->words[0], bits);
}

struct page page_open(struct word *words)
{
    struct page page = {.words = words};
    uint64_t bits = word_get(&words[0]);
    memcpy(&page.head, &bits, sizeof(bits));
    return page;
}

static size_t place_of(const struct page *page, size_t at)
{
    uint64_t places = word_get(&page->words[1 + at / PLACES_PER_WORD]);
    return (uint8_t)(places >> (at % PLACES_PER_WORD * 8));
}

void page_read(const struct page *page, size_t at, struct page_string *ret_string)
{
    size_t end = BLOCKS_WORDS(page->head.size_class);
    size_t from = place_of(page, at);
    from = from < end ? from : end - 1; // it may be a place no longer, nor the length one
    ret_string->words[0] = word_get(&page->words[from]);
    size_t len_max = (end - from) * sizeof(uint64_t) - sizeof(uint16_t);
    len_max = len_max < PAGE_STRING_MAX ? len_max : PAGE_STRING_MAX;
    size_t len = ret_string->len < len_max ? ret_string->len : len_max;
    size_t count = string_words(len);
    for (size_t i = 1; i < count; i++) {
        ret_string->words[i] = word_get(&page->words[from + i]);
    }
    ret_string->len = (uint16_t)len;
}

size_t page_behind(const struct page *page, struct span string)
{
    struct page_string other;
    size_t low = 0;
    size_t high = page->head.count;
    while (low < high) {
        size_t mid = (low + high) / 2;
        page_read(page, mid, &other);
        if (span_cmp(page_string_span(&other), string) <= 0) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low;
}

struct span page_string(const struct page *page, size_t at)
{
    const char *bytes = (const char *)&page->words[place_of(page, at)];
    uint16_t len = 0;
    memcpy(&len, bytes, sizeof(len));
    return span_of(bytes + sizeof(len), len);
}

size_t page_find(const struct page *page, struct span string)
{
    size_t low = 0;
    size_t high = page->head.count;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (span_cmp(page_string(page, mid), string) < 0) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low;
}

static size_t words_needed(size_t count, size_t strings)
{
    return 1 + places_words(count) + strings;
}

static size_t words_alive(const struct page *page)
{
    return page->words == NULL
               ? 0
               : BLOCKS_WORDS(page->head.size_class) - page->head.top - page->head.dead;
}

unsigned page_class(const struct page *page, size_t len)
{
    size_t words = words_needed(page->head.count + 1U, words_alive(page) + string_words(len));
    return blocks_class(words * sizeof(struct word));
}

bool page_fits(const struct page *page, size_t len)
{
    return words_needed(page->head.count + 1U, string_words(len)) <= page->head.top;
}

// Loads all places, with room for one more.
static void load_places(const struct page *page, uint64_t places[PAGE_WORDS_MAX / 8 + 1])
{
    for (size_t i = 0; i < places_words(page->head.count); i++) {
        places[i] = word_get(&page->words[1 + i]);
    }
}

// Stores those from `at` on.  Bytes of a word are places in the order of their worth, whatever the machine's is.
static void store_places(struct page *page, const uint64_t *places, size_t at)
{
    for (size_t i = at / PLACES_PER_WORD; i < places_words(page->head.count); i++) {
        word_set(&page->words[1 + i], places[i]);
    }
}

static void shift_in(uint64_t *places, size_t count, size_t at, uint8_t place)
{
    size_t first = at / PLACES_PER_WORD;
    for (size_t i = count / PLACES_PER_WORD; i > first; i--) {
        places[i] = places[i] << 8 | places[i - 1] >> 56;
    }
    unsigned bit = (unsigned)(at % PLACES_PER_WORD * 8);
    uint64_t low = (UINT64_C(1) << bit) - 1;
    places[first] = (places[first] & low) | (places[first] & ~low) << 8 | (uint64_t)place << bit;
}

static void shift_out(uint64_t *places, size_t count, size_t at)
{
    size_t first = at / PLACES_PER_WORD;
    unsigned bit = (unsigned)(at % PLACES_PER_WORD * 8);
    uint64_t low = (UINT64_C(1) << bit) - 1;
    places[first] = (places[first] & low) | ((places[first] >> 8) & ~low);
    for (size_t i = first + 1; i < places_words(count); i++) {
        places[i - 1] |= places[i] << 56;
        places[i] >>= 8;
    }
}

void page_insert(struct page *page, size_t at, struct span string)
{
    uint64_t places[PAGE_WORDS_MAX / 8 + 1] = {0};
    struct page_string copy;
    size_t count = string_words(string.len);
    ASSERT(at <= page->head.count && page_fits(page, string.len));
    copy.words[count - 1] = 0;
    copy.len = (uint16_t)string.len;
    if (string.len > 0) {
        memcpy(copy.bytes, string.ptr, string.len);
    }
    load_places(page, places);
    page->head.top = (uint16_t)(page->head.top - count);
    for (size_t i = 0; i < count; i++) {
        word_set(&page->words[page->head.top + i], copy.words[i]);
    }
    shift_in(places, page->head.count, at, (uint8_t)page->head.top);
    page->head.count++;
    store_places(page, places, at);
    set_head(page);
}

static size_t words_of(const struct page *page, size_t at)
{
    struct page_string string;
    string.words[0] = word_get(&page->words[place_of(page, at)]);
    return string_words(string.len);
}

void page_erase(struct page *page, size_t at)
{
    uint64_t places[PAGE_WORDS_MAX / 8 + 1] = {0};
    ASSERT(at < page->head.count);
    page->head.dead = (uint16_t)(page->head.dead + words_of(page, at));
    load_places(page, places);
    shift_out(places, page->head.count, at);
    page->head.count--;
    store_places(page, places, at);
    set_head(page);
}

void page_cut(struct page *page, size_t count)
{
    ASSERT(count <= page->head.count);
    for (size_t i = count; i < page->head.count; i++) {
        page->head.dead = (uint16_t)(page->head.dead + words_of(page, i));
    }
    page->head.count = (uint16_t)count;
    set_head(page);
}

struct page page_write(const struct page *page, size_t first, struct word *words,
                       unsigned size_class)
{
    uint64_t image[PAGE_WORDS_MAX];
    uint64_t places[PAGE_WORDS_MAX / 8 + 1] = {0};
    size_t top = BLOCKS_WORDS(size_class);
    size_t count = page->head.count - first;
    for (size_t i = 0; i < count; i++) {
        size_t from = place_of(page, first + i);
        size_t len = words_of(page, first + i);
        ASSERT(words_needed(count, len) <= top);
        top -= len;
        for (size_t word = 0; word < len; word++) {
            image[top + word] = word_get(&page->words[from + word]);
        }
        places[i / PLACES_PER_WORD] |= (uint64_t)top << (i % PLACES_PER_WORD * 8);
    }
    struct page fresh = {.words = words,
                         .head = {.count = (uint16_t)count,
                                  .top = (uint16_t)top,
                                  .size_class = (uint16_t)size_class}};
    for (size_t i = top; i < BLOCKS_WORDS(size_class); i++) {
        word_set(&words[i], image[i]);
    }
    store_places(&fresh, places, 0);
    set_head(&fresh);
    return fresh;
}

size_t page_middle(const struct page *page)
{
    size_t half = words_alive(page) / 2;
    size_t words = 0;
    size_t at = 0;
    ASSERT(page->head.count >= 2);
    while (at + 1U < page->head.count && (at == 0 || words < half)) {
        words += words_of(page, at++);
    }
    return at;
}
