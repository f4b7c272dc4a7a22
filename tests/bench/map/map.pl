#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# `make bench-map`: localmap's table beside the maps of others, on the same operations (workload.h).
#
#     map.pl [--only thru,open,many,lat,grow] [--peers LIST] [--keys LIST] [--dists LIST] [--reads LIST]
#            [--threads LIST] [--passes N]
#
# A peer is NAME or NAME:HASH: table, boost, rwlock64, rwlock-table (what the table was before), each with xxh3, sip
# or fnv; go.  One program per map and set of keys, all open at once; every cell is measured on each in turn, and the
# passes begin anew, with maps filled anew.  A cell is the median of the passes; a ratio is the median of the passes'
# ratios.  BENCH_MAP_QUICK=1: fewer cells, passes and operations.  As root it runs at the highest priority, so that
# what others do on the machine disturbs less.  What is asked for by hand has only the bars that it can tell.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib", "$FindBin::Bin/../lib";
use Getopt::Long;
use List::Util qw(max min sum);
use Cells;
use Peer;
use Priority;
use Report;

my $quick = $ENV{BENCH_MAP_QUICK};
my %option = (
    only => 'thru,many,lat,grow',
    peers => 'table:xxh3,boost:xxh3,rwlock64:xxh3,table:sip,rwlock-table:sip,go',
    keys => $quick ? '100000,1000000' : '10000,100000,1000000',
    dists => $quick ? 'unif,zipf' : 'unif,zipf,8320',
    reads => $quick ? '100,0' : '100,90,50,0',
    threads => $quick ? '1,2,8' : '1,2,8',
    passes => $quick ? 3 : 5,
    ops => $quick ? 500_000 : 2_000_000,
);
GetOptions(\%option, map { "$_=s" } keys %option) or die "see the head of $0\n";
my %list = map { $_ => [split /,/, $option{$_}] } qw(only peers keys dists reads threads);
my %wanted = map { $_ => 1 } @{ $list{only} };

Priority::raise();
$SIG{PIPE} = 'IGNORE';

sub progress { print STDERR "bench-map: @_\n"; return }

# Says once what cannot be measured, and why.
sub measurable {
    my @peers;
    my %said;
    for my $label (@_) {
        my ($name) = split /:/, $label;
        my ($program, $reason) = Peer::program($name);
        push @peers, $label if $program;
        print "$name: not measured: $reason\n" if !$program && !$said{$name}++;
    }
    return @peers;
}

sub in_turns {
    my ($peers, $command, $keep) = @_;
    for my $peer (@$peers) {
        $keep->($peer->{label}, @$_) for $peer->ask($command);
    }
    return;
}

# One pass over the cells of one set of keys, and what else an open map tells.
sub pass_of_keys {
    my ($keys, $labels) = @_;
    my @peers = map { Peer->new($_, $option{ops}) } @$labels;
    in_turns(\@peers, "open $keys", \&Cells::keep);
    for my $dist (@{ $list{dists} }, $keys == 100_000 ? 'hot' : ()) {
        $_->ask("use $dist") for @peers;
        for my $threads (@{ $list{threads} }) {
            next if $dist eq 'hot' && $threads != 2;
            in_turns(\@peers, "thru $_ $threads", \&Cells::keep) for @{ $list{reads} };
        }
        next if !$wanted{many} || $dist eq 'hot';
        in_turns([grep { $_->{label} =~ /^(?:table|boost)/ } @peers], 'many', \&Cells::keep);
    }
    $_->end for @peers;
    return;
}

sub throughput {
    my @labels = measurable(@{ $list{peers} });
    for my $pass (1 .. $option{passes}) {
        for my $keys (@{ $list{keys} }) {
            progress("pass $pass of $option{passes}: $keys keys");
            pass_of_keys($keys, \@labels);
        }
    }
    Cells::print_throughput(\@labels);
    return;
}

# A map of its own for each measurement: growing ends it, and the writer of `lat` should find it fresh.
sub alone {
    my ($what, $labels, @commands) = @_;
    for my $pass (1 .. $option{passes}) {
        progress("$what, pass $pass of $option{passes}");
        for my $label (@$labels) {
            my $peer = Peer->new($label);
            Cells::keep($label, @$_) for map { $peer->ask($_) } @commands;
            $peer->end;
        }
    }
    return;
}

sub growth {
    my @labels = measurable(grep { !/^table:sip|:fnv/ } @{ $list{peers} });
    alone('growing to 1M', \@labels, 'grow 1000000');
    alone('growing to 10M', [grep { /^(?:table|boost)/ } @labels], 'grow 10000000') if !$quick;
    Cells::print_growth(\@labels);
    return;
}

sub latency {
    my @labels = measurable(grep { !/^table:sip|:fnv/ } @{ $list{peers} });
    alone('latency', \@labels, 'open 100000', 'use zipf', 'lat');
    Cells::print_latency(\@labels);
    return;
}

throughput() if $wanted{thru} || $wanted{many};
latency() if $wanted{lat};
growth() if $wanted{grow};
Cells::bars();
finish();
