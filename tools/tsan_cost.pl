#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# What ThreadSanitizer costs here: the size of the program, and the CPU time of tests that do the same amount
# of work in both builds.  The article that began this project says 2 times the size and 3 to 5 times the time.
#
#     tsan_cost.pl PLAIN SANITIZED TEST...       folders of two builds; tests relative to both
use strict;
use warnings;

my ($plain, $sanitized, @tests) = @ARGV;

# Bytes of code and data that are loaded.
sub program_bytes {
    my ($program) = @_;
    my (undef, $line) = `size $program`;
    my ($text, $data) = $line =~ /^\s*(\d+)\s+(\d+)/ or die "tsan_cost: size $program: $line\n";
    return $text + $data;
}

# CPU seconds of the fastest of three runs: others may be busy.
sub cpu_seconds {
    my ($program) = @_;
    my $best;
    local $ENV{CK_FORK} = 'no';
    for (1 .. 3) {
        my @before = times;
        system("$program >/dev/null") == 0 or die "tsan_cost: $program fails\n";
        my @after = times;
        my $seconds = $after[2] + $after[3] - $before[2] - $before[3];
        $best = $seconds if !defined $best || $seconds < $best;
    }
    return $best > 0.01 ? $best : 0.01; # the clock's step
}

my ($before, $after) = map { program_bytes("$_/meshpulse") } $plain, $sanitized;
printf "size of meshpulse: %.2f MB, sanitized %.2f MB: %.1f times (the article: 2)\n",
    $before / 1e6, $after / 1e6, $after / $before;
my ($seconds, $seconds_sanitized) = (0, 0);
for my $test (@tests) {
    my ($one, $other) = (cpu_seconds("$plain/$test"), cpu_seconds("$sanitized/$test"));
    printf "CPU of %s: %.2f s, sanitized %.2f s: %.1f times\n", $test =~ m{([^/]+)$}, $one, $other, $other / $one;
    $seconds += $one;
    $seconds_sanitized += $other;
}
printf "CPU of all of them: %.1f times (the article: 3 to 5)\n", $seconds_sanitized / $seconds;
