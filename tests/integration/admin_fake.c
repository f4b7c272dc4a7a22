// SPDX-License-Identifier: Apache-2.0
// The daemon of the unit tests of admin-api, here behind real sockets (test_admin_server.c).
#include "tests/unit/api/fake.c"
