// SPDX-License-Identifier: Apache-2.0
#include "replicator/core/voices.h"

#include "replicator/core/assign.h"

static struct span observer_of(const struct voice *voice)
{
    return span_of(voice->names, voice->observer_len);
}

static struct span via_of(const struct voice *voice)
{
    return span_of(voice->names + voice->observer_len, voice->via_len);
}

static size_t size_of(size_t observer_len, size_t via_len)
{
    return sizeof(struct voice) + observer_len + via_len;
}

// The link that leads to the observer's voice, or to where it would stand.
static struct voice **place_of(struct instance *instance, struct span observer)
{
    struct voice **link = &instance->voices;
    while (*link != NULL && span_cmp(observer_of(*link), observer) < 0) {
        link = &(*link)->next;
    }
    return link;
}

static void take_out(struct core *core, struct voice **link)
{
    struct voice *voice = *link;
    *link = voice->next;
    arena_give(&core->arena, voice, size_of(voice->observer_len, voice->via_len));
}

static void say(struct voice *voice, const struct observation *observation)
{
    voice->status = observation->status;
    voice->reason = observation->reason;
    voice->vantage = observation->vantage;
}

bool voices_set(struct core *core, struct instance *instance, struct span observer,
                const struct observation *observation)
{
    struct voice **link = place_of(instance, observer);
    bool there = *link != NULL && span_eq(observer_of(*link), observer);
    if (there && observation != NULL && span_eq(via_of(*link), observation->via)) {
        say(*link, observation);
        return true;
    }
    if (there) {
        take_out(core, link);
    }
    if (observation == NULL) {
        return true;
    }
    struct voice *voice = arena_take(&core->arena, size_of(observer.len, observation->via.len));
    if (voice == NULL) {
        return false;
    }
    voice->observer_len = (uint32_t)observer.len;
    voice->via_len = (uint32_t)observation->via.len;
    memcpy(voice->names, observer.ptr, observer.len);
    if (observation->via.len > 0) {
        memcpy(voice->names + observer.len, observation->via.ptr, observation->via.len);
    }
    say(voice, observation);
    voice->next = *link;
    *link = voice;
    return true;
}

size_t voices_inputs(struct core *core, const struct instance *instance)
{
    size_t count = 0;
    for (const struct voice *voice = instance->voices; voice != NULL && count < HEALTH_INPUTS_MAX;
         voice = voice->next) {
        struct observation *observation = &core->observations[count];
        observation->status = voice->status;
        observation->reason = voice->reason;
        observation->vantage = voice->vantage;
        observation->via = via_of(voice);
        core->inputs[count] =
            (struct health_input){observation, assign_has_voice(core, instance, observation)};
        count++;
    }
    return count;
}
