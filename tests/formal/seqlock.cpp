// SPDX-License-Identifier: Apache-2.0
// One record under its sequence (localmap/table/record.h): a writer makes two changes in place, a reader copies.
//
//     writer (record_open, record_set_value, record_close)      reader (record_try) 
//         seq   := odd      relaxed                                 s := seq        acquire, even
//         words := v        release, each                           c := words      acquire, each
//         seq   := even     release                                 seq = s         relaxed -> c is good
//
// What is good is one whole change, and not an older one than `s` names.
#include "tests/formal/model.hpp"

struct sound {
    static constexpr rl::memory_order open = rl::mo_relaxed;
    static constexpr rl::memory_order store = rl::mo_release;
    static constexpr rl::memory_order close = rl::mo_release;
    static constexpr rl::memory_order seq = rl::mo_acquire;
    static constexpr rl::memory_order load = rl::mo_acquire;
    static constexpr bool looks_again = true;
};

struct loads_relaxed : sound {
    static constexpr rl::memory_order load = rl::mo_relaxed;
};
struct stores_relaxed : sound {
    static constexpr rl::memory_order store = rl::mo_relaxed;
};
struct close_relaxed : sound {
    static constexpr rl::memory_order close = rl::mo_relaxed;
};
struct seq_relaxed : sound {
    static constexpr rl::memory_order seq = rl::mo_relaxed;
};
struct looks_once : sound {
    static constexpr bool looks_again = false;
};

#define WORDS 2
#define CHANGES 2

template <typename how> struct record_model : rl::test_suite<record_model<how>, 2> {
    word seq, words[WORDS];

    void before()
    {
        seq($).store(0, rl::mo_relaxed);
        for (unsigned i = 0; i < WORDS; i++) {
            words[i]($).store(0, rl::mo_relaxed);
        }
    }

    void write()
    {
        for (unsigned change = 1; change <= CHANGES; change++) {
            seq($).store(2 * change - 1, how::open);
            for (unsigned i = 0; i < WORDS; i++) {
                words[i]($).store(change, how::store);
            }
            seq($).store(2 * change, how::close);
        }
    }

    void read()
    {
        unsigned copy[WORDS];
        unsigned before = seq($).load(how::seq);
        if (before % 2 != 0) {
            return; // waits, then begins again
        }
        for (unsigned i = 0; i < WORDS; i++) {
            copy[i] = words[i]($).load(how::load);
        }
        if (how::looks_again && seq($).load(rl::mo_relaxed) != before) {
            return;
        }
        for (unsigned i = 0; i < WORDS; i++) {
            RL_ASSERT(copy[i] == before / 2);
        }
    }

    void thread(unsigned index)
    {
        index == 0 ? write() : read();
    }
};

int main()
{
    judge<record_model<sound>>("a copy that is taken is one whole change", HOLDS);
    judge<record_model<loads_relaxed>>("words loaded relaxed", FAILS);
    judge<record_model<stores_relaxed>>("words stored relaxed", FAILS);
    judge<record_model<close_relaxed>>("the even number stored relaxed", FAILS);
    judge<record_model<seq_relaxed>>("the first look at the number relaxed", FAILS);
    judge<record_model<looks_once>>("no second look at the number", FAILS);
    return judge_end();
}
