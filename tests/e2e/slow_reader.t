#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Readers of /v1/watch who do not take what is sent to them.  Both are cut once 64 KiB of output have waited
# for 10 s; who reads again then finds the resync as the last thing; who never does loses the connection.
# Nothing here blocks: every read and write has a deadline.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../integration/lib";
use IO::Select;
use IO::Socket::INET;
use IO::Socket::UNIX;
use Mesh;
use Mesh::Node;
use Socket qw(IPPROTO_TCP SOL_SOCKET SO_RCVBUF pack_sockaddr_in inet_aton);
use Test::More;
use Time::HiRes qw(time);

my $node = Mesh::Node->new(id => 's');
$node->start;
ok($node->ready(15), 'ready');

sub descriptors { return scalar(() = glob "/proc/$node->{pid}/fd/*") }

# A window that stays small must be asked for before the connection is made.
sub watch {
    my $conn = IO::Socket::INET->new(Proto => 'tcp') or die "socket: $!";
    setsockopt $conn, SOL_SOCKET, SO_RCVBUF, 4096 or die "SO_RCVBUF: $!";
    connect $conn, pack_sockaddr_in($node->{port}, inet_aton('127.0.0.1')) or die "connect: $!";
    syswrite $conn, "GET /v1/watch HTTP/1.1\r\nHost: 127.0.0.1:$node->{port}\r\n\r\n";
    $conn->blocking(0);
    return $conn;
}

# What comes until the end of the stream.  Returns the text, and whether the end has come in time.
sub read_to_end {
    my ($conn, $seconds) = @_;
    my ($text, $end) = ('', time + $seconds);
    while ((my $left = $end - time) > 0) {
        next if !IO::Select->new($conn)->can_read($left);
        my $len = sysread $conn, $text, 1 << 20, length $text;
        return ($text, 1) if defined $len && $len == 0;
        return ($text, 0) if !defined $len && !$!{EAGAIN};
    }
    return ($text, 0);
}

my $writer = IO::Socket::UNIX->new(Peer => $node->{unix}) or die "connect: $!";
my $labels = join ',', map { sprintf '"l%d":"%s"', $_, 'x' x 240 } 1 .. 8;

sub write_one {
    my ($weight) = @_;
    my $body = qq({"address":"127.0.0.1","port":1,"weight":$weight,"labels":{$labels}});
    syswrite $writer, "PUT /v1/services/pay/instances/i HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        . 'Content-Length: ' . length($body) . "\r\n\r\n$body";
    my ($answer, $end) = ('', time + 10);
    while ($answer !~ /\r\n\r\n.*\}\s*\z/s) {
        IO::Select->new($writer)->can_read($end - time) or die 'no answer in 10 s';
        sysread($writer, $answer, 65536, length $answer) or die 'no answer';
    }
    return $answer =~ m{^HTTP/1\.1 20[01]} ? 1 : 0;
}

my $open = descriptors();
my $sleeper = watch();
my $waker = watch();
ok(eventually(10, sub { $node->metric('meshpulse_watchers') == 2 }), 'two readers are heard');

# The kernel takes what its buffers hold; more than that makes output wait in the daemon.
my $changes = 3000;
my $written = grep { write_one($_) } 1 .. $changes;
my $wrote_at = time;
is($written, $changes, "$changes changes of 2 KiB are written");
is($node->metric('meshpulse_watchers'), 2, 'nobody is cut at once');

ok(eventually(20, sub { $node->metric('meshpulse_watchers') == 0 }), 'both are cut');
diag sprintf 'cut %.1f s after the last of %d changes', time - $wrote_at, $changes;

subtest 'who reads again finds the resync as the last event' => sub {
    select undef, undef, undef, 8; # longer ago than any byte moved by the 15 s that a write may rest
    my ($text, $ended) = read_to_end($waker, 10);
    ok($ended, 'the stream ends') or diag "$!, after " . length($text) . ' bytes';
    my @events = $text =~ /^event: (\w+)/mg;
    cmp_ok(scalar @events, '<', $changes, 'not all changes are there');
    is($events[-1], 'resync', 'the last one says so');
};

ok(eventually(20, sub { descriptors() <= $open }), 'who never reads loses the connection') or diag descriptors() . " > $open";
my (undef, $ended) = read_to_end($sleeper, 5);
ok($ended || $!{ECONNRESET}, 'and would find its end');

is($node->stop, 0, 'ends');
done_testing();
