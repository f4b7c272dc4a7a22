// SPDX-License-Identifier: Apache-2.0
// The certificates of the contract tests, here for test_renewal.c.
#include "tests/contract/certificates.c"
