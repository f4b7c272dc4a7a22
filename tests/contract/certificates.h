// SPDX-License-Identifier: Apache-2.0
// Certificates for the tests, made anew in a directory of their own: a CA, a server for "server.test" and
// 127.0.0.1, the same as it was until an hour ago, a client called "ops", and a server of another CA.
#pragma once

struct certificates {
    char dir[32];
    char ca[64], server[64], expired[64], client[64],
        stranger[64]; // PEM; key and certificate in one
};

// Ends the test program when it cannot.
void certificates_make(struct certificates *certificates);
void certificates_remove(const struct certificates *certificates);
