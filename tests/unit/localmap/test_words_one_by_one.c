// SPDX-License-Identifier: Apache-2.0
// The portable way, which most machines here do not take by themselves.
#define WORDS_ONE_BY_ONE
#define SUITE_NAME "localmap/table/words, one by one"
// NOLINTBEGIN(bugprone-suspicious-include): the same rows, and the copy under test
#include "localmap/table/words.c"
#include "tests/unit/localmap/test_words.c"
// NOLINTEND(bugprone-suspicious-include)
