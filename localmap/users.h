// SPDX-License-Identifier: Apache-2.0
// Who reads or writes a map at present: a thread's name, and where in the sources it was made.
//
// Whoever frees a map must know that nobody is left; a worker that outlives its owner is the usual way in
// which that is wrong.  So each says that it has begun and that it is done, and who ends the map is told of
// the others by name.  Invariant: a ticket stands for one user until it is given back.
// Any thread; one mutex (rank 65), held for a copy.  Private to localmap.  Read next: map.h (map_close).
#pragma once

#include "localmap/map.h"

struct users;

enum err users_new(struct users **ret_users) MUST_USE; // ERR_NOMEM
void users_free(struct users *users);                  // accepts NULL; ASSERTs that nobody is left

uint32_t users_open(struct users *users, const char *name, const char *where);
void users_close(struct users *users, uint32_t ticket);
// Calls `tell` for each, with no lock held, and returns how many there are.
size_t users_tell(struct users *users, map_user_fn tell, void *arg);
size_t users_bytes(void);
