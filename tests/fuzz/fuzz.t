#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Every parser of foreign bytes under libFuzzer for FUZZ_SECONDS (30), two at a time: `make fuzz`.
use strict;
use warnings;
use FindBin;
use Test::More;

chdir "$FindBin::Bin/../.." or die "chdir: $!";
plan skip_all => 'clang with libFuzzer is not installed' if system('tools/fuzz.sh --provide >&2') != 0;

my @targets = map { m{/fuzz_(\w+)\.c$} } glob 'tests/fuzz/fuzz_*.c';
my $said = qx(tools/fuzz.sh 2>&1);
for my $target (@targets) {
    ok($said =~ /^fuzz: $target: [1-9]\d* inputs in /m, "$target: nothing is found");
}
diag $said;
done_testing();
