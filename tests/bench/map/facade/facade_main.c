// SPDX-License-Identifier: Apache-2.0
//     facade crowd THREADS OPERATIONS NEW% | services | empty
#include "tests/bench/map/facade/facade.h"
#include "tests/bench/map/measure.h"
#include "tests/bench/report.h"
#include "tests/bench/sample.h"

#include <stdio.h>
#include <stdlib.h>

struct map *facade_map(void)
{
    const struct map_options options = {
        .shards = 64, .partitions = 16, .changefeed = 65536, .instance = 1};
    struct map *map = NULL;
    if (map_new(&options, &map) != ERR_OK) {
        report_give_up("no memory");
    }
    return map;
}

void facade_record(uint32_t instance, struct facade_record *ret_record)
{
    const struct sample_wish wish = {.kind = SAMPLE_REGISTRATION, .instance = instance};
    struct sample sample;
    sample_make(&wish, &sample);
    ret_record->key = sample.key;
    memcpy(ret_record->bytes, sample.value, sample.len);
    if (codec_value_parse(span_of(ret_record->bytes, sample.len), &ret_record->value) != ERR_OK) {
        report_give_up("a sample does not decode");
    }
}

void facade_empty(void)
{
    double before = measure_resident();
    struct map *map = facade_map();
    printf("empty map - %.0f\n", measure_resident() - before);
    map_free(map);
}

static unsigned number(int argc, char **argv, int i)
{
    unsigned long value = i < argc ? strtoul(argv[i], NULL, 10) : 0;
    if (value < 1 || value > 100000) {
        report_give_up("a number from 1 to 100000 is needed");
    }
    return (unsigned)value;
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    if (strcmp(what, "crowd") == 0) {
        facade_crowd(number(argc, argv, 2), number(argc, argv, 3), number(argc, argv, 4));
    } else if (strcmp(what, "services") == 0) {
        facade_services();
    } else if (strcmp(what, "empty") == 0) {
        facade_empty();
    } else {
        report_give_up("facade crowd THREADS OPERATIONS NEW% | services | empty");
    }
    return 0;
}
