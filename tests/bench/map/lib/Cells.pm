# SPDX-License-Identifier: Apache-2.0
# The figures of `make bench-map`: kept as they are measured, printed as tables, judged by bars.
package Cells;
use strict;
use warnings;
use List::Util qw(max min sum);
use Report;

my $TABLE = 'table:xxh3';
my $BOOST = 'boost:xxh3';
my $GO = 'go:sync.Map';
my $RWLOCKS = 'rwlock64:xxh3';

# {kind}{cell's words}{label} = figures of the passes, each a list.
my %kept;
# How many of a line's words name the cell.
my %names = (open => 1, thru => 4, many => 2, lat => 3, grow => 1, chain => 2, sustain => 2, hash => 2, flood => 1,
    crowd => 3, choose => 4, walk => 2, services => 0, empty => 0, allocs => 1);

sub keep {
    my ($label, $kind, @words) = @_;
    my @cell = splice @words, 0, $names{$kind};
    # lines of one run: "zipf idle" stands behind the keys
    push @{ $kept{$kind}{"@cell"}{$label} }, \@words;
    return;
}

sub forget { delete @kept{@_}; return }

# The median of figure `i`; undef: not measured.
sub figure {
    my ($kind, $cell, $label, $i) = @_;
    my $passes = $kept{$kind}{$cell}{$label} or return undef;
    return undef if $passes->[0][$i] eq '-';
    return median(map { $_->[$i] } @$passes);
}

# The median of the passes' ratios of figure `i`: of `other` to `label`.
sub ratio {
    my ($kind, $cell, $other, $label, $i) = @_;
    my ($above, $below) = map { $kept{$kind}{$cell}{$_} } $other, $label;
    return undef if !$above || !$below;
    my $passes = min(scalar @$above, scalar @$below);
    return median(map { $above->[$_][$i] / max($below->[$_][$i], 1e-9) } 0 .. $passes - 1);
}

sub text { my ($format, $value) = @_; return defined $value ? sprintf $format, $value : '-' }

sub by_numbers {
    my @x = split ' ', $a;
    my @y = split ' ', $b;
    for my $i (0 .. $#x) {
        my $order = $x[$i] =~ /^\d+$/ && $y[$i] =~ /^\d+$/ ? $x[$i] <=> $y[$i] : $x[$i] cmp $y[$i];
        return $order if $order;
    }
    return 0;
}

# One table for each set of keys, distribution and number of threads: ns/operation by share of reads, and how many
# times as fast as boost, 64 rwlocks and Go the first peer is.
sub print_throughput {
    my ($labels) = @_;
    my %group;
    for my $cell (keys %{ $kept{thru} }) {
        my ($keys, $dist, $reads, $threads) = split ' ', $cell;
        push @{ $group{"$keys $dist $threads"} }, $reads;
    }
    for my $name (sort by_numbers keys %group) {
        my ($keys, $dist, $threads) = split ' ', $name;
        my @reads = sort { $b <=> $a } @{ $group{$name} };
        print "\n$keys keys, $dist, $threads thread(s): ns/operation, and times the first\n";
        printf '  %-18s' . '%16s' x @reads . "\n", '', map { "$_ % reads" } @reads;
        for my $label (@$labels) {
            printf '  %-18s' . '%16s' x @reads . "\n", $label, map {
                my $cell = "$keys $dist $_ $threads";
                sprintf '%8s %6s', text('%.1f', figure('thru', $cell, $label, 0)),
                    text('%.2f', ratio('thru', $cell, $label, $labels->[0], 0))
            } @reads;
        }
    }
    print_plain('open', [@$labels, 'redis'], 'memory', 'empty, bytes', 'bytes/record');
    print_plain('many', $labels, 'gets, ns', 'alone', '16 at once');
    return;
}

