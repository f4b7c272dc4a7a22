// SPDX-License-Identifier: Apache-2.0
#include "tests/contract/certificates.h"

#include "base/assert.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct issued {
    X509 *cert;
    EVP_PKEY *key;
};

static void extend(X509 *cert, int nid, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
    ASSERT(extension != NULL && X509_add_ext(cert, extension, -1) == 1);
    X509_EXTENSION_free(extension);
}

// `ca` NULL: signs itself.  `names` NULL: a CA.  Valid from an hour ago on, for an hour more.
static struct issued issue(const char *common_name, const char *names, const struct issued *ca)
{
    struct issued made = {X509_new(), EVP_EC_gen("P-256")};
    ASSERT(made.cert != NULL && made.key != NULL);
    X509_set_version(made.cert, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(made.cert), names == NULL ? 1 : 2);
    X509_gmtime_adj(X509_getm_notBefore(made.cert), -3600);
    X509_gmtime_adj(X509_getm_notAfter(made.cert), 3600);
    X509_set_pubkey(made.cert, made.key);
    X509_NAME *name = X509_get_subject_name(made.cert);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)common_name, -1, -1,
                               0);
    X509_set_issuer_name(made.cert, ca == NULL ? name : X509_get_subject_name(ca->cert));
    extend(made.cert, NID_basic_constraints, names == NULL ? "critical,CA:TRUE" : "CA:FALSE");
    if (names != NULL && names[0] != 0) {
        extend(made.cert, NID_subject_alt_name, names);
    }
    ASSERT(X509_sign(made.cert, ca == NULL ? made.key : ca->key, EVP_sha256()) > 0);
    return made;
}

// As `issued` would have been two hours ago.
static void expire(const struct issued *issued, const struct issued *ca)
{
    X509_gmtime_adj(X509_getm_notBefore(issued->cert), -3L * 3600);
    X509_gmtime_adj(X509_getm_notAfter(issued->cert), -3600);
    ASSERT(X509_sign(issued->cert, ca->key, EVP_sha256()) > 0);
}

static void store(const char *path, const struct issued *issued)
{
    FILE *file = fopen(path, "w");
    ASSERT(file != NULL);
    ASSERT(PEM_write_X509(file, issued->cert) == 1);
    ASSERT(PEM_write_PrivateKey(file, issued->key, NULL, NULL, 0, NULL, NULL) == 1);
    ASSERT(fclose(file) == 0);
}

static void discard(struct issued *issued)
{
    X509_free(issued->cert);
    EVP_PKEY_free(issued->key);
}

void certificates_make(struct certificates *certificates)
{
    (void)snprintf(certificates->dir, sizeof(certificates->dir), "/tmp/mp-certs-XXXXXX");
    ASSERT(mkdtemp(certificates->dir) != NULL);
    (void)snprintf(certificates->ca, 64, "%s/ca.pem", certificates->dir);
    (void)snprintf(certificates->server, 64, "%s/server.pem", certificates->dir);
    (void)snprintf(certificates->expired, 64, "%s/expired.pem", certificates->dir);
    (void)snprintf(certificates->client, 64, "%s/client.pem", certificates->dir);
    (void)snprintf(certificates->stranger, 64, "%s/stranger.pem", certificates->dir);
    struct issued ca = issue("test CA", NULL, NULL);
    struct issued other = issue("another CA", NULL, NULL);
    struct issued server = issue("server.test", "DNS:server.test,IP:127.0.0.1", &ca);
    struct issued client = issue("ops", "", &ca);
    struct issued stranger = issue("server.test", "DNS:server.test,IP:127.0.0.1", &other);
    store(certificates->ca, &ca);
    store(certificates->server, &server);
    expire(&server, &ca);
    store(certificates->expired, &server);
    store(certificates->client, &client);
    store(certificates->stranger, &stranger);
    discard(&ca);
    discard(&other);
    discard(&server);
    discard(&client);
    discard(&stranger);
}

void certificates_remove(const struct certificates *certificates)
{
    (void)unlink(certificates->ca);
    (void)unlink(certificates->server);
    (void)unlink(certificates->expired);
    (void)unlink(certificates->client);
    (void)unlink(certificates->stranger);
    (void)rmdir(certificates->dir);
}
