// SPDX-License-Identifier: Apache-2.0
#include "localmap/users.h"

#include "base/assert.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

struct users {
    pthread_mutex_t lock; // rank 65; guards all below
    uint32_t beyond;      // those for whom there was no row
    struct map_user rows[MAP_USERS_MAX];
};

enum err users_new(struct users **ret_users)
{
    struct users *users = calloc(1, sizeof(*users));
    if (users == NULL || pthread_mutex_init(&users->lock, NULL) != 0) {
        free(users);
        return ERR_NOMEM;
    }
    *ret_users = users;
    return ERR_OK;
}

void users_free(struct users *users)
{
    if (users == NULL) {
        return;
    }
    ASSERT(users_tell(users, NULL, NULL) == 0);
    pthread_mutex_destroy(&users->lock);
    free(users);
}

uint32_t users_open(struct users *users, const char *name, const char *where)
{
    uint32_t ticket = MAP_USER_BEYOND;
    pthread_mutex_lock(&users->lock);
    for (uint32_t i = 0; i < MAP_USERS_MAX && ticket == MAP_USER_BEYOND; i++) {
        if (users->rows[i].where == NULL) {
            ticket = i;
        }
    }
    if (ticket == MAP_USER_BEYOND) {
        users->beyond++;
    } else {
        users->rows[ticket].where = where;
        (void)snprintf(users->rows[ticket].name, sizeof(users->rows[ticket].name), "%s", name);
    }
    pthread_mutex_unlock(&users->lock);
    return ticket;
}

void users_close(struct users *users, uint32_t ticket)
{
    pthread_mutex_lock(&users->lock);
    if (ticket == MAP_USER_BEYOND) {
        ASSERT(users->beyond > 0);
        users->beyond--;
    } else {
        ASSERT(ticket < MAP_USERS_MAX && users->rows[ticket].where != NULL);
        users->rows[ticket].where = NULL;
    }
    pthread_mutex_unlock(&users->lock);
}

// false: there is none at `ticket`.
static bool user_at(struct users *users, uint32_t ticket, struct map_user *ret_user)
{
    pthread_mutex_lock(&users->lock);
    *ret_user = users->rows[ticket];
    pthread_mutex_unlock(&users->lock);
    return ret_user->where != NULL;
}

static uint32_t beyond(struct users *users)
{
    pthread_mutex_lock(&users->lock);
    uint32_t count = users->beyond;
    pthread_mutex_unlock(&users->lock);
    return count;
}

size_t users_tell(struct users *users, map_user_fn tell, void *arg)
{
    size_t count = beyond(users);
    struct map_user user;
    for (uint32_t i = 0; i < MAP_USERS_MAX; i++) {
        if (user_at(users, i, &user)) {
            count++;
            if (tell != NULL) {
                tell(arg, &user);
            }
        }
    }
    return count;
}

size_t users_bytes(void)
{
    return sizeof(struct users);
}