sub print_plain {
    my ($kind, $labels, $title, @heads) = @_;
    return if !$kept{$kind};
    printf "\n%-42s" . '%14s' x @heads . "\n", $title, @heads;
    for my $cell (sort by_numbers keys %{ $kept{$kind} }) {
        for my $label (grep { $kept{$kind}{$cell}{$_} } @$labels) {
            printf "  %-22s%-18s" . '%14s' x @heads . "\n", $cell, $label,
                map { text('%.2f', figure($kind, $cell, $label, $_)) } 0 .. $#heads;
        }
    }
    return;
}

# One line a map, one column a share of reads.
sub print_choice {
    my ($labels) = @_;
    my @shares = (100, 99, 90, 50, 0);
    printf "\n%-26s" . '%12s' x @shares . "\n", '100000 keys, zipf, 2 threads', map { "$_ % reads" } @shares;
    for my $label (@$labels) {
        printf '  %-24s' . '%12s' x @shares . "\n", $label,
            map { text('%.1f', figure('choose', "100000 zipf 2 $_", $label, 0)) } @shares;
    }
    return;
}

sub print_growth {
    my ($labels) = @_;
    print_plain('grow', $labels, 'growing from empty; a put, us', 'total ms', 'CPU p99.9', 'CPU p99.99', 'CPU max',
        'wall p99.99', 'wall max');
    return;
}

sub print_latency {
    my ($labels) = @_;
    print_plain('lat', $labels, 'a get, ns', 'p50', 'p99', 'p99.9', 'p99.99', 'max', 'writer Mput/s');
    return;
}

# --- bars.  One whose figures were not measured is not printed.

sub judge {
    my ($name, $value, $op, $limit) = @_;
    bar($name, $value, $op, $limit) if defined $value;
    return;
}

# The ratios of all cells that match, smallest first, as [ratio, cell].
sub ratios {
    my ($other, $label, $match) = @_;
    my @found;
    for my $cell (grep { $_ =~ $match } keys %{ $kept{thru} }) {
        my $ratio = ratio('thru', $cell, $other, $label, 0);
        push @found, [$ratio, $cell] if defined $ratio;
    }
    return sort { $a->[0] <=> $b->[0] } @found;
}

# The worst cell; the first of those that are under the limit are named.
sub worst {
    my ($name, $limit, @found) = @_;
    return if !@found;
    my $under = grep { $_->[0] < $limit } @found;
    printf "  %s: %d of %d cells are under %.1f, the worst:\n", $name, $under, scalar @found, $limit if $under;
    printf "    %.2f in %s (keys, distribution, %% reads, threads)\n", @{ $found[$_] } for 0 .. min($under, 6) - 1;
    judge($name, $found[0][0], '>=', $limit);
    return;
}

sub throughput_bars {
    print "\n";
    my @boost = ratios($BOOST, $TABLE, qr/^\d+ (?!hot)/);
    worst('map-least-to-boost', 1.0, @boost);
    judge('map-mean-to-boost', exp(sum(map { log $_->[0] } @boost) / @boost), '>=', 1.2) if @boost;
    judge('map-reads-to-rwlocks', ratio('thru', '100000 zipf 100 2', $RWLOCKS, $TABLE, 0), '>=', 1.5);
    judge('map-reads-to-go', ratio('thru', '100000 zipf 100 2', $GO, $TABLE, 0), '>=', 6);
    judge('map-writes-to-go', ratio('thru', '100000 zipf 0 2', $GO, $TABLE, 0), '>=', 8);
    worst('map-least-writes-to-rwlocks', 1.0, ratios($RWLOCKS, $TABLE, qr/ 0 \d+$/));
    judge('map-hot-writes-to-rwlocks', ratio('thru', '100000 hot 0 2', $RWLOCKS, $TABLE, 0), '>=', 1.0);
    crowded();
    return;
}

