// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/sample.h"

#include "tests/bench/report.h"

#include <stdarg.h>
#include <stdio.h>

struct names {
    char service[32], instance[48], node[16], address[32], release[16];
};

static void name(const struct sample_wish *wish, struct names *ret_names)
{
    uint32_t service = wish->instance / SAMPLE_PER_SERVICE;
    uint32_t i = wish->instance;
    snprintf(ret_names->service, sizeof(ret_names->service), "checkout-%u", service);
    snprintf(ret_names->instance, sizeof(ret_names->instance), "checkout-%u-7d9f8c5b6d-%05x",
             service, i);
    snprintf(ret_names->node, sizeof(ret_names->node), "node-%u", wish->observer);
    snprintf(ret_names->address, sizeof(ret_names->address), "10.%u.%u.%u", i >> 16 & 255,
             i >> 8 & 255, i & 255);
    snprintf(ret_names->release, sizeof(ret_names->release), "1.4.%u", wish->turn % 100);
}

static void finish(const struct record *record, uint32_t turn, struct sample *sample)
{
    char body[SAMPLE_VALUE_MAX];
    size_t body_len = codec_body_write(record, body, sizeof(body));
    struct span key = key_span(&sample->key);
    struct version version = {turn + 1, version_writer(SPAN_LIT("node-0"), 1)};
    size_t len = body_len == 0 ? 0
                               : codec_value_write(key, version, span_of(body, body_len),
                                                   sample->value, sizeof(sample->value));
    if (len == 0) {
        report_give_up("a sample does not encode");
    }
    sample->len = (uint16_t)len;
}

static void make_registration(const struct names *names, const struct sample_wish *wish,
                              struct sample *sample)
{
    uint32_t port = 8080 + wish->instance % 10;
    uint32_t weight = 100 + wish->turn % 50;
    struct record record = {
        .kind = KEY_REGISTRATION,
        .registration = {.address = span_str(names->address),
                         .port = port,
                         .region = SPAN_LIT("eu-west-1"),
                         .zone = SPAN_LIT("eu-west-1a"),
                         .weight = weight,
                         .label_count = 2,
                         .labels = {{SPAN_LIT("release"), span_str(names->release)},
                                    {SPAN_LIT("track"), SPAN_LIT("stable")}},
                         .owner = span_str(names->node)}};
    char text[512];
    int len = snprintf(text, sizeof(text),
                       "address=%s port=%u region=eu-west-1 zone=eu-west-1a weight=%u "
                       "release=%s track=stable owner=%s",
                       names->address, port, weight, names->release, names->node);
    key_registration(SPAN_LIT("default"), span_str(names->service), span_str(names->instance),
                     &sample->key);
    sample->text_len = (uint32_t)len + sample->key.len;
    finish(&record, wish->turn, sample);
}

static void make_observation(const struct names *names, const struct sample_wish *wish,
                             struct sample *sample)
{
    bool good = wish->turn % 2 == 0;
    uint64_t latency_us = 800 + (wish->instance + wish->turn) % 700;
    int64_t since_ms = INT64_C(1764000000000) + wish->turn * 1000 + wish->instance;
    struct record record = {
        .kind = KEY_OBSERVATION,
        .observation = {.status = good ? STATUS_HEALTHY : STATUS_UNHEALTHY,
                        .reason = good ? REASON_CHECK_PASSED : REASON_CONNECT_REFUSED,
                        .latency_us = latency_us,
                        .vantage = VANTAGE_PEER,
                        .since_ms = since_ms,
                        .via = span_str(names->node)}};
    char text[256];
    int len = snprintf(
        text, sizeof(text), "status=%s reason=%s latency_us=%ju vantage=peer since_ms=%jd via=%s",
        status_name(record.observation.status), reason_word(record.observation.reason),
        (uintmax_t)latency_us, (intmax_t)since_ms, names->node);
    key_observation(SPAN_LIT("default"), span_str(names->service), span_str(names->instance),
                    span_str(names->node), &sample->key);
    sample->text_len = (uint32_t)len + sample->key.len;
    finish(&record, wish->turn, sample);
}

void sample_make(const struct sample_wish *wish, struct sample *ret_sample)
{
    struct names names;
    name(wish, &names);
    if (wish->kind == SAMPLE_REGISTRATION) {
        make_registration(&names, wish, ret_sample);
    } else {
        make_observation(&names, wish, ret_sample);
    }
}

void sample_node(uint32_t observer, struct sample *ret_sample)
{
    struct names names;
    const struct sample_wish wish = {.observer = observer};
    name(&wish, &names);
    struct record record = {.kind = KEY_NODE,
                            .node = {.incarnation = 1,
                                     .up = true,
                                     .zone = SPAN_LIT("eu-west-1a"),
                                     .release = SPAN_LIT("bench")}};
    key_node(span_str(names.node), &ret_sample->key);
    ret_sample->text_len = 0;
    finish(&record, 0, ret_sample);
}

void sample_expected(const struct sample *before, char ret_version[VERSION_LEN])
{
    memset(ret_version, 0, VERSION_LEN);
    if (before != NULL) {
        memcpy(ret_version, before->value, VERSION_LEN);
    }
}
