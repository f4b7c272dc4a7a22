#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# `make bench-size`: what a daemon costs that does little.
#
#     memory       as the kernel counts it, with 1,000 instances: in the daemon that took their PUTs, and in one
#                  that read them from the server.  The bars take the larger of both.
#     descriptors  of the same daemon
#     idle CPU     utime + stime over 20 s, without any check: alone on a Redis, and with 3 peers on one Redis.
#                  The bar takes the larger of both.
#     ready        from exec to the first 200 of /readyz, with 100,000 instances in Redis; the median of 5 starts.
#                  Its own CPU stands beside it: on a machine that others use, the time is mostly theirs.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib", "$FindBin::Bin/../integration/lib";
use IO::Socket::UNIX;
use List::Util qw(max min sum);
use Mesh;
use Mesh::Node;
use Mesh::Redis;
use POSIX qw(sysconf _SC_CLK_TCK);
use Report;
use Time::HiRes qw(time sleep);

my $seconds = $ENV{BENCH_SECONDS} // 20;
my $starts = $ENV{BENCH_STARTS} // 5;
my $many = 100_000;
my $window = 64; # requests of one connection that are on their way

sub put_text {
    my ($i) = @_;
    my $service = int($i / 20);
    my $body = sprintf '{"address":"10.%d.%d.%d","port":8080,"labels":{"release":"1.4.2","track":"stable"}}',
        $i >> 16, $i >> 8 & 255, $i & 255;
    return "PUT /v1/services/checkout-$service/instances/checkout-$service-$i HTTP/1.1\r\nHost: localhost\r\n"
        . "Content-Type: application/json\r\nContent-Length: @{[length $body]}\r\n\r\n$body";
}

# Reads one answer off the connection, whatever follows it stays in `$text`.
sub read_answer {
    my ($conn, $text) = @_;
    while (1) {
        if ($$text =~ /\A(HTTP\/1.1 (\d+) .*?\r\n\r\n)/s) {
            my ($head, $status) = ($1, $2);
            my ($len) = $head =~ /^content-length: (\d+)/mi or die "no length: $head";
            if (length $$text >= length($head) + $len) {
                substr $$text, 0, length($head) + $len, '';
                return $status;
            }
        }
        sysread $conn, $$text, 65536, length $$text or die 'the daemon closed the connection';
    }
    return;
}

# Registers instances 0 .. $count - 1, each of which must be accepted.
sub fill {
    my ($node, $count) = @_;
    my $conn = IO::Socket::UNIX->new(Peer => $node->{unix}) or die "connect: $!";
    my $text = '';
    for (my $i = 0; $i < $count; $i += $window) {
        my $end = min($i + $window, $count) - 1;
        my $requests = join '', map { put_text($_) } $i .. $end;
        syswrite($conn, $requests) == length $requests or die "write: $!";
        for ($i .. $end) {
            my $status = read_answer($conn, \$text);
            die "PUT: $status" if $status != 201;
        }
    }
    eventually(60, sub { $node->digest->{pending} eq '0' }) or die 'the writes stay pending';
    return;
}

sub instances_of {
    my ($node) = @_;
    return sum map { /^(\d+)-/ } @{ $node->digest->{partitions} };
}

sub start_node {
    my ($id, $redis, @set) = @_;
    my $node = Mesh::Node->new(id => $id, url => $redis->url, set => \@set);
    $node->start;
    $node->ready(30) or die "$id does not become ready: " . read_file($node->{log});
    return $node;
}

# MiB by the names of /proc/PID/smaps_rollup
sub memory_of {
    my ($node) = @_;
    my %kib = read_file("/proc/$node->{pid}/smaps_rollup") =~ /^(\w+):\s+(\d+) kB$/mg;
    return (($kib{Private_Clean} + $kib{Private_Dirty}) / 1024, $kib{Rss} / 1024);
}

sub descriptors_of {
    my ($node) = @_;
    my @open = glob "/proc/$node->{pid}/fd/*";
    return scalar @open;
}

