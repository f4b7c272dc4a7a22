#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# `meshpulse forget` on a real Redis on which others have keys as well: only ours go, and only when somebody
# said so.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Mesh;
use Mesh::Node;
use Mesh::Redis;
use Test::More;

use constant { TIOCSPTLCK => 0x40045431, TIOCGPTN => 0x80045430 };

my $redis = Mesh::Redis->new('forget');
my @url = ('--set', 'stream.url=' . $redis->url, '--set', 'stream.lease=2s');

sub node {
    my ($id, @set) = @_;
    my $node = Mesh::Node->new(id => $id, url => $redis->url, set => ['stream.lease=2s', 'stream.partitions=4', @set]);
    $node->start;
    ok($node->ready, "$id is ready");
    $node->put('pay', $_, {}, '?ack=stream') for qw(p1 p2);
    return $node;
}

# Names that look like ours and are not, and one of our names under which something else stands.
my %foreign = map { ($_ => "value of $_") }
    ('mp', 'mp:0', '{mp}s', '{mp:0}', '{mp:0}x', '{mp:00}s', '{mp:256}s', '{mp:n}s', '{xmp:0}s', '{MP:0}s', '{mp:7}s');
$redis->call('SET', $_, $foreign{$_}) for keys %foreign;

sub foreign_intact {
    my ($name) = @_;
    is_deeply({ map { ($_ => $redis->call('GET', $_)) } keys %foreign }, \%foreign, "$name leaves the keys of others alone");
    return;
}

# How many keys of a prefix there are, but for the foreign ones.
sub count {
    my ($prefix) = @_;
    return scalar grep { !exists $foreign{$_} } @{ $redis->call('KEYS', "{$prefix:*}*") };
}

sub forget { return run_program(program(), 'forget', '--prefix', @_, @url) }

my $node = node('a');
my $other = node('b', 'stream.prefix=other');
my ($ours, $others) = (count('mp'), count('other'));
cmp_ok($ours, '>=', 4 + 1 + 2, 'there are keys');

subtest 'while a node beats' => sub {
    my ($exit, $out, $err) = forget('mp', '--yes');
    is($exit, 4, 'it is refused');
    like($out, qr/^prefix mp at unix:\S+: $ours keys; 4 partitions, \d+ records, \d+ entries; nodes that beat: a$/, 'it says what is there');
    like($err, qr/\(a\): stop them first, or delete anyhow by --force$/m, 'and what to do');
    like($err, qr/^meshpulse: \{mp:7\}s is a string, hence not ours: left alone$/m, 'and what it will not touch');
    is(count('mp'), $ours, 'nothing is gone');
};

is($node->stop, 0, 'the node ends');
$ours = count('mp'); # it took itself off the list of those that beat

subtest 'without a terminal' => sub {
    my ($exit, $out, $err) = forget('mp');
    is($exit, 2, 'it is refused');
    like($out, qr/nodes that beat: none$/, 'it says what is there');
    like($err, qr/without a terminal; --yes deletes unasked/, 'and what to do');
    is(count('mp'), $ours, 'nothing is gone');
};

# Runs it on a terminal and types that line.
sub forget_on_terminal {
    my ($line) = @_;
    open my $master, '+<', '/dev/ptmx' or die "ptmx: $!";
    my ($unlock, $number) = (pack('i', 0), pack('i', 0));
    ioctl $master, TIOCSPTLCK, $unlock or die "unlock: $!";
    ioctl $master, TIOCGPTN, $number or die "number: $!";
    my $terminal = '/dev/pts/' . unpack 'i', $number;
    syswrite $master, "$line\n";
    return run_program('/bin/sh', '-c', 'exec "$@" <' . $terminal, 'sh', program(), 'forget', '--prefix', 'mp', @url);
}

subtest 'on a terminal' => sub {
    for my $line ('no', 'y', 'YES', '') {
        my ($exit, $out, $err) = forget_on_terminal($line);
        is($exit, 1, "\"$line\" deletes nothing");
        like($err, qr/Only "yes" does: meshpulse: nothing was deleted$/m, 'and it says so');
    }
    is(count('mp'), $ours, 'nothing is gone');
    my ($exit, $out, $err) = forget_on_terminal('yes');
    is($exit, 0, '"yes" does') or diag $err;
    like($out, qr/^$ours keys deleted$/m, 'and says so');
    is(count('mp'), 0, 'they are gone');
    foreign_intact('it');
    is(count('other'), $others, 'another prefix is another mesh');
};

subtest 'a second time' => sub {
    my ($exit, $out) = forget('mp', '--yes');
    is($exit, 0, 'there is nothing to do');
    like($out, qr/: 0 keys; 0 partitions, 0 records, 0 entries; nodes that beat: none$/, 'it says so');
};

subtest 'a node that was killed' => sub {
    $other->kill_hard;
    my ($exit, $out, $err) = forget('other', '--yes', '--force');
    is($exit, 0, '--force deletes even while it seems to beat') or diag $err;
    like($out, qr/^$others keys deleted$/m, 'all of it');
    is(count('other'), 0, 'they are gone');
    foreign_intact('it');
};

subtest 'what cannot be' => sub {
    my @rows = (
        [['--yes'], 2, qr/--prefix is needed/],
        [['--prefix', 'a{b', @url], 78, qr/stream\.prefix: "a\{b" is no prefix/],
        [['--prefix', 'mp'], 78, qr/stream\.url is memory:; allowed: redis:/],
        [['--prefix', 'mp', '--set', 'stream.url=redis://127.0.0.1:1'], 69, qr/no answer from Redis at redis:\S+ Connection refused/],
        [['--prefix', 'mp', '--set', 'stream.nonsense=1'], 78, qr/stream\.nonsense/],
        [['--prefix', 'mp', '-c', '/nonexistent'], 78, qr/nonexistent/],
    );
    for my $row (@rows) {
        my ($exit, $out, $err) = run_program(program(), 'forget', @{ $row->[0] });
        is($exit, $row->[1], "@{ $row->[0] } exits with $row->[1]");
        like($err, $row->[2], 'and says why');
    }
    $redis->call('CONFIG', 'SET', 'requirepass', 'secret');
    my ($exit, undef, $err) = forget('mp', '--yes');
    is($exit, 1, 'a server that refuses us');
    like($err, qr/NOAUTH/, 'in its own words');
    my $file = write_file(work_dir() . '/password', "secret\n");
    is((forget('mp', '--yes', '--set', "stream.password_file=$file"))[0], 0, 'a password stands in a file');
};

done_testing();
