// SPDX-License-Identifier: Apache-2.0
// IP literals as a table, judged by inet_pton(3) as well: what we accept, it accepts; of texts made of the
// right letters at random too.
#include "base/random.h"
#include "localmap/model/ip.h"
#include "tests/lib/suite.h"

#include <arpa/inet.h>

static bool pton_takes(struct span text)
{
    char terminated[64];
    unsigned char bytes[16];
    if (text.len >= sizeof(terminated)) {
        return false;
    }
    memcpy(terminated, text.ptr, text.len);
    terminated[text.len] = '\0';
    return inet_pton(AF_INET, terminated, bytes) == 1 ||
           inet_pton(AF_INET6, terminated, bytes) == 1;
}

TEST(an_address_is_known_by_its_form)
{
    static const struct {
        const char *text;
        bool good;
    } rows[] = {
        {"127.0.0.1", true},
        {"0.0.0.0", true},
        {"255.255.255.255", true},
        {"::", true},
        {"::1", true},
        {"1::", true},
        {"2001:db8::1:2", true},
        {"1:2:3:4:5:6:7:8", true},
        {"FE80::aBcD", true},
        {"::ffff:1.2.3.4", true},
        {"1:2:3:4:5:6:1.2.3.4", true},
        {"1:2:3:4:5:6:7::", true},
        {"", false},
        {"localhost", false},
        {"1.2.3", false},
        {"1.2.3.4.5", false},
        {"1.2.3.256", false},
        {"1.2.3.04", false},
        {"1.2.3.4 ", false},
        {".1.2.3", false},
        {"1:2:3:4:5:6:7", false},
        {"1:2:3:4:5:6:7:8:9", false},
        {"1:2:3:4::5:6:7:8", false},
        {"1::2::3", false},
        {":::", false},
        {":1", false},
        {"1:", false},
        {"12345::", false},
        {"g::", false},
        {"fe80::1%eth0", false},
        {"[::1]", false},
        {"1.2.3.4::", false},
        {"::1.2.3.4:5", false},
        {"1:2:3:4:5:6:7:1.2.3.4", false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ck_assert_msg(ip_is_literal(span_str(rows[i].text)) == rows[i].good, "%s", rows[i].text);
        ck_assert_msg(pton_takes(span_str(rows[i].text)) == rows[i].good, "%s", rows[i].text);
    }
}

TEST(the_c_library_agrees_about_random_texts)
{
    static const char letters[] = "0123456789abF::::....g";
    struct random random;
    random_seed(&random, 3);
    for (size_t i = 0; i < 200000; i++) {
        char text[24];
        size_t len = (size_t)random_below(&random, sizeof(text));
        for (size_t j = 0; j < len; j++) {
            text[j] = letters[random_below(&random, sizeof(letters) - 1)];
        }
        bool ours = ip_is_literal(span_of(text, len));
        ck_assert_msg(ours == pton_takes(span_of(text, len)), "%.*s", (int)len, text);
    }
}

SUITE("localmap/model/ip", T(an_address_is_known_by_its_form),
      T(the_c_library_agrees_about_random_texts));
