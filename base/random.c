// SPDX-License-Identifier: Apache-2.0
#include "base/random.h"

#include "base/assert.h"

#include <errno.h>
#include <sys/random.h>

void random_bytes(void *ret_bytes, size_t len)
{
    char *next = ret_bytes;
    while (len > 0) {
        const ssize_t got = getrandom(next, len, 0);
        if (got < 0) {
            // Only a signal can stop it: the other errors are bad arguments and kernels before 3.17.
            ASSERT(errno == EINTR);
            continue;
        }
        next += got;
        len -= (size_t)got;
    }
}

uint64_t random_u64(void)
{
    uint64_t value;
    random_bytes(&value, sizeof(value));
    return value;
}

static uint64_t splitmix(uint64_t *seed)
{
    *seed += UINT64_C(0x9E3779B97F4A7C15);
    uint64_t z = *seed;
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

static uint64_t rotate(uint64_t x, unsigned bits)
{
    return (x << bits) | (x >> (64 - bits));
}

void random_seed(struct random *rng, uint64_t seed)
{
    for (unsigned i = 0; i < 4; i++) {
        rng->s[i] = splitmix(&seed);
    }
}

uint64_t random_next(struct random *rng)
{
    uint64_t *s = rng->s;
    const uint64_t result = rotate(s[1] * 5, 7) * 9;
    const uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return result;
}

uint64_t random_below(struct random *rng, uint64_t bound)
{
    ASSERT(bound > 0);
    // Draws again what would make the low values more likely: less than one time in two.
    const uint64_t refuse_below = -bound % bound;
    uint64_t value = random_next(rng);
    while (value < refuse_below) {
        value = random_next(rng);
    }
    return value % bound;
}

uint64_t random_jitter(struct random *rng, uint64_t value, uint32_t percent)
{
    ASSERT(percent <= 100 && value <= INT64_MAX);
    const uint64_t width = value / 100 * percent + value % 100 * percent / 100;
    return value - width + random_below(rng, 2 * width + 1);
}
