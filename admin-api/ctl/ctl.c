// SPDX-License-Identifier: Apache-2.0
#include "admin-api/ctl/ctl.h"

#include "admin-api/ctl/run.h"
#include "admin-api/ctl/session.h"
#include "admin-api/ctl/token.h"
#include "admin-api/ctl/usage.h"
#include "base/assert.h"

#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

typedef int (*run_fn)(struct session *session);
typedef int (*local_fn)(const struct arguments *arguments);

static const run_fn runs[COMMAND_COUNT] = {
    [COMMAND_GET] = get_run,          [COMMAND_WATCH] = watch_run,
    [COMMAND_SET_INSTANCE] = set_run, [COMMAND_REPORT] = report_run,
    [COMMAND_DELETE] = delete_run,    [COMMAND_DRAIN] = drain_run,
    [COMMAND_UNDRAIN] = undrain_run,  [COMMAND_NODES] = nodes_run,
    [COMMAND_STATUS] = overview_run,  [COMMAND_TOP] = top_run,
};

int ctl_usage_error(const struct command *command, const char *format, ...)
{
    fprintf(stderr, "meshpulse: %s%s", command != NULL ? command->name : "",
            command != NULL ? ": " : "");
    va_list list;
    va_start(list, format);
    (void)vfprintf(stderr, format, list);
    va_end(list);
    fprintf(stderr, "\nmeshpulse: try: meshpulse %s%s--help\n",
            command != NULL ? command->name : "", command != NULL ? " " : "");
    return CTL_USAGE;
}

static int print_version(const struct arguments *arguments)
{
    const char *form = arguments_value(arguments, OPTION_OUTPUT);
    if (form != NULL && form[0] == 'j') {
        printf("{\"version\":\"%s\"}\n", MESHPULSE_VERSION);
    } else {
        printf("meshpulse %s\n", MESHPULSE_VERSION);
    }
    return CTL_OK;
}

static const local_fn locals[COMMAND_COUNT] = {
    [COMMAND_VERSION] = print_version,
    [COMMAND_TOKEN] = token_run,
};

static int run_local(const struct arguments *arguments)
{
    local_fn run = locals[arguments->command->id];
    ASSERT(run != NULL);
    return run(arguments);
}

static int run_client(const struct arguments *arguments)
{
    run_fn run = runs[arguments->command->id];
    ASSERT(run != NULL);
    struct session session;
    int exit = session_open(&session, arguments);
    if (exit == CTL_OK) {
        exit = run(&session);
        session_close(&session);
    }
    return exit;
}

// Output that was lost (a full disk) must not look like success.  Where the reader of a pipe went away
// there is nobody to tell.
static int finish(int exit)
{
    if (fflush(stdout) == 0 && ferror(stdout) == 0) {
        return exit;
    }
    struct stat status;
    if (fstat(STDOUT_FILENO, &status) != 0 || !S_ISFIFO(status.st_mode)) {
        fputs("meshpulse: the output could not be written\n", stderr);
    }
    return exit == CTL_OK ? CTL_FAILED : exit;
}

bool ctl_run(int argc, char *const argv[], struct arguments *ret_arguments, int *ret_exit)
{
    struct arguments_problem problem;
    if (arguments_parse(argc, argv, ret_arguments, &problem) != ERR_OK) {
        *ret_exit = ctl_usage_error(problem.command, "%s", problem.text);
        return true;
    }
    const struct command *command = ret_arguments->command;
    if (arguments_has(ret_arguments, OPTION_HELP)) {
        usage_print(stdout, command);
        *ret_exit = finish(CTL_OK);
        return true;
    }
    if (arguments_has(ret_arguments, OPTION_VERSION)) {
        *ret_exit = finish(print_version(ret_arguments));
        return true;
    }
    if (command->who == COMMAND_NODE) {
        return false;
    }
    bool local = command->who == COMMAND_LOCAL;
    *ret_exit = finish(local ? run_local(ret_arguments) : run_client(ret_arguments));
    return true;
}
