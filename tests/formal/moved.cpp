// SPDX-License-Identifier: Apache-2.0
// A key that is there all the time is never missed (localmap/table/update.c, shard_move; table.c, get_anywhere):
// its record moves to another slot, and the old slot becomes vacant, is chained to others, and goes to another
// key, while a reader looks for it.
//
//     writer (the new slot is filled)                   reader
//         reference := new slot       release               m   := moves          acquire
//         moves + 1                   release               ref := reference      acquire
//         old slot vacated, closed    release, each         key in that slot?     acquire, each word
//         a link in its first word    release               no: moves = m ? "not there" : look again
//         old slot given to another   release, each
//
// Whatever made the reader say "not this key" was stored behind `moves`; only because that load was an acquire,
// and that store a release, must the second look at `moves` see the raised number.
#include "tests/formal/model.hpp"

struct sound {
    static constexpr rl::memory_order lens = rl::mo_acquire;
    static constexpr rl::memory_order key = rl::mo_acquire;
    static constexpr rl::memory_order raise = rl::mo_release;
    static constexpr rl::memory_order vacate = rl::mo_release;
    static constexpr rl::memory_order link = rl::mo_release;
    static constexpr bool raises = true;
    static constexpr bool same_lens = false; // the other key's
};

struct lens_relaxed : sound {
    static constexpr rl::memory_order lens = rl::mo_relaxed;
};
struct key_alike : sound {
    static constexpr bool same_lens = true;
};
struct key_relaxed : key_alike {
    static constexpr rl::memory_order key = rl::mo_relaxed;
};
struct link_relaxed : key_alike {
    static constexpr rl::memory_order link = rl::mo_relaxed;
};
struct raise_relaxed : sound {
    static constexpr rl::memory_order raise = rl::mo_relaxed;
};
struct vacate_relaxed : sound {
    static constexpr rl::memory_order vacate = rl::mo_relaxed;
};
struct not_raised : sound {
    static constexpr bool raises = false;
};

enum { NOBODY = 0, OURS = 1, OTHER = 2, LINK = 3, LOOKS_MAX = 2 };

struct slot {
    word seq, lens, key;
};

static void settle(slot &slot, unsigned lens, unsigned key)
{
    slot.lens($).store(lens, rl::mo_release);
    slot.key($).store(key, rl::mo_release);
}

template <typename how> struct moved_model : rl::test_suite<moved_model<how>, 2> {
    word moves, reference;
    slot slots[2];

    void before()
    {
        moves($).store(0, rl::mo_relaxed);
        reference($).store(0, rl::mo_relaxed);
        for (unsigned i = 0; i < 2; i++) {
            slots[i].seq($).store(0, rl::mo_relaxed);
            settle(slots[i], OURS, OURS);
        }
    }

    void write()
    {
        slots[0].seq($).store(1, rl::mo_relaxed); // opened before the change is decided
        reference($).store(1, rl::mo_release);
        if (how::raises) {
            moves($).store(1, how::raise);
        }
        slots[0].lens($).store(NOBODY, how::vacate);
        slots[0].seq($).store(2, rl::mo_release);
        slots[0].key($).store(LINK, how::link);
        slots[0].seq($).store(3, rl::mo_relaxed);
        settle(slots[0], how::same_lens ? OURS : OTHER, OTHER);
        slots[0].seq($).store(4, rl::mo_release);
    }

    bool has_key(slot &slot)
    {
        return slot.lens($).load(how::lens) == OURS && slot.key($).load(how::key) == OURS;
    }

    void read()
    {
        unsigned before = moves($).load(rl::mo_acquire);
        for (unsigned looks = 0; looks < LOOKS_MAX; looks++) {
            slot &slot = slots[reference($).load(rl::mo_acquire)];
            unsigned seq = slot.seq($).load(rl::mo_acquire);
            if (seq % 2 != 0 || has_key(slot)) {
                return; // waits, or has found it; what it then copies: seqlock.cpp
            }
            unsigned now = moves($).load(rl::mo_acquire);
            RL_ASSERT(now != before);
            before = now;
        }
        RL_ASSERT(false); // it moved once, so one more look is enough
    }

    void thread(unsigned index)
    {
        index == 0 ? write() : read();
    }
};

int main()
{
    judge<moved_model<sound>>("a key whose record moves is not missed", HOLDS);
    judge<moved_model<key_alike>>("nor one whose old slot goes to a key of its length", HOLDS);
    judge<moved_model<lens_relaxed>>("the lengths loaded relaxed", FAILS);
    judge<moved_model<key_relaxed>>("the key's words loaded relaxed", FAILS);
    judge<moved_model<link_relaxed>>("the link of a vacant slot stored relaxed", FAILS);
    judge<moved_model<raise_relaxed>>("the number of moves raised relaxed", FAILS);
    judge<moved_model<vacate_relaxed>>("the old slot vacated relaxed", FAILS);
    judge<moved_model<not_raised>>("the number of moves not raised", FAILS);
    return judge_end();
}
