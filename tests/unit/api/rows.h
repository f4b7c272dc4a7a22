// SPDX-License-Identifier: Apache-2.0
// Tables of requests: each row is asked of a fresh fake daemon that holds
//
//     default: pay {pay-1 (UNHEALTHY by node a), pay-2}, outbound|80||pay.svc {x/1}     acme: pay {acme-1}
//     nodes: a (up, self), b (down)          pay-1 has version 1-00a1b2c3d4e5f601
//
// and must be answered with `status` and a body or header that holds `has` and lacks `lacks`.
#pragma once

#include "tests/unit/api/fake.h"

#define ROWS_PAY_1 "/v1/services/pay/instances/pay-1"
#define ROWS_ETAG "\"1-00a1b2c3d4e5f601\""

struct row {
    const char *method;
    const char *target;
    const char *headers; // see struct fake_request
    const char *body;
    unsigned status;
    const char *has;   // in "headers \n body"; NULL: anything
    const char *lacks; // NULL: nothing
};

// Changes the fake before the request; may be NULL.
typedef void (*rows_setup_fn)(struct fake *fake);

void rows_run(const struct row *rows, size_t count, rows_setup_fn setup);

#define ROWS_RUN(rows, setup) rows_run(rows, sizeof(rows) / sizeof((rows)[0]), setup)

// A fake with what is drawn above.
struct fake *rows_fake(void);
