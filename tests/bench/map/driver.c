// SPDX-License-Identifier: Apache-2.0
// Measures the one map that it is linked with, as its words say: those of the command line, or else line by line
// those of stdin, so that map.pl can measure several maps in turns.
//
//     hash NAME  ops COUNT  open KEYS  use DIST  thru READ% THREADS  lat  many  chain  hashing  walk  sustain SECONDS
//     flood  grow KEYS
//
//     build/release-gcc/tests/bench/map/table open 100000 use zipf thru 100 2 thru 0 2 lat
#include "tests/bench/map/hashes.h"
#include "tests/bench/map/measure.h"
#include "tests/bench/report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

peer_hash_fn peer_hash;

#define ARGUMENTS_MAX 2
#define WORD_MAX 31

typedef void (*command_fn)(struct bench *bench, char *const *words);

static unsigned number(const char *word)
{
    char *end = NULL;
    unsigned long value = strtoul(word, &end, 10);
    if (end == word || *end != '\0' || value > WORKLOAD_KEYS_MAX) {
        report_give_up("a number from 0 to 10000000 is needed");
    }
    return (unsigned)value;
}

static void set_hash(struct bench *bench, char *const *words)
{
    peer_hash_fn hash = hashes_find(words[1]);
    if (hash == NULL || bench->keys > 0) {
        report_give_up("hash: xxh3, sip or fnv, before the map is opened");
    }
    peer_hash = hash;
    bench->hash = strdup(words[1]);
}

static void set_ops(struct bench *bench, char *const *words)
{
    unsigned ops = number(words[1]);
    bench->ops = ops > 0 && ops < WORKLOAD_OPS ? ops : WORKLOAD_OPS;
}

static void open_map(struct bench *bench, char *const *words)
{
    if (bench->keys > 0) {
        report_give_up("one map a program");
    }
    measure_open(bench, number(words[1]));
}

static void use(struct bench *bench, char *const *words)
{
    measure_use(bench, strdup(words[1]));
}

static void thru(struct bench *bench, char *const *words)
{
    measure_thru(bench, number(words[1]), number(words[2]));
}

static void lat(struct bench *bench, char *const *words)
{
    (void)words;
    measure_lat(bench);
}

static void many(struct bench *bench, char *const *words)
{
    (void)words;
    measure_many(bench);
}

static void chain(struct bench *bench, char *const *words)
{
    (void)words;
    measure_chain(bench);
}

static void hashing(struct bench *bench, char *const *words)
{
    (void)words;
    measure_hash(bench);
}

static void walk(struct bench *bench, char *const *words)
{
    (void)words;
    measure_walk(bench);
}

static void flood(struct bench *bench, char *const *words)
{
    (void)words;
    measure_flood(bench);
}

static void sustain(struct bench *bench, char *const *words)
{
    measure_sustain(bench, number(words[1]));
}

static void grow(struct bench *bench, char *const *words)
{
    if (bench->keys > 0) {
        report_give_up("grow: the map is open already");
    }
    measure_grow(bench, number(words[1]));
}

static const struct command {
    const char *name;
    size_t arguments;
    command_fn run;
    bool needs_ops;
} commands[] = {
    {"hash", 1, set_hash, false},  {"ops", 1, set_ops, false}, {"open", 1, open_map, false},
    {"use", 1, use, false},        {"grow", 1, grow, false},   {"thru", 2, thru, true},
    {"lat", 0, lat, true},         {"many", 0, many, true},    {"chain", 0, chain, true},
    {"hashing", 0, hashing, true}, {"walk", 0, walk, true},    {"sustain", 1, sustain, true},
    {"flood", 0, flood, true}};

static const struct command *command_find(const char *name)
{
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (strcmp(commands[i].name, name) == 0) {
            return &commands[i];
        }
    }
    return NULL;
}

// Runs one command and its arguments; returns how many words that were.
static size_t run(struct bench *bench, char *const *words, size_t count)
{
    const struct command *command = command_find(words[0]);
    if (command == NULL || count < 1 + command->arguments) {
        fprintf(stderr, "bench: %s: no such command, or too few words behind it\n", words[0]);
        exit(EXIT_FAILURE);
    }
    if (command->needs_ops && bench->dist == NULL) {
        report_give_up("say `open KEYS use DIST` first");
    }
    command->run(bench, words);
    fflush(stdout);
    return 1 + command->arguments;
}

static void run_line(struct bench *bench, char *line)
{
    char *words[1 + ARGUMENTS_MAX];
    size_t count = 0;
    char *rest = NULL;
    for (char *word = strtok_r(line, " \n", &rest); word != NULL && count < 1 + ARGUMENTS_MAX;
         word = strtok_r(NULL, " \n", &rest)) {
        words[count++] = word;
    }
    if (count > 0) {
        run(bench, words, count);
        printf(".\n"); // the end of the answer
        fflush(stdout);
    }
}

int main(int argc, char **argv)
{
    static struct bench bench = {.hash = "xxh3", .ops = WORKLOAD_OPS};
    peer_hash = hashes_find(bench.hash);
    if (argc > 1) {
        for (int i = 1; i < argc;) {
            i += (int)run(&bench, &argv[i], (size_t)(argc - i));
        }
    } else {
        char line[256];
        while (fgets(line, sizeof(line), stdin) != NULL) {
            run_line(&bench, line);
        }
    }
    uint64_t wrong = atomic_load_explicit(&bench.wrong, memory_order_relaxed);
    if (wrong > 0) {
        fprintf(stderr, "bench: %s: %llu values missing or torn\n", peer_name,
                (unsigned long long)wrong);
    }
    return wrong > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
