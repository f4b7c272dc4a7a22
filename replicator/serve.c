// SPDX-License-Identifier: Apache-2.0
#include "replicator/serve.h"

#include "admin-api/ctl/ctl.h"
#include "replicator/config.h"
#include "replicator/daemon.h"

#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#define PRINT_LEN_MAX (4u << 20)

static void tell(const struct buf *lines)
{
    if (lines->len > 0) {
        (void)fwrite(lines->ptr, 1, lines->len, stderr);
    }
}

static int load(const struct config_options *options, struct config **ret_config)
{
    struct config_report report;
    config_report_init(&report);
    enum err err = config_load(options, ret_config, &report);
    tell(&report.warnings);
    tell(&report.errors);
    if (err != ERR_OK && report.error_count == 0) {
        fprintf(stderr, "meshpulse: configuration: %s\n", err_text(err));
    }
    config_report_fini(&report);
    return err == ERR_OK ? CTL_OK : CTL_CONFIG;
}

static int print(const struct config *config)
{
    struct buf out;
    buf_init(&out, PRINT_LEN_MAX);
    config_print(config, &out);
    bool whole = out.err == ERR_OK && fwrite(buf_cstr(&out), 1, out.len, stdout) == out.len &&
                 fflush(stdout) == 0;
    buf_fini(&out);
    return whole ? CTL_OK : CTL_FAILED;
}

// A daemon holds a descriptor for each watcher and each probe in flight; the soft limit of a shell is for
// programs that use select().
static void raise_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static bool has_secrets(const struct config *config)
{
    return config->stream_password_file[0] != '\0' || config->stream_key_file[0] != '\0' ||
           config->admin_tls_key_file[0] != '\0' || config->admin_tokens_file[0] != '\0';
}

int serve_load(const struct arguments *arguments, const char *last_set, struct config **ret_config)
{
    const char *sets[ARGUMENTS_GIVEN_MAX + 1];
    struct config_options options = {.file = arguments_value(arguments, OPTION_CONFIG),
                                     .environment = (const char *const *)environ,
                                     .sets = sets};
    for (size_t i = 0; i < arguments->given_count; i++) {
        if (arguments->given[i].id == OPTION_SET) {
            sets[options.set_count++] = arguments->given[i].value;
        }
    }
    if (last_set != NULL) {
        sets[options.set_count++] = last_set;
    }
    return load(&options, ret_config);
}

int serve_run(const struct arguments *arguments)
{
    struct config *config = NULL;
    int exit = serve_load(arguments, NULL, &config);
    if (exit != CTL_OK) {
        return exit;
    }
    if (arguments_has(arguments, OPTION_PRINT_CONFIG)) {
        exit = print(config);
    } else {
        raise_descriptors();
        if (has_secrets(config)) {
            (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); // keys do not go into a core file
        }
        exit = daemon_run(config);
    }
    config_free(config);
    return exit;
}

int check_config_run(const struct arguments *arguments)
{
    const struct config_options options = {.file = arguments->operands[0]};
    struct config *config = NULL;
    int exit = load(&options, &config);
    if (exit == CTL_OK) {
        config_free(config);
    }
    return exit;
}
