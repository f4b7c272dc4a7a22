// SPDX-License-Identifier: Apache-2.0
// Against the published vectors of FIPS 180-4 and RFC 4231.
#include "base/crypto.h"
#include "base/text.h"
#include "tests/lib/suite.h"

TEST(sha256_gives_the_published_digests)
{
    static const struct {
        const char *text, *hex;
    } rows[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char hex[2 * CRYPTO_SHA256_LEN + 1];
        CHECK_OK(crypto_sha256_hex(span_str(rows[i].text), hex));
        CHECK_STR(hex, rows[i].hex);
    }
}

static void check_mac(struct span key, struct span data, const char *expect)
{
    uint8_t mac[CRYPTO_SHA256_LEN];
    char hex[2 * CRYPTO_SHA256_LEN + 1];
    CHECK_OK(crypto_hmac_sha256(key, data, mac));
    hex[text_hex_format(mac, sizeof(mac), hex)] = 0;
    CHECK_STR(hex, expect);
}

TEST(hmac_gives_the_published_codes)
{
    check_mac(SPAN_LIT("Jefe"), SPAN_LIT("what do ya want for nothing?"),
              "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    check_mac(SPAN_NONE, SPAN_NONE,
              "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

TEST(equality_looks_at_every_byte)
{
    CHECK(crypto_equal(SPAN_LIT("secret"), SPAN_LIT("secret")));
    CHECK(crypto_equal(SPAN_NONE, SPAN_LIT("")));
    CHECK(!crypto_equal(SPAN_LIT("secret"), SPAN_LIT("Secret")));
    CHECK(!crypto_equal(SPAN_LIT("secret"), SPAN_LIT("secreT")));
    CHECK(!crypto_equal(SPAN_LIT("secret"), SPAN_LIT("secre")));
    CHECK(!crypto_equal(SPAN_LIT("a\0b"), SPAN_LIT("a\0c")));
}

SUITE("base/crypto", T(sha256_gives_the_published_digests), T(hmac_gives_the_published_codes),
      T(equality_looks_at_every_byte));
