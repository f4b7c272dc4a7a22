// SPDX-License-Identifier: Apache-2.0
#include "localmap/table/index.h"

#include "base/assert.h"

// Release; pairs with the acquire in index_places: the reference was stored before.
static void set_tag(struct index_group *group, unsigned place, uint32_t tag)
{
    _Atomic uint64_t *word = &group->tags[place / 8];
    unsigned shift = 8 * (place % 8);
    uint64_t old = atomic_load_explicit(word, memory_order_relaxed);
    uint64_t cleared = old & ~(UINT64_C(255) << shift);
    atomic_store_explicit(word, cleared | (uint64_t)tag << shift, memory_order_release);
}

static uint64_t passed_bits(const struct index_group *group)
{
    return atomic_load_explicit(&group->tags[1], memory_order_relaxed) & UINT64_C(255) << 56;
}

void index_insert(struct index index, uint32_t hash, uint32_t ref)
{
    struct index_group *group = index_home(index, hash);
    for (uint32_t left = index.mask + 1; left > 0; left--) {
        uint32_t vacant = index_places(group, 0);
        if (vacant != 0) {
            unsigned place = (unsigned)__builtin_ctz(vacant);
            // Release; pairs with the acquire in index_ref, for who still sees an equal tag of before.
            atomic_store_explicit(&group->refs[place], ref, memory_order_release);
            set_tag(group, place, index_tag(hash));
            return;
        }
        // Release, and before the tag further on: who finds the tag missing here has seen the bit or comes
        // before the insert as a whole.  The lock is held: no other change is lost between load and store.
        uint64_t old = atomic_load_explicit(&group->tags[1], memory_order_relaxed);
        atomic_store_explicit(&group->tags[1], old | index_passed_bit(hash), memory_order_release);
        group = index_behind(index, group);
    }
    ASSERT(false); // the shard grows before its index is full
}

// Where `ref` stands.  NULL: nowhere.
static struct index_group *locate(struct index index, uint32_t hash, uint32_t ref,
                                  unsigned *ret_place)
{
    struct index_group *group = index_home(index, hash);
    for (uint32_t left = index.mask + 1; left > 0; left--) {
        for (uint32_t bits = index_places(group, index_tag(hash)); bits != 0; bits &= bits - 1) {
            *ret_place = (unsigned)__builtin_ctz(bits);
            if (atomic_load_explicit(&group->refs[*ret_place], memory_order_relaxed) == ref) {
                return group;
            }
        }
        if ((passed_bits(group) & index_passed_bit(hash)) == 0) {
            return NULL;
        }
        group = index_behind(index, group);
    }
    return NULL;
}

bool index_erase(struct index index, uint32_t hash, uint32_t ref)
{
    unsigned place = 0;
    struct index_group *group = locate(index, hash, ref, &place);
    if (group != NULL) {
        set_tag(group, place, 0);
    }
    return group != NULL;
}

bool index_replace(struct index index, uint32_t hash, uint32_t ref, uint32_t by)
{
    unsigned place = 0;
    struct index_group *group = locate(index, hash, ref, &place);
    if (group != NULL) {
        // Release; pairs with the acquire in index_ref: the record that `by` leads to is whole.
        atomic_store_explicit(&group->refs[place], by, memory_order_release);
    }
    return group != NULL;
}

unsigned index_group_refs(const struct index_group *group, uint32_t refs[INDEX_PLACES])
{
    unsigned count = 0;
    uint32_t used = ~index_places(group, 0) & ((1u << INDEX_PLACES) - 1);
    for (; used != 0; used &= used - 1) {
        unsigned place = (unsigned)__builtin_ctz(used);
        refs[count++] = atomic_load_explicit(&group->refs[place], memory_order_relaxed);
    }
    return count;
}

bool index_was_passed(const struct index_group *group)
{
    return passed_bits(group) != 0;
}
