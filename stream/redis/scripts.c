// SPDX-License-Identifier: Apache-2.0
#include "stream/redis/scripts.h"

const struct scripts_row scripts_rows[SCRIPTS_COUNT] = {
#define SCRIPTS_ROW(name, key_count, text) [SCRIPTS_##name] = {#name, key_count, text},
#include "stream/redis/scripts.def"
#undef SCRIPTS_ROW
};
