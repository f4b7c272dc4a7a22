// SPDX-License-Identifier: Apache-2.0
// Lines of memory that are asked for before they are needed.  Hints: nothing depends on them.
// Private to table/.
#pragma once

#define CACHE_LINE 64
#define FETCH_LEN 104 // of most records, with a key and a value of some 40 bytes

// To be read.  A record: most are longer than a line.
static inline void fetch_record(const void *record)
{
    __builtin_prefetch(record);
    __builtin_prefetch((const char *)record + CACHE_LINE);
}

// One of many: that all of it comes matters more than what comes for nothing.  Records of some 100 bytes reach into
// a third line half of the time.
static inline void fetch_record_whole(const void *record)
{
    fetch_record(record);
    __builtin_prefetch((const char *)record + FETCH_LEN - 1);
}

// To be written: the line comes as this core's own at once, where a read would have it shared first, and the store would
// then wait for a second journey.  For a record only just before its number goes odd (update_held): sooner, its readers
// lose it for longer.
static inline void fetch_own(const void *line)
{
#if defined(__x86_64__)
    // Not by the builtin, which gives a plain one unless the whole program is for newer machines; what does not know
    // it takes it for nothing (AMD64 manual vol. 3, PREFETCHW).
    __asm__("prefetchw %0" : : "m"(*(const char *)line));
#else
    __builtin_prefetch(line, 1);
#endif
}
