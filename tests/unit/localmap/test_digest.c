// SPDX-License-Identifier: Apache-2.0
// A digest is the count and the sum of what was added and not taken away, mod 2^48.
#include "localmap/digest.h"
#include "tests/lib/failalloc.h"
#include "tests/lib/suite.h"

TEST(what_comes_and_goes_adds_up)
{
    struct digest *digest = NULL;
    const uint64_t a = 5;
    const uint64_t b = CODEC_HASH_MASK;
    CHECK_OK(digest_new(2, &digest));
    digest_move(digest, 0, NULL, &a);
    digest_move(digest, 0, NULL, &b);
    digest_move(digest, 1, NULL, NULL);
    CHECK_UEQ(digest_get(digest, 0).count, 2);
    CHECK_UEQ(digest_get(digest, 0).sum, 4); // 5 - 1 mod 2^48
    CHECK_UEQ(digest_get(digest, 1).count, 0);
    digest_move(digest, 0, &a, &b);
    CHECK_UEQ(digest_get(digest, 0).sum, CODEC_HASH_MASK - 1);
    digest_move(digest, 0, &b, NULL);
    digest_move(digest, 0, &b, NULL);
    CHECK_UEQ(digest_get(digest, 0).count, 0);
    CHECK_UEQ(digest_get(digest, 0).sum, 0);
    digest_free(digest);
}

TEST(there_is_at_least_one_partition)
{
    struct digest *digest = NULL;
    CHECK_EQ(digest_new(0, &digest), ERR_INVALID);
    CHECK_EQ(digest_new(DIGEST_PARTITIONS_MAX + 1, &digest), ERR_INVALID);
    digest_free(NULL);
}

static bool walk(void *arg)
{
    struct digest *digest = NULL;
    (void)arg;
    enum err err = digest_new(16, &digest);
    digest_free(digest);
    return err == ERR_OK;
}

TEST(every_allocation_may_fail)
{
    CHECK_INT(failalloc_each(walk, NULL), eq, 2);
}

SUITE("localmap/digest", T(what_comes_and_goes_adds_up), T(there_is_at_least_one_partition),
      T(every_allocation_may_fail));
