// SPDX-License-Identifier: Apache-2.0
// One map under one pthread_rwlock: what most programs begin with.
#define STRIPE_BITS 0
#include "tests/bench/map/peers/rwlock64.c"
