#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# threads.workers: 4.  Watchers and writers on all of them, by TCP and by the unix socket, the metrics that
# sum them up, and an end in time with all of them connected.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IO::Socket::UNIX;
use Mesh;
use Mesh::Node;
use Test::More;

my $watchers = 64;
my $node = Mesh::Node->new(id => 'w', set => ['threads.workers=4']);
$node->start;
ok($node->ready(15), 'ready');
my $threads = () = glob "/proc/$node->{pid}/task/*";
cmp_ok($threads, '>=', 5, 'the loop and four workers');

my @watches = map { $node->watch('?service=pay') } 1 .. $watchers;

subtest 'every watcher hears of every change, in order' => sub {
    ok(eventually(5, sub { $node->metric('meshpulse_watchers') == $watchers }), 'all are there');
    cmp_ok($node->metric('meshpulse_http_connections'), '>=', $watchers, 'and counted');
    $node->put('pay', "i$_") for 1 .. 20;
    my $wrong = 0;
    for my $watch (@watches) {
        for my $i (1 .. 20) {
            my $event = $watch->next_event(10);
            $wrong++ if !$event || $event->{event} ne 'change' || $event->{data}{id} ne "i$i";
        }
    }
    is($wrong, 0, 'as written');
};

subtest 'writes on many connections at once' => sub {
    my @conns = map {
        $_ % 2 ? IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $node->{port})
            : IO::Socket::UNIX->new(Peer => $node->{unix})
    } 1 .. 40;
    my $body = '{"address":"127.0.0.1","port":1}';
    for my $i (0 .. $#conns) {
        syswrite $conns[$i], "PUT /v1/services/many/instances/m$i?ack=stream HTTP/1.1\r\nHost: 127.0.0.1:$node->{port}\r\n"
            . "Content-Type: application/json\r\nContent-Length: " . length($body) . "\r\nConnection: close\r\n\r\n$body";
    }
    my $created = grep { local $/; my $answer = readline $_; $answer =~ m{^HTTP/1\.1 201 .*"acked":true}s } @conns;
    is($created, 40, 'each is answered by the worker that took it');
    is(scalar @{ $node->json('/v1/services/many/instances')->{items} }, 40, 'and every worker reads them all');
};

subtest 'a connection goes on with its worker' => sub {
    my $conn = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $node->{port});
    syswrite $conn, "GET /livez HTTP/1.1\r\nHost: 127.0.0.1:$node->{port}\r\n\r\n" x 50;
    my ($text, $answers) = ('', 0);
    while ($answers < 50 && sysread $conn, $text, 65536, length $text) {
        $answers = () = $text =~ /HTTP\/1\.1 200/mg;
    }
    is($answers, 50, '50 answers');
};

is($node->stop, 0, 'SIGTERM: exit 0');
my $resyncs = grep { (($_->next_event(5) // {})->{event} // '') eq 'resync' } @watches;
is($resyncs, $watchers, 'every watcher is told to list again');
ok(!-e $node->{unix}, 'the socket is gone');
done_testing();
