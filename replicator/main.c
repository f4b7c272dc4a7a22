// SPDX-License-Identifier: Apache-2.0
// meshpulse: one program.  The commands that speak to a daemon are done by the client (admin-api/ctl); what
// runs in this process is started here.
#include "admin-api/ctl/ctl.h"
#include "base/assert.h"
#include "replicator/demo/demo.h"
#include "replicator/serve.h"

#include <signal.h>

int main(int argc, char *argv[])
{
    struct arguments arguments;
    int exit = CTL_OK;
    // A reader that went away is an error of its stream, not the end of the program.
    (void)signal(SIGPIPE, SIG_IGN);
    if (ctl_run(argc, argv, &arguments, &exit)) {
        return exit;
    }
    if (arguments.command->id == COMMAND_SERVE) {
        return serve_run(&arguments);
    }
    if (arguments.command->id == COMMAND_CHECK_CONFIG) {
        return check_config_run(&arguments);
    }
    ASSERT(arguments.command->id == COMMAND_DEMO);
    return demo_run(&arguments);
}
