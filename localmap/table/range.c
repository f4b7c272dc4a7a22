// SPDX-License-Identifier: Apache-2.0
#include "localmap/table/range.h"

#include "base/assert.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>

#define RANGE_MAX (UINT64_C(8) << 32) // what a reference reaches
#define RANGE_MIN (UINT64_C(1) << 26)
#define COMMIT_STEP (UINT64_C(1) << 20)
#define PAGE ((uintptr_t)4096)
#define AHEAD_FROM (UINT64_C(1) << 22) // bytes in use below which nothing is done ahead
#define AHEAD_STEP (UINT64_C(1) << 20)
// How much is populated ahead of what is in use: a part of it.
#define AHEAD_PART 32
#define AHEAD_MIN AHEAD_STEP
#define AHEAD_MAX (16 * AHEAD_STEP)
#define FIRST_PIECE 2048

struct range {
    char *base;
    uint64_t size;
    void **owners;
    pthread_mutex_t lock; // rank 31; guards those below
    uint64_t used;
    uint64_t small, small_end; // what is left of the window for small pieces
    uint64_t committed;        // may be read and written
    uint64_t ahead;            // has had its pages populated
};

static uint64_t up_to(uint64_t value, uint64_t multiple)
{
    return (value + multiple - 1) / multiple * multiple;
}

// Addresses that may be used at once need no call later, in the middle of a put; but a kernel that counts
// promises (vm.overcommit_memory = 2) refuses so many, and then they come bit by bit.
static void *map_pages(uint64_t bytes, int protection)
{
    void *pages =
        mmap(NULL, (size_t)bytes, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return pages == MAP_FAILED ? NULL : pages;
}

// As many addresses as may be had: a limit of the process (RLIMIT_AS) may not let us have all.
static bool reserve(struct range *range)
{
    for (uint64_t size = RANGE_MAX; size >= RANGE_MIN; size /= 2) {
        void *usable = map_pages(size, PROT_READ | PROT_WRITE);
        range->base = usable != NULL ? usable : map_pages(size, PROT_NONE);
        if (range->base != NULL) {
            range->size = size;
            range->committed = usable != NULL ? size : 0;
            return true;
        }
    }
    return false;
}

// The lock is held, or nobody else knows the range.
static bool commit(struct range *range, uint64_t end, uint64_t step)
{
    if (end <= range->committed) {
        return true;
    }
    uint64_t until = up_to(end, step);
    until = until > range->size ? range->size : until;
    if (end > until || mprotect(range->base + range->committed, (size_t)(until - range->committed),
                                PROT_READ | PROT_WRITE) != 0) {
        return false;
    }
    range->committed = until;
    return true;
}

enum err range_new(struct range **ret_range)
{
    struct range *range = calloc(1, sizeof(*range));
    if (range == NULL) {
        return ERR_NOMEM;
    }
    pthread_mutex_init(&range->lock, NULL);
    bool there = reserve(range) && commit(range, COMMIT_STEP, COMMIT_STEP);
    if (there) {
        range->owners = calloc(range->size / RANGE_WINDOW, sizeof(void *));
    }
    if (range->owners == NULL) {
        range_free(range);
        return ERR_NOMEM;
    }
    range->small = FIRST_PIECE; // reference 0 is nobody
    range->small_end = RANGE_WINDOW;
    range->used = RANGE_WINDOW;
    *ret_range = range;
    return ERR_OK;
}

void range_free(struct range *range)
{
    if (range == NULL) {
        return;
    }
    if (range->base != NULL) {
        (void)munmap(range->base, (size_t)range->size);
    }
    free(range->owners);
    pthread_mutex_destroy(&range->lock);
    free(range);
}

char *range_base(const struct range *range)
{
    return range->base;
}

void **range_owner(const struct range *range, uint64_t at)
{
    return &range->owners[at / RANGE_WINDOW];
}

static bool take_windows(struct range *range, uint64_t bytes, uint64_t *ret_at)
{
    if (!commit(range, range->used + bytes, COMMIT_STEP)) {
        return false;
    }
    *ret_at = range->used;
    range->used += bytes;
    return true;
}

// The smaller ones share windows.
static bool take_small(struct range *range, size_t bytes, size_t align, uint64_t *ret_at)
{
    uint64_t at = up_to(range->small, align);
    if (at + bytes > range->small_end) {
        if (!take_windows(range, RANGE_WINDOW, &at)) {
            return false;
        }
        range->small_end = at + RANGE_WINDOW;
    }
    range->small = at + bytes;
    *ret_at = at;
    return true;
}

enum err range_take(struct range *range, size_t bytes, size_t align, uint64_t *ret_at)
{
    ASSERT(bytes > 0 && align >= 8 && align <= RANGE_WINDOW);
    pthread_mutex_lock(&range->lock);
    bool there = bytes >= RANGE_WINDOW ? take_windows(range, up_to(bytes, RANGE_WINDOW), ret_at)
                                       : take_small(range, bytes, align, ret_at);
    pthread_mutex_unlock(&range->lock);
    return there ? ERR_OK : ERR_NOMEM;
}

// A kernel or a sanitizer that does not know an advice gives the pages one by one, as they are touched.
static void populate(char *from, size_t bytes)
{
#if defined(MADV_POPULATE_WRITE)
    (void)madvise(from, bytes, MADV_POPULATE_WRITE);
#else
    (void)from;
    (void)bytes;
#endif
}

void range_populate(char *from, size_t bytes)
{
    size_t before = (uintptr_t)from % PAGE;
    populate(from - before, bytes + before);
}

// The next step that is to be populated.  false: enough is ahead.
static bool next_ahead(struct range *range, uint64_t *ret_from)
{
    pthread_mutex_lock(&range->lock);
    uint64_t distance = range->used / AHEAD_PART;
    distance = distance < AHEAD_MIN ? AHEAD_MIN : distance;
    distance = distance > AHEAD_MAX ? AHEAD_MAX : distance;
    uint64_t from = range->ahead > range->used ? range->ahead : range->used;
    bool wanted = range->used >= AHEAD_FROM && from < range->used + distance &&
                  commit(range, from + AHEAD_STEP, AHEAD_STEP);
    range->ahead = wanted ? from + AHEAD_STEP : range->ahead;
    pthread_mutex_unlock(&range->lock);
    *ret_from = from;
    return wanted;
}

// Ordinary pages: with large ones, who touches one that is not there yet waits until 2 MiB are zeros, and the
// worst put while a table grows was milliseconds rather than a tenth of one.
void range_ahead(struct range *range)
{
    uint64_t from = 0;
    while (next_ahead(range, &from)) {
        populate(range->base + from, AHEAD_STEP);
    }
}

void range_give_back(char *from, size_t bytes)
{
    size_t before = (PAGE - (uintptr_t)from % PAGE) % PAGE;
    if (bytes > before) {
        (void)madvise(from + before, (bytes - before) / PAGE * PAGE, MADV_DONTNEED);
    }
}
