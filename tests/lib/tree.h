// SPDX-License-Identifier: Apache-2.0
// A folder of small files that stands in for one of the kernel's trees.  One at a time; aborts the test on
// failure.  One thread.
#pragma once

// *gives* the folder's path, good until tree_end.
const char *tree_begin(void);
void tree_end(void); // removes it with all that is in it

// Writes a file below it, folders on the way included.
void tree_lay(const char *path, const char *text);
void tree_take_away(const char *path);
// The whole path of a file below it, good until the next call; the folders on the way are made.
const char *tree_path(const char *path);