# 8 threads on few cores against 2.
sub crowded {
    my @slower;
    for my $cell (grep { / 8$/ } keys %{ $kept{thru} }) {
        (my $two = $cell) =~ s/8$/2/;
        my ($at_8, $at_2) = map { $kept{thru}{$_}{$TABLE} } $cell, $two;
        next if !$at_8 || !$at_2;
        my $ratio = median(map { $at_8->[$_][0] / $at_2->[$_][0] } 0 .. min($#$at_8, $#$at_2));
        printf "  map-8-threads-to-2: %.2f in %s\n", $ratio, $cell if $ratio > 1.3;
        push @slower, $ratio;
    }
    judge('map-8-threads-to-2', max(@slower), '<=', 1.3) if @slower;
    return;
}

sub batch_bars {
    my $cell = '1000000 unif';
    my $many = figure('many', $cell, $TABLE, 1) or return;
    judge('map-get-many-to-gets', figure('many', $cell, $TABLE, 0) / $many, '>=', 2);
    my $boost = figure('many', $cell, $BOOST, 1) or return;
    judge('map-get-many-to-boost', $many / $boost, '<=', 0.8);
    return;
}

sub latency_bars {
    my ($idle, $beside) = ('100000 hot idle', '100000 hot writer');
    my $p999 = figure('lat', $beside, $TABLE, 2) or return;
    judge('map-hot-writer-mputs', figure('lat', $beside, $TABLE, 5), '>=', 5);
    judge('map-hot-p999-to-idle', $p999 / figure('lat', $idle, $TABLE, 2), '<=', 3);
    judge('map-hot-p999-ns', $p999, '<=', 250);
    my $convoy = figure('lat', $beside, $RWLOCKS, 1);
    judge('map-hot-p99-to-rwlocks', figure('lat', $beside, $TABLE, 1) / $convoy, '<=', 0.01) if $convoy;
    return;
}

sub snapshot_bars {
    my $cell = '1000000 zipf';
    judge('map-snapshot-ns-per-record', figure('walk', $cell, $TABLE, 0), '<=', 10);
    my $alone = figure('walk', $cell, $TABLE, 1) or return;
    judge('map-put-during-snapshot', figure('walk', $cell, $TABLE, 2) / $alone, '<=', 2);
    return;
}

sub growth_bars {
    for my $keys (1_000_000, 10_000_000) {
        my $name = $keys / 1_000_000 . 'm';
        my $worst = figure('grow', $keys, $TABLE, 3) // next;
        judge("map-grow-$name-worst-us", $worst, '<=', 150);
        judge("map-grow-$name-p9999-us", figure('grow', $keys, $TABLE, 2), '<=', 40);
        my $boost = figure('grow', $keys, $BOOST, 3) // next;
        judge("map-grow-$name-worst-to-boost", $worst / $boost, '<=', 0.01);
    }
    return;
}

sub memory_bars {
    my $bytes = figure('open', 1_000_000, $TABLE, 1) or return;
    judge('map-bytes-per-record', $bytes, '<=', 120);
    my $redis = figure('open', 1_000_000, 'redis', 1) or return;
    judge('map-bytes-to-redis-hash', $bytes / $redis, '<=', 0.85);
    return;
}

sub bars {
    throughput_bars() if $kept{thru};
    memory_bars();
    my $empty = figure('empty', '', 'map', 0);
    judge('map-empty-kib', $empty / 1024, '<=', 256) if defined $empty;
    judge('map-get-to-floor', figure('chain', '1000000 unif', $TABLE, 4), '<=', 1.1);
    batch_bars();
    judge('map-sustained-puts-per-s', figure('sustain', '100000 zipf', $TABLE, 0), '>=', 1_200_000);
    latency_bars();
    growth_bars();
    snapshot_bars();
    judge('map-crowd-p99-us', figure('crowd', '800 250 1', 'map', 1), '<=', 3200);
    judge('map-crowd-half-new-p99-us', figure('crowd', '800 250 50', 'map', 1), '<=', 3200);
    judge('map-services-read-ns', figure('services', '', 'map', 0), '<=', 86);
    return;
}

1;
