// SPDX-License-Identifier: Apache-2.0
// A key that is there all the time is never missed while its index grows (localmap/table/update.c,
// shard_make_room and taken_over; table.c, get_anywhere): a new index takes it over, and then the pages of the
// old one go back.
//
//     writer                                        reader
//         prev  := old            release               m     := moves        acquire
//         index := new            release               index                 acquire
//         reference, tag in new   release, each         prev                  acquire, before the search
//         moves + 1               release               search index, then prev
//         prev  := none           release               nothing: moves = m ? "not there" : look again
//         old is emptied
//
// The last step is the kernel's (MADV_DONTNEED).  It interrupts every processor that runs a thread of ours before
// it is done, which orders more than the release that stands for it here.
//
// The fast look takes the index in two parts (shard_show_index, head_home): groups := new, then mask := new;
// loaded the other way round, so that the mask never leads behind the end.
#include "tests/formal/model.hpp"

struct sound {
    static constexpr rl::memory_order publish = rl::mo_release;
    static constexpr rl::memory_order index = rl::mo_acquire;
    static constexpr rl::memory_order tag = rl::mo_acquire;
    static constexpr rl::memory_order moves = rl::mo_acquire;
    static constexpr bool prev_first = true; // loaded before the search
    static constexpr bool prev_stored_first = true;
    static constexpr bool raises = true;
    static constexpr bool raises_late = false;
};

struct published_relaxed : sound {
    static constexpr rl::memory_order publish = rl::mo_relaxed;
};
struct index_relaxed : sound {
    static constexpr rl::memory_order index = rl::mo_relaxed;
};
struct tag_relaxed : sound {
    static constexpr rl::memory_order tag = rl::mo_relaxed;
};
struct index_stored_first : sound {
    static constexpr bool prev_stored_first = false;
};
struct prev_last : sound {
    static constexpr bool prev_first = false;
};
struct prev_last_not_raised : prev_last {
    static constexpr bool raises = false;
};
struct not_raised : sound {
    static constexpr bool raises = false;
};
struct raised_late : sound {
    static constexpr bool raises_late = true;
};

enum { NONE = 0, OLD = 1, NEW = 2, LOOKS_MAX = 2 };

struct index_words {
    word tag, reference;
};

template <typename how> struct growth_model : rl::test_suite<growth_model<how>, 2> {
    word moves, index, prev;
    index_words indexes[3];

    void before()
    {
        moves($).store(0, rl::mo_relaxed);
        index($).store(OLD, rl::mo_relaxed);
        prev($).store(NONE, rl::mo_relaxed);
        for (unsigned i = OLD; i <= NEW; i++) {
            indexes[i].tag($).store(i == OLD ? 1 : 0, rl::mo_relaxed);
            indexes[i].reference($).store(i == OLD ? 1 : 0, rl::mo_relaxed);
        }
    }

    void write()
    {
        if (how::prev_stored_first) {
            prev($).store(OLD, rl::mo_release);
        }
        index($).store(NEW, how::publish);
        prev($).store(OLD, rl::mo_release);
        indexes[NEW].reference($).store(1, rl::mo_release);
        indexes[NEW].tag($).store(1, rl::mo_release);
        if (how::raises && !how::raises_late) {
            moves($).store(1, rl::mo_release);
        }
        prev($).store(NONE, rl::mo_release);
        indexes[OLD].tag($).store(0, rl::mo_release);
        indexes[OLD].reference($).store(0, rl::mo_release);
        if (how::raises && how::raises_late) {
            moves($).store(1, rl::mo_release);
        }
    }

    bool search(index_words &index)
    {
        return index.tag($).load(how::tag) != 0 && index.reference($).load(rl::mo_acquire) != 0;
    }

    bool look_once()
    {
        unsigned at = index($).load(how::index);
        unsigned before = how::prev_first ? prev($).load(rl::mo_acquire) : NONE;
        if (search(indexes[at])) {
            return true;
        }
        if (!how::prev_first) {
            before = prev($).load(rl::mo_acquire);
        }
        return before != NONE && search(indexes[before]);
    }

    void read()
    {
        unsigned before = moves($).load(rl::mo_acquire);
        for (unsigned looks = 0; looks < LOOKS_MAX; looks++) {
            if (look_once()) {
                return;
            }
            unsigned now = moves($).load(how::moves);
            RL_ASSERT(now != before);
            before = now;
        }
        RL_ASSERT(false);
    }

    void thread(unsigned index)
    {
        index == 0 ? write() : read();
    }
};

// --- the index in two parts

struct parts_sound {
    static constexpr rl::memory_order load_mask = rl::mo_acquire;
    static constexpr rl::memory_order store_mask = rl::mo_release;
    static constexpr bool mask_first = true;
};
struct mask_loaded_relaxed : parts_sound {
    static constexpr rl::memory_order load_mask = rl::mo_relaxed;
};
struct mask_stored_relaxed : parts_sound {
    static constexpr rl::memory_order store_mask = rl::mo_relaxed;
};
struct mask_loaded_last : parts_sound {
    static constexpr bool mask_first = false;
};

template <typename how> struct parts_model : rl::test_suite<parts_model<how>, 2> {
    word groups, mask; // as numbers of groups

    void before()
    {
        groups($).store(OLD, rl::mo_relaxed);
        mask($).store(OLD, rl::mo_relaxed);
    }

    void thread(unsigned index)
    {
        if (index == 0) {
            groups($).store(NEW, rl::mo_release);
            mask($).store(NEW, how::store_mask);
            return;
        }
        unsigned late = how::mask_first ? 0 : groups($).load(rl::mo_acquire);
        unsigned masked = mask($).load(how::load_mask);
        unsigned there = how::mask_first ? groups($).load(rl::mo_acquire) : late;
        RL_ASSERT(masked <= there);
    }
};

int main()
{
    judge<growth_model<sound>>("a key is not missed while its index grows", HOLDS);
    judge<growth_model<published_relaxed>>("the new index published relaxed", FAILS);
    judge<growth_model<index_relaxed>>("the index loaded relaxed", FAILS);
    judge<growth_model<tag_relaxed>>("the tag loaded relaxed", FAILS);
    judge<growth_model<not_raised>>("the number of moves not raised", FAILS);
    judge<growth_model<raised_late>>("the number of moves raised when the old index is gone",
                                     FAILS);
    judge<growth_model<index_stored_first>>("the new index stored before the older one", FAILS);
    judge<growth_model<prev_last>>("the older index noted late: found by the second look", HOLDS);
    judge<growth_model<prev_last_not_raised>>("that without the number of moves", FAILS);
    judge<parts_model<parts_sound>>("the mask never leads behind the groups", HOLDS);
    judge<parts_model<mask_loaded_relaxed>>("the mask loaded relaxed", FAILS);
    judge<parts_model<mask_stored_relaxed>>("the mask stored relaxed", FAILS);
    judge<parts_model<mask_loaded_last>>("the mask loaded behind the groups", FAILS);
    return judge_end();
}
