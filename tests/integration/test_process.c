// SPDX-License-Identifier: Apache-2.0
// Starts real shells and ends them.
#include "replicator/demo/place.h"
#include "replicator/demo/process.h"
#include "tests/lib/suite.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct process shell(const struct place *place, const char *script)
{
    char program[] = "sh", option[] = "-c", text[256], output[PLACE_PATH_MAX + 32];
    (void)snprintf(text, sizeof(text), "%s", script);
    place_name(place, "out", output, sizeof(output));
    char *arguments[] = {program, option, text, NULL};
    struct process_options options = {"/bin/sh", arguments, output};
    struct process process = {0};
    CHECK_OK(process_start(&process, &options));
    CHECK(process.pid > 0);
    return process;
}

static int wait_for(struct process *process)
{
    int status = -1;
    for (int tried = 0; tried < 1000 && !process_reap(process, &status); tried++) {
        (void)poll(NULL, 0, 10);
    }
    CHECK_EQ(process->pid, 0);
    return status;
}

TEST(an_end_is_told_with_its_cause)
{
    struct place place;
    char text[64];
    CHECK_OK(place_new(&place));
    struct process process = shell(&place, "exit 3");
    process_describe(wait_for(&process), text, sizeof(text));
    CHECK_STR(text, "exited with 3");
    process = shell(&place, "kill -9 $$");
    process_describe(wait_for(&process), text, sizeof(text));
    CHECK_STR(text, "was killed by signal 9");
    place_remove(&place);
}

// Until it has said so.
static void wait_for_output(const struct place *place, const char *wanted)
{
    char path[PLACE_PATH_MAX + 32], text[64] = "";
    place_name(place, "out", path, sizeof(path));
    for (int tried = 0; tried < 3000 && strcmp(text, wanted) != 0; tried++) {
        (void)poll(NULL, 0, 10);
        FILE *file = fopen(path, "r");
        CHECK(file != NULL);
        text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
        (void)fclose(file);
    }
    CHECK_STR(text, wanted);
}

static int told_fd;

static void tell(int number)
{
    char byte = (char)number;
    ssize_t written = write(told_fd, &byte, 1);
    (void)written;
}

TEST(a_signal_before_exec_is_the_childs_alone)
{
    struct place place;
    int fds[2];
    CHECK_OK(place_new(&place));
    CHECK_EQ(pipe(fds), 0);
    told_fd = fds[1];
    void (*const before)(int) = signal(SIGTERM, tell);
    for (int i = 0; i < 50; i++) {
        struct process process = shell(&place, "exec sleep 60");
        struct process *const processes[] = {&process};
        process_stop_all(processes, 1, 100); // most probably not yet a shell
    }
    (void)signal(SIGTERM, before);
    CHECK_EQ(close(fds[1]), 0);
    char byte = 0;
    CHECK_EQ(read(fds[0], &byte, 1), 0);
    CHECK_EQ(close(fds[0]), 0);
    place_remove(&place);
}

TEST(a_process_that_ignores_sigterm_is_killed)
{
    struct place place;
    CHECK_OK(place_new(&place));
    struct process deaf = shell(&place, "trap '' TERM; echo deaf; while :; do sleep 1; done");
    struct process polite = shell(&place, "exec sleep 60");
    pid_t pids[] = {deaf.pid, polite.pid};
    struct process *const processes[] = {&deaf, &polite};
    wait_for_output(&place, "deaf\n"); // the trap is set, else the test would prove less
    process_stop_all(processes, 2, 200);
    CHECK_EQ(kill(pids[0], 0), -1);
    CHECK_EQ(kill(pids[1], 0), -1);
    place_remove(&place);
}

TEST(what_cannot_be_executed_ends_with_127)
{
    struct place place;
    char output[PLACE_PATH_MAX + 32], text[64];
    CHECK_OK(place_new(&place));
    place_name(&place, "out", output, sizeof(output));
    char program[] = "nothing";
    char *arguments[] = {program, NULL};
    struct process_options options = {"/nonexistent", arguments, output};
    struct process process = {0};
    CHECK_OK(process_start(&process, &options));
    process_describe(wait_for(&process), text, sizeof(text));
    CHECK_STR(text, "exited with 127");
    place_remove(&place);
}

TEST(a_place_is_removed_with_all_that_is_in_it)
{
    struct place place;
    char path[PLACE_PATH_MAX + 32];
    struct stat status;
    CHECK_OK(place_new(&place));
    CHECK_OK(place_write(&place, "a", "text"));
    place_name(&place, "link", path, sizeof(path));
    CHECK_EQ(symlink("/etc/hostname", path), 0);
    place_name(&place, "folder", path, sizeof(path));
    CHECK_EQ(mkdir(path, 0700), 0);
    CHECK_OK(place_write(&place, "folder/b", "text"));
    place_remove(&place);
    CHECK_EQ(lstat(place.path, &status), -1);
    CHECK_EQ(stat("/etc/hostname", &status), 0);
}

SUITE("demo/process", T(an_end_is_told_with_its_cause), T(a_signal_before_exec_is_the_childs_alone),
      T(a_process_that_ignores_sigterm_is_killed), T(what_cannot_be_executed_ends_with_127),
      T(a_place_is_removed_with_all_that_is_in_it));
