// SPDX-License-Identifier: Apache-2.0
#include "replicator/demo/process.h"

#include "base/assert.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define POLL_MS 10

// Until exec the handlers are the parent's, with its descriptors: a signal for the child would tell the parent.
// What is ignored stays ignored, also across exec.
static void drop_handlers(void)
{
    struct sigaction action;
    for (int number = 1; number < NSIG; number++) {
        if (sigaction(number, NULL, &action) == 0 && action.sa_handler != SIG_IGN &&
            action.sa_handler != SIG_DFL) {
            (void)signal(number, SIG_DFL);
        }
    }
}

// In the new process, with all signals blocked; async-signal-safe calls only.
static _Noreturn void become(const struct process_options *options, int output_fd, pid_t parent)
{
    // The parent may be gone already, then nobody would send the signal.
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent) {
        _exit(127);
    }
    (void)setpgid(0, 0);
    drop_handlers();
    (void)signal(SIGPIPE, SIG_DFL);
    sigset_t none;
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    int null_fd = open("/dev/null", O_RDONLY);
    if (dup2(null_fd, STDIN_FILENO) < 0 || dup2(output_fd, STDOUT_FILENO) < 0 ||
        dup2(output_fd, STDERR_FILENO) < 0) {
        _exit(127);
    }
    (void)close_range(STDERR_FILENO + 1, ~0U, 0);
    (void)execv(options->program, options->arguments);
    _exit(127);
}

enum err process_start(struct process *process, const struct process_options *options)
{
    ASSERT(process->pid == 0);
    int output_fd = open(options->output_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (output_fd < 0) {
        return ERR_IO;
    }
    sigset_t all;
    sigset_t before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid == 0) {
        become(options, output_fd, parent);
    }
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)close(output_fd);
    if (pid < 0) {
        return ERR_IO;
    }
    process->pid = pid;
    return ERR_OK;
}

bool process_reap(struct process *process, int *ret_status)
{
    int status = 0;
    if (process->pid == 0 || waitpid(process->pid, &status, WNOHANG) != process->pid) {
        return false;
    }
    process->pid = 0;
    *ret_status = status;
    return true;
}

static void signal_all(struct process *const processes[], size_t count, int signal)
{
    for (size_t i = 0; i < count; i++) {
        if (processes[i]->pid != 0) {
            (void)kill(processes[i]->pid, signal);
        }
    }
}

static size_t running_count(struct process *const processes[], size_t count)
{
    size_t running = 0;
    for (size_t i = 0; i < count; i++) {
        int status;
        running += processes[i]->pid != 0 && !process_reap(processes[i], &status);
    }
    return running;
}

void process_stop_all(struct process *const processes[], size_t count, int grace_ms)
{
    signal_all(processes, count, SIGTERM);
    for (int waited = 0; running_count(processes, count) > 0; waited += POLL_MS) {
        // A stopped process takes only SIGKILL; nothing survives that, so this loop ends.
        if (waited >= grace_ms) {
            signal_all(processes, count, SIGKILL);
        }
        (void)poll(NULL, 0, POLL_MS);
    }
}

void process_describe(int status, char *ret_text, size_t cap)
{
    if (WIFSIGNALED(status)) {
        (void)snprintf(ret_text, cap, "was killed by signal %d", WTERMSIG(status));
    } else {
        (void)snprintf(ret_text, cap, "exited with %d", WEXITSTATUS(status));
    }
}
