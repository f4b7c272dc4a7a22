// SPDX-License-Identifier: Apache-2.0
#include "localmap/ordered.h"

#include "base/assert.h"
#include "localmap/page.h"

// What was read of a set under one sequence.  A writer takes one too: under its owner's lock it always holds.
struct view {
    const struct ordered *ordered;
    uint64_t noted;
    struct word *root;
    size_t pages;
};

static bool view_holds(const struct view *view)
{
    return sequence_holds(&view->ordered->sequence, view->noted);
}

static bool view_take(const struct ordered *ordered, struct view *ret_view)
{
    ret_view->ordered = ordered;
    ret_view->noted = sequence_begin(&ordered->sequence);
    ret_view->root = word_pointer(&ordered->root);
    ret_view->pages = word_get(&ordered->pages);
    return view_holds(ret_view);
}

// false: the view no longer holds, and nothing may be followed.
static bool view_page(const struct view *view, size_t at, struct page *ret_page)
{
    struct word *words = view->pages == 1 ? view->root : word_pointer(&view->root[at]);
    if (!view_holds(view)) {
        return false;
    }
    *ret_page = page_open(words);
    return view_holds(view);
}

// The page that `string` belongs to: the last one that does not begin after it.
static bool view_find(const struct view *view, struct span string, size_t *ret_at)
{
    struct page page;
    struct page_string begin;
    size_t low = 0;
    size_t high = view->pages;
    while (high - low > 1) {
        size_t mid = (low + high) / 2;
        if (!view_page(view, mid, &page)) {
            return false;
        }
        page_read(&page, 0, &begin);
        if (span_cmp(page_string_span(&begin), string) <= 0) {
            low = mid;
        } else {
            high = mid;
        }
    }
    *ret_at = low;
    return true;
}

// --- reading

enum reading { READING_TORN, READING_DONE };

static void join(struct span prefix, const struct page_string *string, struct key_bytes *ret_key)
{
    ASSERT(prefix.len + string->len <= sizeof(ret_key->ptr));
    ret_key->len = (uint16_t)(prefix.len + string->len);
    if (prefix.len > 0) {
        memcpy(ret_key->ptr, prefix.ptr, prefix.len);
    }
    memcpy(ret_key->ptr + prefix.len, string->bytes, string->len);
}

// What is left of one page behind `range->after`; none is left of any: *ret_count is 0.
static enum reading read_page(const struct ordered *ordered, const struct ordered_range *range,
                              struct key_bytes *ret_keys, size_t *ret_count)
{
    struct view view;
    struct page page;
    size_t at = 0;
    *ret_count = 0;
    if (!view_take(ordered, &view)) {
        return READING_TORN;
    }
    if ((range->still != NULL && !range->still(range->arg)) || view.pages == 0) {
        return READING_DONE;
    }
    if (!view_find(&view, range->after, &at) || !view_page(&view, at, &page)) {
        return READING_TORN;
    }
    size_t first = range->after.ptr == NULL ? 0 : page_behind(&page, range->after);
    if (first == page.head.count && at + 1 < view.pages) {
        first = 0;
        if (!view_page(&view, at + 1, &page)) {
            return READING_TORN;
        }
    }
    size_t count = 0;
    for (; count < range->cap && first + count < page.head.count; count++) {
        struct page_string string;
        page_read(&page, first + count, &string);
        if (!view_holds(&view)) {
            return READING_TORN;
        }
        join(range->prefix, &string, &ret_keys[count]);
    }
    *ret_count = count;
    return view_holds(&view) ? READING_DONE : READING_TORN;
}

size_t ordered_after(const struct ordered *ordered, const struct ordered_range *range,
                     struct key_bytes *ret_keys)
{
    char after[ORDERED_LEN_MAX]; // the caller's may be what is overwritten
    struct ordered_range rest = *range;
    size_t count = 0;
    size_t got = 0;
    if (range->after.ptr != NULL) {
        // No string is longer: what is cut off a longer one moves it past none of them.
        rest.after.len = range->after.len < sizeof(after) ? range->after.len : sizeof(after);
        memcpy(after, range->after.ptr, rest.after.len);
        rest.after.ptr = after;
    }
    do {
        rest.cap = range->cap - count;
        while (read_page(ordered, &rest, ret_keys + count, &got) == READING_TORN) {
        }
        count += got;
        if (got > 0) {
            const struct key_bytes *last = &ret_keys[count - 1];
            rest.after = span_of(last->ptr + range->prefix.len, last->len - range->prefix.len);
        }
    } while (got > 0 && count < range->cap);
    return count;
}

