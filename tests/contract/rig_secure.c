// SPDX-License-Identifier: Apache-2.0
// The backend "Redis behind all its locks": TLS with certificates on both sides, a user with the documented
// rights, a password in a file.  The tests' own commands go over the unix socket, as the default user.
#include "base/loop.h"
#include "tests/contract/certificates.h"
#include "tests/contract/rig.h"
#include "tests/lib/suite.h"

#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

struct rig_tls {
    struct certificates certificates;
    char port[16], url[64], password[128];
    const char *args[16];
};

unsigned rig_free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK_EQ(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    CHECK_EQ(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    close(fd);
    return ntohs(address.sin_port);
}

void rig_write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");
    CHECK(file != NULL);
    fputs(text, file);
    fclose(file);
}

static const char grant[] = "ACL SETUSER meshpulse reset on >SECRET ";

void rig_documented_rights(char *ret_rights, size_t cap)
{
    char line[1024] = "";
    FILE *file = fopen("docs/redis.md", "re");
    CHECK(file != NULL);
    while (strncmp(line, grant, sizeof(grant) - 1) != 0) {
        CHECK(fgets(line, sizeof(line), file) != NULL);
    }
    fclose(file);
    line[strcspn(line, "\n")] = '\0';
    snprintf(ret_rights, cap, "%s", line + sizeof(grant) - 1);
}

void rig_grant(struct rig *rig, const char *password)
{
    char rights[1024];
    char command[1200];
    rig_documented_rights(rights, sizeof(rights));
    snprintf(command, sizeof(command), "ACL SETUSER meshpulse reset on >%s %s", password, rights);
    rig_run(rig, command);
}

static void secure_open(struct rig *rig)
{
    struct rig_tls *tls = calloc(1, sizeof(*tls));
    CHECK(tls != NULL);
    const struct certificates *certificates = &tls->certificates;
    certificates_make(&tls->certificates);
    snprintf(tls->port, sizeof(tls->port), "%u", rig_free_port());
    snprintf(tls->url, sizeof(tls->url), "rediss://127.0.0.1:%s", tls->port);
    const char *const args[] = {"--tls-port",
                                tls->port,
                                "--bind",
                                "127.0.0.1",
                                "--tls-cert-file",
                                certificates->server,
                                "--tls-key-file",
                                certificates->server,
                                "--tls-ca-cert-file",
                                certificates->ca,
                                "--tls-auth-clients",
                                "yes"};
    memcpy((void *)tls->args, (const void *)args, sizeof(args));
    redis_server_start(&rig->redis, tls->args);
    CHECK_OK(loop_new(&rig->loop));
    snprintf(tls->password, sizeof(tls->password), "%s/password", rig->redis.dir);
    rig_grant(rig, "right");
    rig_write_file(tls->password, "right\n");
    rig->tls = tls;
    rig->url = tls->url;
    rig->user = "meshpulse";
    rig->password_file = tls->password;
    rig->ca_file = certificates->ca;
    rig->cert_file = certificates->client;
    rig->key_file = certificates->client;
}

static void secure_close(struct rig *rig)
{
    rig_redis.close(rig);
    certificates_remove(&rig->tls->certificates);
    free(rig->tls);
}

const struct rig_backend *rig_secure(void)
{
    static struct rig_backend secure;
    secure = rig_redis;
    secure.name = "redis over TLS, as a user with the documented rights";
    secure.open = secure_open;
    secure.close = secure_close;
    return &secure;
}
