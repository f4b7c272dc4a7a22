#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# 1,000 watchers of one daemon, some of whom never read: a burst of changes reaches all who do, in order;
# memory and descriptors come back.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../integration/lib";
use IO::Poll qw(POLLIN);
use IO::Socket::INET;
use IO::Socket::UNIX;
use Mesh;
use Mesh::Node;
use Test::More;
use Time::HiRes qw(time);

my $readers = 960;
my $sleepers = 40;
my $changes = 50;
my $node = Mesh::Node->new(id => 'w', set => ['threads.workers=2']);
$node->start;
ok($node->ready(15), 'ready');

sub resident { return read_file("/proc/$node->{pid}/status") =~ /VmRSS:\s+(\d+)/ ? $1 : 0 }
sub descriptors { return scalar(() = glob "/proc/$node->{pid}/fd/*") }

# One connection for all writes; those by TCP would have to wait for room.
my $writer = IO::Socket::UNIX->new(Peer => $node->{unix}) or die "connect: $!";

sub write_one {
    my ($id, $label) = @_;
    return Mesh::Node::put_over($writer, 'pay', $id, qq("l":"$label"));
}

sub watch_all {
    my ($count, @options) = @_;
    my @conns;
    for (1 .. $count) {
        my $conn = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $node->{port}, @options) or die "connect: $!";
        syswrite $conn, "GET /v1/watch HTTP/1.1\r\nHost: 127.0.0.1:$node->{port}\r\n\r\n";
        push @conns, $conn;
    }
    return @conns;
}

my %text; # descriptor -> what it has heard
# Reads until every connection has heard `$count` of `$word`, or the time is over.  Returns how many have.  The time
# is what a machine with other work needs: this test is of what comes, not of how fast.
sub hear_all {
    my ($conns, $word, $count) = @_;
    my $seconds = 120;
    my $poll = IO::Poll->new;
    $poll->mask($_ => POLLIN) for @$conns;
    my $end = time + $seconds;
    my $left = @$conns;
    while ($left > 0 && time < $end) {
        $poll->poll(0.5);
        for my $conn ($poll->handles(POLLIN)) {
            my $heard = \$text{ fileno $conn };
            $$heard //= '';
            my $len = sysread $conn, $$heard, 1 << 20, length $$heard;
            if (!$len || (() = $$heard =~ /$word/g) >= $count) {
                $poll->remove($conn);
                $left--;
            }
        }
    }
    return scalar grep { (() = ($text{ fileno $_ } // '') =~ /$word/g) >= $count } @$conns;
}

my ($memory, $open) = (resident(), descriptors());
my @readers = watch_all($readers);
my @sleepers = watch_all($sleepers); # they never read

subtest 'a burst reaches every reader' => sub {
    is(hear_all(\@readers, ': watching', 1), $readers, 'all are heard');
    # Those who sleep asked last, and the two workers are not equally far: theirs may not be read yet.
    ok(eventually(30, sub { $node->metric('meshpulse_watchers') == $readers + $sleepers }), 'and counted')
        or diag $node->metric('meshpulse_watchers');
    my $began = time;
    my $written = grep { write_one("i$_", 'x') } 1 .. $changes;
    my $wrote = time - $began;
    is($written, $changes, "$changes changes are written");
    is(hear_all(\@readers, qr/^event: change\n.*?\n\n/ms, $changes), $readers, 'every reader has all of them');
    diag sprintf '%d changes to %d readers: written in %.2f s, all heard after %.2f s', $changes, $readers, $wrote, time - $began;
    my $ids = join ',', map { "i$_" } 1 .. $changes;
    my $ordered = grep { join(',', $text{ fileno $_ } =~ /"id":"(i\d+)"/g) eq $ids } @readers;
    is($ordered, $readers, 'in order');
};

# Now nobody reads: tens of MiB wait in the daemon.
subtest 'all comes back' => sub {
    my $lagging = grep { write_one("i$_", 'x' x 250) } 1 .. 1500;
    is($lagging, 1500, 'changes that nobody takes are written');
    diag sprintf '%d kB with %d readers that lag, %d kB before', resident(), $readers + $sleepers, $memory;
    close $_ for @readers, @sleepers;
    ok(eventually(10, sub { descriptors() <= $open + 2 }), 'descriptors') or diag descriptors() . " > $open";
    ok(eventually(15, sub { resident() < $memory + 16_000 }), 'memory') or diag resident() . " kB, $memory before";
};

is($node->stop, 0, 'ends');
done_testing();