// --- writing

// A page to put into the set, and a larger directory when the one there is full.
struct addition {
    size_t at; // where in the directory
    struct word *page;
    unsigned page_class;
    struct word *directory; // NULL: the old one has room
    unsigned directory_class;
    struct page *shrinks; // keeps only its first `stay` strings, in the same moment; or NULL
    size_t stay;
};

static bool addition_take(const struct ordered *ordered, struct blocks *blocks,
                          struct addition *addition)
{
    size_t pages = word_get(&ordered->pages);
    addition->page = blocks_take(blocks, addition->page_class);
    if (addition->page == NULL || pages == 0) {
        return addition->page != NULL;
    }
    if (pages > 1 && pages < BLOCKS_WORDS(ordered->directory_class)) {
        return true;
    }
    addition->directory_class = pages == 1 ? 0 : ordered->directory_class + 1;
    addition->directory = blocks_take(blocks, addition->directory_class);
    if (addition->directory == NULL) {
        blocks_give(blocks, addition->page_class, addition->page);
    }
    return addition->directory != NULL;
}

// The larger directory as it will be, before anybody sees it.
static void fill_directory(const struct view *view, const struct addition *addition)
{
    for (size_t i = 0; i < view->pages; i++) {
        const struct word *page = view->pages == 1 ? view->root : word_pointer(&view->root[i]);
        word_set_pointer(&addition->directory[i < addition->at ? i : i + 1], page);
    }
    word_set_pointer(&addition->directory[addition->at], addition->page);
}

static void link_page(struct ordered *ordered, const struct view *view,
                      const struct addition *addition)
{
    word_set(&ordered->pages, view->pages + 1);
    if (view->pages == 0) {
        word_set_pointer(&ordered->root, addition->page);
    } else if (addition->directory != NULL) {
        word_set_pointer(&ordered->root, addition->directory);
    } else {
        for (size_t i = view->pages; i > addition->at; i--) {
            word_set(&view->root[i], word_get(&view->root[i - 1]));
        }
        word_set_pointer(&view->root[addition->at], addition->page);
    }
}

static void addition_put(struct ordered *ordered, struct blocks *blocks,
                         const struct addition *addition)
{
    struct view view;
    (void)view_take(ordered, &view);
    if (addition->directory != NULL) {
        fill_directory(&view, addition);
    }
    sequence_open(&ordered->sequence);
    link_page(ordered, &view, addition);
    if (addition->shrinks != NULL) {
        page_cut(addition->shrinks, addition->stay);
    }
    sequence_close(&ordered->sequence);
    if (addition->directory != NULL) {
        if (view.pages > 1) {
            blocks_give(blocks, ordered->directory_class, view.root);
        }
        ordered->directory_class = addition->directory_class;
    }
}

// A page of this string alone.
static enum err add_page(struct ordered *ordered, struct blocks *blocks, size_t at,
                         struct span string)
{
    const struct page none = {.head = {.count = 0}};
    struct addition addition = {.at = at, .page_class = page_class(&none, string.len)};
    if (!addition_take(ordered, blocks, &addition)) {
        return ERR_NOMEM;
    }
    struct page page = page_write(&none, 0, addition.page, addition.page_class);
    page_insert(&page, 0, string);
    addition_put(ordered, blocks, &addition);
    return ERR_OK;
}

// Moves the upper half of the page at `at` into a new one behind it.
static enum err split(struct ordered *ordered, struct blocks *blocks, size_t at, struct page *page)
{
    struct addition addition = {.at = at + 1,
                                .page_class = page->head.size_class,
                                .shrinks = page,
                                .stay = page_middle(page)};
    if (!addition_take(ordered, blocks, &addition)) {
        return ERR_NOMEM;
    }
    (void)page_write(page, addition.stay, addition.page, addition.page_class);
    addition_put(ordered, blocks, &addition);
    return ERR_OK;
}

// Writes the page at `at` anew, without its dead strings: in place, or into a block of another class.
static enum err rewrite(struct ordered *ordered, struct blocks *blocks, size_t at,
                        unsigned size_class)
{
    struct view view;
    struct page old = {.words = NULL};
    (void)view_take(ordered, &view);
    (void)view_page(&view, at, &old);
    bool in_place = size_class == old.head.size_class;
    struct word *words = in_place ? old.words : blocks_take(blocks, size_class);
    if (words == NULL) {
        return ERR_NOMEM;
    }
    if (!in_place) {
        (void)page_write(&old, 0, words, size_class);
    }
    sequence_open(&ordered->sequence);
    if (in_place) {
        (void)page_write(&old, 0, words, size_class);
    }
    word_set_pointer(view.pages == 1 ? &ordered->root : &view.root[at], words);
    sequence_close(&ordered->sequence);
    if (!in_place) {
        blocks_give(blocks, old.head.size_class, old.words);
    }
    return ERR_OK;
}

