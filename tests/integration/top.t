#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# `meshpulse top` against a real daemon: plain, as JSON, and on a terminal of its own (script(1)).
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP;
use Mesh;
use Mesh::Node;
use Test::More;

delete @ENV{qw(MESHPULSE_SERVER NO_COLOR)};

my $node = Mesh::Node->new(id => 'a');
$node->start;
ok($node->ready(5), 'the node is ready');
my @top = ('top', '--server', "http://127.0.0.1:$node->{port}", '--interval', '300ms');

# Something to be seen between two looks.
sub while_writing {
    my (@command) = @_;
    my $writer = fork // die "fork: $!";
    if ($writer == 0) {
        for my $i (1 .. 1000) {
            $node->put('pay', 'p' . $i % 10, { weight => 1 + $i % 7 });
            select undef, undef, undef, 0.005;
        }
        POSIX::_exit(0);
    }
    my @got = run_program(@command);
    kill 'KILL', $writer;
    waitpid $writer, 0;
    return @got;
}

subtest 'without a terminal' => sub {
    my ($exit, $out, $err);
    # A busy machine may write nothing between two looks.
    ok(eventually(20, sub { ($exit, $out, $err) = while_writing(program(), @top); return $out =~ m{^writes +[1-9]}m }), 'it sees writes');
    is($exit, 0, 'it ends by itself') or diag $err;
    like($out, qr/\Anode +a; stream live/, 'the node');
    like($out, qr/^map +\d+ records, .*(?:STABLE|GROWING), load \d+%/m, 'its map');
    like($out, qr{^writes +\d+/s; inside for }m, 'how often it is written to');
    like($out, qr{^queue +\d+ of 1024; 0/s dropped, 0/s refused$}m, 'its queue');
    like($out, qr/^SHARD +STATE .*\n\d+ +(?:STABLE|GROWING) /m, 'the hottest shards');
    unlike($out, qr/\033/, 'and no colours');

    my $json;
    ok(eventually(20, sub { $json = decode_json((while_writing(program(), @top, '-o', 'json'))[1]); return $json->{writes_per_s} > 0 }),
        '-o json has rates');
    is($json->{node}, 'a', 'and is one object');
    is($json->{map}{shard_count}, scalar @{ $json->{map}{shards} }, 'and the map with all its shards');
};

subtest 'on a terminal' => sub {
    my $log = work_dir() . '/top.log';
    my $command = join ' ', program(), @top;
    open(my $keys, '|-', "exec script -qefc '$command' $log >/dev/null") or die "script: $!";
    ok(eventually(10, sub { -e $log && (() = read_file($log) =~ /q ends it/g) >= 3 }), 'it draws again and again') or diag read_file($log);
    my $text = read_file($log);
    like($text, qr/\033\[2J\033\[H/, 'over what was there');
    like($text, qr/stream live/, 'what it sees');
    print {$keys} 'q';
    $keys->flush;
    alarm 20; # or the next line would wait for ever
    ok(close($keys), 'q ends it');
    alarm 0;
    is($?, 0, 'well');
};

subtest 'what cannot be' => sub {
    my ($exit, undef, $err) = run_program(program(), 'top', '--interval', '1ms');
    is($exit, 2, 'an interval that is too short is refused');
    like($err, qr/--interval: "1ms" is none; allowed: 100ms to 1h/, 'with what is allowed');
    $node->stop;
    ($exit) = run_program(program(), @top);
    is($exit, 69, 'a daemon that is not there');
};

done_testing();