# Seconds of CPU so far.  The name, in parentheses, may contain anything.
sub cpu_of {
    my ($node) = @_;
    my (undef, $rest) = read_file("/proc/$node->{pid}/stat") =~ /^(\d+ .*\)) (.*)$/s or die 'no stat';
    my @field = split ' ', $rest; # from field 3 of proc(5) on
    return ($field[11] + $field[12]) / sysconf(_SC_CLK_TCK);
}

# Per cent of one CPU that each took while nobody asked anything.
sub idle_percents {
    my (@nodes) = @_;
    sleep 2; # the news of the start have settled
    my @before = map { cpu_of($_) } @nodes;
    my $start = time;
    sleep $seconds;
    my $took = time - $start;
    return map { 100 * (cpu_of($nodes[$_]) - $before[$_]) / $took } 0 .. $#nodes;
}

sub is_ready {
    my ($node) = @_;
    my $conn = IO::Socket::UNIX->new(Peer => $node->{unix}) or return 0;
    syswrite $conn, "GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n" or return 0;
    my $text = '';
    sysread $conn, $text, 4096;
    return $text =~ /\AHTTP\/1.1 200 /;
}

# Seconds from exec to the first 200, to 2 ms.
sub ready_s {
    my ($node) = @_;
    my @arguments = $node->arguments;
    my $start = time;
    $node->{pid} = spawn($node->{log}, $node->{log}, @arguments);
    while (!is_ready($node)) {
        die 'the daemon does not become ready: ' . read_file($node->{log}) if time > $start + 60 || !alive($node->{pid});
        sleep 0.002;
    }
    return time - $start;
}

sub measure_size {
    my ($redis) = @_;
    my $writer = start_node('a', $redis);
    my ($private_empty, $resident_empty) = memory_of($writer);
    fill($writer, 1000);
    my ($alone) = idle_percents($writer);
    my @peers = map { start_node($_, $redis) } qw(b c d);
    my @percents = idle_percents($writer, @peers);
    my ($private, $resident) = memory_of($writer);
    my ($private_read, $resident_read) = memory_of($peers[0]);
    row('size', 'before the first instance: private, MiB', $private_empty);
    row('size', 'before the first instance: resident, MiB', $resident_empty);
    row('size', '1,000 instances by PUT: private, MiB', $private);
    row('size', '1,000 instances by PUT: resident, MiB', $resident);
    row('size', '1,000 instances read from Redis: private, MiB', $private_read);
    row('size', '1,000 instances read from Redis: resident, MiB', $resident_read);
    row('size', 'open descriptors', descriptors_of($writer));
    row('size', "idle CPU alone, % of one over $seconds s", $alone);
    row('size', 'idle CPU with 3 peers, the busiest of 4, %', max(@percents));
    row('size', 'idle CPU with 3 peers, mean of 4, %', sum(@percents) / @percents);
    bar('size-private-mib', max($private, $private_read), '<=', 6);
    bar('size-resident-mib', max($resident, $resident_read), '<=', 18);
    bar('idle-cpu-percent', max($alone, @percents), '<=', 0.5);
    $_->stop for $writer, @peers;
    return;
}

sub measure_ready {
    my ($redis) = @_;
    my $writer = start_node('e', $redis);
    my $start = time;
    fill($writer, $many);
    row('ready', 'registering 100,000 instances by PUT, s', time - $start);
    my ($private) = memory_of($writer);
    row('ready', '100,000 instances by PUT: private, MiB', $private);
    $writer->stop;
    my $node = Mesh::Node->new(id => 'f', url => $redis->url, port => $writer->{port});
    my (@took, @private, @cpu);
    for (1 .. $starts) {
        push @took, ready_s($node);
        push @cpu, cpu_of($node);
        my $count = instances_of($node);
        die "ready with $count records" if $count < $many;
        push @private, (memory_of($node))[0];
        $node->stop;
    }
    row('ready', '100,000 instances read from Redis: private, MiB', median(@private));
    row('ready', 'exec to ready with 100,000 instances, best, s', min(@took));
    row('ready', 'exec to ready with 100,000 instances, median, s', median(@took));
    row('ready', 'of that its own CPU, median, s', median(@cpu));
    bar('ready-100k-s', median(@took), '<=', 1);
    return;
}

measure_size(Mesh::Redis->new('small'));
measure_ready(Mesh::Redis->new('large'));
finish();
