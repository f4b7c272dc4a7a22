// SPDX-License-Identifier: Apache-2.0
// One page of an ordered set: byte strings in order within one block.
//
//     | head | places ->          free          <- strings |
//     count, top, dead, class
//            one byte a string, in the strings' order: the word where it begins
//                                         each: length (2 bytes), bytes, up to a full word
//
// Invariant: places are in bytewise order of their strings; what lies between top and the end is a string that a
// place names, or counted in dead.
// Reading is safe at any time, from a page that is being written to or has become something else, as long as
// the head is one that it once had: what comes out means something only when the owner's sequence holds.
// Writing: the owner's lock and an open sequence, or a page that nobody can reach yet.
// Private to localmap.  Read next: ordered.h.
#pragma once

#include "base/span.h"
#include "localmap/blocks.h"
#include "localmap/model/key.h"

#define PAGE_STRING_MAX KEY_LEN_MAX
#define PAGE_CLASS_MAX                                                                             \
    4 // 1 KiB: a word's number fits into a byte, and two of the longest strings into two pages

struct page_head {
    uint16_t count; // of strings
    uint16_t top;   // word of the lowest string
    uint16_t dead;  // words between top and the end that no place names
    uint16_t size_class;
};

// A page with the head that it had when it was opened; of a writer: that it has.
struct page {
    struct word *words;
    struct page_head head;
};

// The copy of a string.
struct page_string {
    union {
        uint64_t words[(2 + PAGE_STRING_MAX + 7) / 8];
        struct {
            uint16_t len;
            char bytes[PAGE_STRING_MAX];
        };
    };
};

static inline struct span page_string_span(const struct page_string *string)
{
    return span_of(string->bytes, string->len);
}

struct page page_open(struct word *words);
// The smallest class that holds its strings and one more of `len` bytes; perhaps over PAGE_CLASS_MAX.
unsigned page_class(const struct page *page, size_t len);
// `ret_string` is some string when the page has changed meanwhile.
void page_read(const struct page *page, size_t at, struct page_string *ret_string);
// The first place whose string is greater than `string`.
size_t page_behind(const struct page *page, struct span string);

// --- [writer]

// The string where it lies: nobody else writes, and reading beside readers is no race.
struct span page_string(const struct page *page, size_t at);
// The first place whose string is not less than `string`.
size_t page_find(const struct page *page, struct span string);

// Is there room for one more string of `len` bytes in its free middle?
bool page_fits(const struct page *page, size_t len);
void page_insert(struct page *page, size_t at, struct span string);
void page_erase(struct page *page, size_t at);
// Only the first `count` strings stay.
void page_cut(struct page *page, size_t count);
// Writes the strings from `first` on into the block `words` of that class, perhaps the same page's.
struct page page_write(const struct page *page, size_t first, struct word *words,
                       unsigned size_class);
// The place where the second half, by words, begins.  Of a page of two strings or more.
size_t page_middle(const struct page *page);
