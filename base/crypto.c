// SPDX-License-Identifier: Apache-2.0
#include "base/crypto.h"

#include "base/text.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

enum err crypto_sha256(struct span data, uint8_t ret_hash[CRYPTO_SHA256_LEN])
{
    unsigned len = 0;
    if (EVP_Digest(data.ptr, data.len, ret_hash, &len, EVP_sha256(), NULL) != 1) {
        return ERR_IO;
    }
    return len == CRYPTO_SHA256_LEN ? ERR_OK : ERR_IO;
}

enum err crypto_sha256_hex(struct span data, char ret_hex[2 * CRYPTO_SHA256_LEN + 1])
{
    uint8_t hash[CRYPTO_SHA256_LEN];
    enum err err = crypto_sha256(data, hash);
    if (err != ERR_OK) {
        return err;
    }
    ret_hex[text_hex_format(hash, sizeof(hash), ret_hex)] = 0;
    return ERR_OK;
}

enum err crypto_hmac_sha256(struct span key, struct span data, uint8_t ret_mac[CRYPTO_SHA256_LEN])
{
    // HMAC reads a NULL key as "go on with the one before".
    struct span named = key.len == 0 ? SPAN_LIT("") : key;
    unsigned len = 0;
    unsigned char mac[EVP_MAX_MD_SIZE];
    if (named.len > INT32_MAX ||
        HMAC(EVP_sha256(), named.ptr, (int)named.len, (const unsigned char *)data.ptr, data.len,
             mac, &len) == NULL) {
        return ERR_IO;
    }
    memcpy(ret_mac, mac, CRYPTO_SHA256_LEN);
    return len == CRYPTO_SHA256_LEN ? ERR_OK : ERR_IO;
}

bool crypto_equal(struct span a, struct span b)
{
    return a.len == b.len && (a.len == 0 || CRYPTO_memcmp(a.ptr, b.ptr, a.len) == 0);
}
