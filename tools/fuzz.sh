#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds each tests/fuzz/fuzz_X.c with clang's libFuzzer and runs it for FUZZ_SECONDS (30) on its kept corpus,
# two at a time.  What it finds on its way stays in build/fuzz; a finding is left there as X-crash-*.
#
#   fuzz.sh               all of them
#   fuzz.sh X             one
#   fuzz.sh --provide     only makes sure that there is a clang with libFuzzer; fails when there is none
set -eu
cd "$(dirname "$0")/.."
seconds=${FUZZ_SECONDS:-30}
out=build/fuzz
mkdir -p "$out"
libs=$(pkg-config --cflags --libs hiredis libcjson openssl libevent_core libevent_openssl libevent_pthreads yaml-0.1 libcurl)

# What a target needs beside base.
sources() {
    case $1 in
    codec) echo localmap/model/*.c ;;
    resp) echo stream/redis/resp.c stream/redis/resp_tree.c stream/redis/redis_reply.c ;;
    esac
}

build() {
    # shellcheck disable=SC2046,SC2086  # lists of words
    clang -std=c11 -D_GNU_SOURCE -O1 -g -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined \
        -DMESHPULSE_VERSION='"fuzz"' -I. -isystem build/llhttp -o "$out/$1" "tests/fuzz/fuzz_$1.c" \
        $(sources "$1") base/*.c build/llhttp/llhttp.a $libs -lpthread -lm
}

run() {
    mkdir -p "$out/corpus-$1"
    "$out/$1" -max_total_time="$seconds" -max_len=4096 -timeout=10 -rss_limit_mb=1024 -print_final_stats=1 \
        -artifact_prefix="$out/$1-" "$out/corpus-$1" "tests/fuzz/corpus/$1" >"$out/$1.log" 2>&1 ||
        { tail -n 30 "$out/$1.log" >&2; echo "fuzz: $1: a finding, see $out/$1-*" >&2; return 1; }
    echo "fuzz: $1: $(sed -n 's/^stat::number_of_executed_units: *//p' "$out/$1.log") inputs in $seconds s"
}

one() { build "$1" && run "$1"; }

# Only fuzzing needs clang and its run-time libraries, so tools/packages.txt does not name them.
has_libfuzzer() {
    echo 'int LLVMFuzzerTestOneInput(const char *data, long len) { return data == 0 && len > 0; }' |
        clang -x c -fsanitize=fuzzer,address,undefined -o "$out/probe" - 2>"$out/probe.log"
}

provide() {
    has_libfuzzer && return 0
    command -v apt-get >/dev/null && tools/apt.sh clang libclang-rt-dev && has_libfuzzer
}

if [ "${1:-}" = --provide ]; then
    provide
elif [ $# -gt 0 ]; then
    one "$1"
else
    for source in tests/fuzz/fuzz_*.c; do
        name=${source#tests/fuzz/fuzz_}
        echo "${name%.c}"
    done | xargs -P 2 -n 1 "$0"
fi
