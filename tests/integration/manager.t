#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# What a daemon tells the service manager in the course of its life; a datagram socket stands in for it.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IO::Select;
use IO::Socket::UNIX;
use Mesh;
use Mesh::Node;
use Socket qw(SOCK_DGRAM);
use Test::More;
use Time::HiRes qw(clock_gettime CLOCK_MONOTONIC);

my $path = work_dir() . '/manager';
my $manager = IO::Socket::UNIX->new(Local => $path, Type => SOCK_DGRAM) or die "socket: $!";
my $select = IO::Select->new($manager);

# The next datagram that is no feed of the watchdog, as a hash; undef after ten seconds.
my $feeds = 0;
sub told {
    my $end = time + 10;
    while (time < $end && $select->can_read(10)) {
        $manager->recv(my $text, 4096);
        return { map { split /=/, $_, 2 } split /\n/, $text } if $text ne 'WATCHDOG=1';
        $feeds++;
    }
    return;
}

local $ENV{NOTIFY_SOCKET} = $path;
local $ENV{WATCHDOG_USEC} = 400_000;
my $node = Mesh::Node->new(id => 'a');
$node->start;

my $told = told();
is($told->{READY}, 1, 'it serves, so it says that it is ready');
$told = told() if $told->{STATUS} ne 'ready';
is($told->{STATUS}, 'ready', 'and then that its map is warm');
ok($node->ready(1), 'which is so');

ok(eventually(10, sub { $select->can_read(1) && $manager->recv(my $text, 64); $text eq 'WATCHDOG=1' && ++$feeds > 4 }), 'the watchdog is fed');

for my $time (1, 2) {
    my $before = clock_gettime(CLOCK_MONOTONIC) * 1e6;
    kill 'HUP', $node->{pid};
    $told = told();
    is($told->{RELOADING}, 1, 'a reload is told');
    cmp_ok($told->{MONOTONIC_USEC}, '>=', int $before, 'with a time that is not before the signal');
    cmp_ok($told->{MONOTONIC_USEC}, '<=', clock_gettime(CLOCK_MONOTONIC) * 1e6, 'nor after now');
    is_deeply(told(), { READY => 1 }, 'and its end');
}

is($node->stop, 0, 'it ends');
is_deeply(told(), { STOPPING => 1 }, 'which was told first');
done_testing();
