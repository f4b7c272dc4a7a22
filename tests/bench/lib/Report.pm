# SPDX-License-Identifier: Apache-2.0
# What the benchmarks in Perl print, as tests/bench/report.h has it: rows at once, the bars last.
package Report;
use strict;
use warnings;
use Exporter 'import';

our @EXPORT = qw(row bar finish median);

$| = 1;
my @bars;

sub row {
    my ($bench, $what, $value) = @_;
    printf "  %-10s %-52s %14.2f\n", $bench, $what, $value;
    return;
}

# A bar that is missed is no failure: machines differ, and who reads the numbers judges.
sub bar {
    my ($name, $value, $op, $limit) = @_;
    my $ok = $op eq '<=' ? $value <= $limit : $value >= $limit;
    push @bars, sprintf "bar %s %.2f %s %.2f %s\n", $name, $value, $op, $limit, $ok ? 'ok' : 'SHORT';
    return;
}

sub finish { print @bars; return }

sub median {
    my @sorted = sort { $a <=> $b } @_;
    return @sorted ? ($sorted[$#sorted / 2] + $sorted[@sorted / 2]) / 2 : 0;
}

1;
