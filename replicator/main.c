// SPDX-License-Identifier: Apache-2.0
// meshpulse: one program.  The commands that speak to a daemon are done by the client (admin-api/ctl); what
// runs in this process is started here.
#include "admin-api/ctl/ctl.h"
#include "base/assert.h"
#include "replicator/demo/demo.h"
#include "replicator/forget.h"
#include "replicator/serve.h"
#include "replicator/share.h"

#include <signal.h>

typedef int (*run_fn)(const struct arguments *arguments);

static const run_fn runs[COMMAND_COUNT] = {
    [COMMAND_SERVE] = serve_run,
    [COMMAND_DEMO] = demo_run,
    [COMMAND_CHECK_CONFIG] = check_config_run,
    [COMMAND_FORGET] = forget_run,
    [COMMAND_COMPLETION] = share_completion_run,
    [COMMAND_MAN] = share_man_run,
};

int main(int argc, char *argv[])
{
    struct arguments arguments;
    int exit = CTL_OK;
    // A reader that went away is an error of its stream, not the end of the program.
    (void)signal(SIGPIPE, SIG_IGN);
    if (ctl_run(argc, argv, &arguments, &exit)) {
        return exit;
    }
    run_fn run = runs[arguments.command->id];
    ASSERT(run != NULL);
    return run(&arguments);
}
