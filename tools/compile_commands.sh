#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Prints a compilation database: compile_commands.sh DIRECTORY COMMAND FILE...
set -eu
directory=$1
command=$(printf '%s' "$2" | sed 's/\\/\\\\/g; s/"/\\"/g')
shift 2
separator=[
for file in "$@"; do
    printf '%s\n{"directory": "%s", "file": "%s", "command": "%s -c %s"}' \
        "$separator" "$directory" "$file" "$command" "$file"
    separator=,
done
printf '\n]\n'