// Where a string is or belongs.
struct spot {
    size_t pages, page_at, at;
    struct page page;
};

// As view_find, where strings may be looked at where they lie.
static size_t page_at(const struct view *view, struct span string)
{
    size_t low = 0;
    size_t high = view->pages;
    while (high - low > 1) {
        size_t mid = (low + high) / 2;
        const struct page page = page_open(word_pointer(&view->root[mid]));
        if (span_cmp(page_string(&page, 0), string) <= 0) {
            low = mid;
        } else {
            high = mid;
        }
    }
    return low;
}

static struct spot find_spot(const struct ordered *ordered, struct span string)
{
    struct view view;
    struct spot spot = {.pages = 0};
    (void)view_take(ordered, &view);
    spot.pages = view.pages;
    if (view.pages > 0) {
        spot.page_at = page_at(&view, string);
        spot.page = page_open(view.pages == 1 ? view.root : word_pointer(&view.root[spot.page_at]));
        spot.at = page_find(&spot.page, string);
    }
    return spot;
}

static bool is_at(const struct spot *spot, struct span string)
{
    return spot->pages > 0 && spot->at < spot->page.head.count &&
           span_eq(page_string(&spot->page, spot->at), string);
}

enum err ordered_add(struct ordered *ordered, struct blocks *blocks, struct span string)
{
    ASSERT(string.len <= ORDERED_LEN_MAX);
    struct spot spot = find_spot(ordered, string);
    ASSERT(!is_at(&spot, string));
    if (spot.pages == 0) {
        return add_page(ordered, blocks, 0, string);
    }
    while (!page_fits(&spot.page, string.len)) {
        size_t count = spot.page.head.count;
        unsigned size_class = page_class(&spot.page, string.len);
        bool crowded = size_class > PAGE_CLASS_MAX;
        // Behind all others it begins a page: what comes in order fills each page to its end.
        bool is_last = spot.page_at + 1 == spot.pages && spot.at == count;
        if (crowded && (count == 1 || is_last)) {
            return add_page(ordered, blocks, spot.page_at + (spot.at == 0 ? 0 : 1), string);
        }
        enum err err = crowded ? split(ordered, blocks, spot.page_at, &spot.page)
                               : rewrite(ordered, blocks, spot.page_at, size_class);
        if (err != ERR_OK) {
            return err;
        }
        spot = find_spot(ordered, string);
    }
    sequence_open(&ordered->sequence);
    page_insert(&spot.page, spot.at, string);
    sequence_close(&ordered->sequence);
    return ERR_OK;
}

// Takes the page, with its last string, out of the set.
static void unlink_page(struct ordered *ordered, struct blocks *blocks, const struct spot *spot)
{
    struct word *root = word_pointer(&ordered->root);
    sequence_open(&ordered->sequence);
    word_set(&ordered->pages, spot->pages - 1);
    if (spot->pages <= 2) {
        struct word *other = spot->pages == 2 ? word_pointer(&root[1 - spot->page_at]) : NULL;
        word_set_pointer(&ordered->root, other);
    } else {
        for (size_t i = spot->page_at; i + 1 < spot->pages; i++) {
            word_set(&root[i], word_get(&root[i + 1]));
        }
    }
    sequence_close(&ordered->sequence);
    blocks_give(blocks, spot->page.head.size_class, spot->page.words);
    if (spot->pages == 2) {
        blocks_give(blocks, ordered->directory_class, root);
    }
}

void ordered_remove(struct ordered *ordered, struct blocks *blocks, struct span string)
{
    struct spot spot = find_spot(ordered, string);
    ASSERT(is_at(&spot, string));
    if (spot.page.head.count == 1) {
        unlink_page(ordered, blocks, &spot);
        return;
    }
    sequence_open(&ordered->sequence);
    page_erase(&spot.page, spot.at);
    sequence_close(&ordered->sequence);
    unsigned size_class = page_class(&spot.page, 0);
    if (size_class + 2 <= spot.page.head.size_class) {
        // A quarter would do.  Without memory for that it stays as it is.
        enum err err = rewrite(ordered, blocks, spot.page_at, size_class);
        (void)err;
    }
}
