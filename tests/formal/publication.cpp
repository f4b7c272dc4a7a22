// SPDX-License-Identifier: Apache-2.0
// From a tag to a whole record (localmap/table/index.c, index_insert and index_replace): a key is put in, or its
// record gets another slot, while a reader looks for it.
//
//     writer                                        reader
//         fill the record      release, each            tag      acquire
//         reference := record  release                  ref      acquire
//         tag                  release                  record   its sequence first, acquire
//
// Who sees the tag sees a reference; who sees the reference sees a record that was filled: not one of before it,
// which would be taken for somebody else's.
#include "tests/formal/model.hpp"

struct sound {
    static constexpr rl::memory_order store_tag = rl::mo_release;
    static constexpr rl::memory_order load_tag = rl::mo_acquire;
    static constexpr rl::memory_order replace = rl::mo_release;
    static constexpr rl::memory_order load_ref = rl::mo_acquire;
    static constexpr rl::memory_order close = rl::mo_release;
    static constexpr bool tag_last = true;
};

struct tag_stored_relaxed : sound {
    static constexpr rl::memory_order store_tag = rl::mo_relaxed;
};
struct tag_loaded_relaxed : sound {
    static constexpr rl::memory_order load_tag = rl::mo_relaxed;
};
struct tag_first : sound {
    static constexpr bool tag_last = false;
};
struct replaced_relaxed : sound {
    static constexpr rl::memory_order replace = rl::mo_relaxed;
};
struct reference_loaded_relaxed : sound {
    static constexpr rl::memory_order load_ref = rl::mo_relaxed;
};

enum { NOBODY = 0, KEY = 7, FIRST = 1, SECOND = 2 };

struct slot {
    word seq, key, value;
};

// Fills the slot as record_open, record_settle, record_set_value and record_close do.
static void fill(slot &slot, unsigned value)
{
    slot.seq($).store(1, rl::mo_relaxed);
    slot.key($).store(KEY, rl::mo_release);
    slot.value($).store(value, rl::mo_release);
    slot.seq($).store(2, rl::mo_release);
}

static void clear(slot &slot)
{
    slot.seq($).store(0, rl::mo_relaxed);
    slot.key($).store(NOBODY, rl::mo_relaxed);
    slot.value($).store(0, rl::mo_relaxed);
}

// The value in the slot that a reference names; 0: another key's, or a writer is inside.
static unsigned look(slot &slot)
{
    unsigned seq = slot.seq($).load(rl::mo_acquire);
    if (seq % 2 != 0 || slot.key($).load(rl::mo_acquire) != KEY) {
        return 0;
    }
    unsigned value = slot.value($).load(rl::mo_acquire);
    return slot.seq($).load(rl::mo_relaxed) == seq ? value : 0;
}

template <typename how> struct insert_model : rl::test_suite<insert_model<how>, 2> {
    word tag, reference;
    slot record;

    void before()
    {
        tag($).store(0, rl::mo_relaxed);
        reference($).store(0, rl::mo_relaxed);
        clear(record);
    }

    void thread(unsigned index)
    {
        if (index == 1) {
            if (tag($).load(how::load_tag) != 0) {
                RL_ASSERT(reference($).load(how::load_ref) != 0);
                RL_ASSERT(look(record) == FIRST);
            }
            return;
        }
        fill(record, FIRST);
        if (!how::tag_last) {
            tag($).store(1, how::store_tag);
        }
        reference($).store(1, rl::mo_release);
        tag($).store(1, how::store_tag);
    }
};

// The tag is there already, only the reference changes.
template <typename how> struct replace_model : rl::test_suite<replace_model<how>, 2> {
    word reference;
    slot records[2];

    void before()
    {
        reference($).store(0, rl::mo_relaxed);
        clear(records[1]);
        fill(records[0], FIRST);
    }

    void thread(unsigned index)
    {
        if (index == 1) {
            unsigned at = reference($).load(how::load_ref);
            RL_ASSERT(look(records[at]) == (at == 0 ? FIRST : SECOND));
            return;
        }
        fill(records[1], SECOND);
        reference($).store(1, how::replace);
    }
};

int main()
{
    judge<insert_model<sound>>("who sees the tag sees reference and record", HOLDS);
    judge<insert_model<tag_stored_relaxed>>("the tag stored relaxed", FAILS);
    judge<insert_model<tag_loaded_relaxed>>("the tag loaded relaxed", FAILS);
    judge<insert_model<tag_first>>("the tag stored before the reference", FAILS);
    judge<replace_model<sound>>("who sees the new reference sees the new record", HOLDS);
    judge<replace_model<replaced_relaxed>>("the reference replaced relaxed", FAILS);
    judge<replace_model<reference_loaded_relaxed>>("the reference loaded relaxed", FAILS);
    return judge_end();
}
