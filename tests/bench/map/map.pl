#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# `make bench-map`: localmap's table beside the maps of others, on the same operations (workload.h).
#
#     map.pl [--only thru,choose,many,chain,lat,sustain,walk,grow,hash,redis,crowd,services,queue,empty,explode,
#            allocs] [--peers LIST] [--keys LIST] [--dists LIST] [--reads LIST] [--threads LIST] [--passes N] [--ops N]
#
# A peer is NAME or NAME:HASH: table, boost, rwlock64, rwlock1 (one lock), rwlock-table (what the table was before),
# each with xxh3, sip or fnv; go:sync.Map and go:rwmutex.  One program per map and set of keys, all open at once; every
# cell is measured on each in turn, and the passes begin anew, with maps filled anew.  A cell is the median of the
# passes; a ratio is the median of the passes' ratios.  BENCH_MAP_QUICK=1: fewer cells, passes and operations.
# As root it runs at the highest priority, so that what others do on the machine disturbs less.
# What was not measured has no bar.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib", "$FindBin::Bin/../lib", "$FindBin::Bin/../../integration/lib";
use Getopt::Long;
use List::Util qw(max min sum);
use Cells;
use Mesh;
use Mesh::Redis;
use Peer;
use Priority;
use Report;

my $quick = $ENV{BENCH_MAP_QUICK};
my %option = (
    only => 'thru,choose,many,chain,lat,sustain,walk,grow,hash,redis,crowd,services,queue,empty,explode,allocs',
    peers => 'table:xxh3,boost:xxh3,rwlock64:xxh3,table:sip,rwlock-table:sip,go:sync.Map',
    keys => $quick ? '100000,1000000' : '10000,100000,1000000',
    dists => $quick ? 'unif,zipf' : 'unif,zipf,8320',
    reads => $quick ? '100,0' : '100,90,50,0',
    threads => '1,2,8',
    passes => $quick ? 3 : 5,
    ops => $quick ? 500_000 : 1_000_000,
);
GetOptions(\%option, map { "$_=s" } keys %option) or die "see the head of $0\n";
my %list = map { $_ => [split /,/, $option{$_}] } qw(only peers keys dists reads threads);
my @choices = qw(table:xxh3 table:sip boost:xxh3 rwlock64:xxh3 rwlock1:xxh3 go:sync.Map go:rwmutex);
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
        for my $reads (@{ $list{reads} }) {
            in_turns(\@peers, "thru $reads $_", \&Cells::keep) for $dist eq 'hot' ? 2 : @{ $list{threads} };
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
    my $passes = $commands[0] eq 'grow 10000000' ? min(3, $option{passes}) : $option{passes};
    for my $pass (1 .. $passes) {
        progress("$what, pass $pass of $passes");
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

# One get from beginning to end, and what it cannot do without.
sub floor_of_a_get {
    my @labels = measurable(grep { /^table|^boost/ } @{ $list{peers} });
    alone('floor of a get', \@labels, 'open 1000000', 'use unif', 'chain');
    Cells::print_plain('chain', \@labels, 'gets that wait for each other, ns', 'get', 'hash', 'tag line', 'record line',
        'to their sum');
    return;
}

sub sustained {
    my @labels = measurable(grep { !/^table:sip|:fnv/ } grep { !/^go/ } @{ $list{peers} });
    my $seconds = $quick ? 2 : 10;
    alone('sustained writes', \@labels, 'open 100000', 'use zipf', "sustain $seconds");
    Cells::print_plain('sustain', \@labels, "two writers and two readers, $seconds s", 'least puts/s', 'puts/s', 'gets/s');
    return;
}

sub walks {
    my @labels = measurable(@choices);
    alone('going through all records', \@labels, 'open 100000', 'use zipf', 'walk');
    alone('going through 1M records', [grep { /^(?:table:xxh3|boost)/ } @labels], 'open 1000000', 'use zipf', 'walk');
    Cells::print_plain('walk', \@labels, 'all records, and puts beside that, ns', 'a record', 'put', 'put beside', 'p99.9',
        'p99.9 beside', 'max beside');
    return;
}

# Which map when: by the share of reads, two threads.
sub choose {
    my @labels = measurable(@choices);
    for my $pass (1 .. $option{passes}) {
        progress("which map when, pass $pass of $option{passes}");
        my @peers = map { Peer->new($_, $option{ops}) } @labels;
        for my $command ('open 100000', 'use zipf') { $_->ask($command) for @peers }
        for my $reads (100, 99, 90, 50, 0) {
            in_turns(\@peers, "thru $reads 2", sub {
                my ($label, undef, $keys, $dist, $share, $threads, $ns) = @_;
                Cells::keep($label, 'choose', $keys, $dist, $threads, $share, $ns);
            });
        }
        $_->end for @peers;
    }
    Cells::print_choice(\@labels);
    return;
}

# What each hash costs, alone and in a get; and what one without a key risks.
sub hashes {
    my @labels = measurable(map { ("table:$_", "rwlock64:$_") } qw(xxh3 sip fnv));
    alone('hashes', \@labels, 'open 100000', 'use zipf', 'hashing', 'thru 100 1');
    Cells::print_plain('hash', \@labels, 'a hash of 40 bytes, ns', 'alone', 'in a chain');
    Cells::print_plain('thru', \@labels, 'the same hashes in a get, ns', 'get');
    my @flooded = measurable('rwlock64:fnv', 'rwlock64:sip');
    alone('keys chosen to collide', \@flooded, 'open 100000', 'use zipf', 'flood');
    Cells::print_plain('flood', \@flooded, '1,000 keys chosen against FNV-1a; a get, ns', 'others', 'chosen');
    return;
}

# The same records as fields of one Redis hash.
sub redis {
    my $count = 1_000_000;
    progress('memory of a Redis hash');
    my $server = Mesh::Redis->new('map');
    my $before = resident($server->{pid});
    for my $first (map { $_ * 1000 } 0 .. $count / 1000 - 1) {
        $server->call('HSET', 'h', map {
            (sprintf('tenant-%03d/service-%06d/pod-%010d', $_ % 200, $_ / 50, $_), pack 'Q<6', ($_) x 6)
        } $first .. $first + 999);
    }
    Cells::keep('redis', 'open', $count, 0, (resident($server->{pid}) - $before) / $count);
    Cells::print_plain('open', ['table:xxh3', 'redis'], 'memory', 'empty, bytes', 'bytes/record') if !$wanted{thru};
    return;
}

sub resident {
    my ($pid) = @_;
    my (undef, $pages, $shared) = split ' ', read_file("/proc/$pid/statm"); # files are not counted
    return ($pages - $shared) * 4096;
}

# The lines of a program that measures one thing and ends.
sub told {
    my ($program, @words) = @_;
    for my $line (Peer::once($program, @words)) {
        my ($kind, $peer, @figures) = @$line;
        Cells::keep($peer, $kind, @figures);
    }
    return;
}

# 800 at once, as in the question that this benchmark answers; Go's are goroutines.
sub crowd {
    my ($go) = Peer::program('go');
    for my $pass (1 .. $option{passes}) {
        progress("a crowd, pass $pass of $option{passes}");
        for my $new (50, 1) {
            told('facade', 'crowd', 800, 250, $new);
            told('go', 'crowd', 800, 250, $new) if $go;
        }
    }
    Cells::print_plain('crowd', ['map', 'go-sync.Map'], '800 at once, 250 get-or-put each (% new), us', 'p50', 'p99', 'p99.9', 'max');
    return;
}

sub services {
    progress('services index');
    told('facade', 'services');
    Cells::print_plain('services', ['map', 'rwlock-index'], '10,000 reads, 10 writes, two threads; a read, ns', 'read');
    return;
}

# The question's own figures are 41 % fewer calls with memory reserved, and 67 % fewer while it evicts.
sub allocations {
    progress('allocator calls');
    told('allocs');
    Cells::print_plain('allocs', ['table'], 'memory calls of 1M puts, 10 % new', 'by the writer', 'by the helper', 'page faults');
    return;
}

# Benchmarks of their own, whose rows and bars are taken as they are.
sub others {
    my ($name, @words) = @_;
    progress("$name @words");
    open my $in, '-|', Peer::beside("tests/bench/$name"), @words or die "$name: $!";
    print "\n$name @words\n";
    while (my $line = <$in>) {
        if ($line =~ /^bar (\S+) (\S+) (\S+) (\S+) /) {
            bar($1, $2, $3, $4);
        } else {
            print $line;
        }
    }
    close $in or die "$name: failed\n";
    return;
}

sub empty {
    progress('an empty map');
    told('facade', 'empty');
    Cells::print_plain('empty', ['map'], 'an empty map', 'bytes');
    return;
}

# Before the throughput, whose cells it would else enter a second time.
hashes() if $wanted{hash};
Cells::forget('thru', 'open');
redis() if $wanted{redis};
throughput() if $wanted{thru} || $wanted{many};
floor_of_a_get() if $wanted{chain};
latency() if $wanted{lat};
sustained() if $wanted{sustain};
choose() if $wanted{choose};
walks() if $wanted{walk};
growth() if $wanted{grow};
crowd() if $wanted{crowd};
services() if $wanted{services};
others('bench_spine', 'queue') if $wanted{queue};
empty() if $wanted{empty};
others('bench_quota') if $wanted{explode};
allocations() if $wanted{allocs};
Cells::bars();
finish();
