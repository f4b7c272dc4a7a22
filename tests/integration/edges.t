#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# What a daemon does where it cannot do its work: no server at its start, a server that may evict, a prefix
# made for another number of partitions, a second daemon of the same name.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Mesh;
use Mesh::Node;
use Mesh::Redis;
use Test::More;

my @quick = qw(stream.lease=2s stream.backoff_max=200ms stream.connect_timeout=1s stream.reply_timeout=1s);
my $services = "  - name: file\n    instances: [{id: f1, address: 127.0.0.1, port: 9001}]\n";

sub lines { my ($node) = @_; return $node->request('GET', '/readyz?verbose')->{content} }

subtest 'without a server a node serves what it knows, and says so' => sub {
    my $socket = work_dir() . '/nobody';
    my $node = Mesh::Node->new(id => 'alone', url => "unix://$socket", services => $services,
        set => [@quick, 'stream.start_without=1s']);
    $node->start;
    is($node->status('GET', '/readyz'), 503, 'not ready at first');
    is($node->put('pay', 'p1')->{status}, 201, 'an unconditional write is kept');
    my $answer = $node->request('PUT', '/v1/services/pay/instances/p2', { address => '127.0.0.1', port => 1 },
        { 'If-None-Match' => '*' });
    is($answer->{json}{code}, 'not_ready', 'a conditional one is not decided');
    ok($node->ready(5), 'ready after start_without');
    like(lines($node), qr/\[-\]stale-start failed: no server answered/, 'and stale');
    like(lines($node), qr/\[-\]stream failed: /, 'the stream is out of reach');
    is($node->get('file', 'f1')->{status}, 200, 'the file is served');
    $answer = $node->request('PUT', '/v1/services/pay/instances/p2', { address => '127.0.0.1', port => 1 },
        { 'If-None-Match' => '*' });
    is($answer->{json}{code}, 'stream_unavailable', 'a conditional write needs the stream');
    is($node->put('pay', 'p3', {}, '?ack=stream&timeout=200ms')->{status}, 202, 'ack=stream gives up in time');
    is($node->json('/v1/nodes')->{items}[0]{stream}, 'stale', 'its own row says stale');
    is($node->stop, 0, 'it ends although the stream does not answer');
};

subtest 'a server that may evict is refused loudly' => sub {
    my $redis = Mesh::Redis->new('evicting');
    $redis->call('CONFIG', 'SET', 'maxmemory', '100mb');
    $redis->call('CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lru');
    my $node = Mesh::Node->new(id => 'e', url => $redis->url, set => [@quick, 'stream.start_without=1h']);
    $node->start;
    ok(eventually(10, sub { lines($node) =~ /\[-\]eviction-policy failed: / }), 'readyz says why') or diag lines($node);
    $node->put('pay', 'p1');
    ok($node->ready(20), 'it can be read, so the node is ready');
    is($redis->entries_added, 0, 'nothing is published');
    is($node->digest->{pending}, 1, 'the write is kept');
    $redis->call('CONFIG', 'SET', 'maxmemory-policy', 'noeviction');
    ok(eventually(20, sub { $node->digest->{pending} eq '0' }), 'once the server does not evict it is published');
    cmp_ok($redis->entries_added, '>', 0, 'and stands in the log');
    ok(eventually(2, sub { lines($node) =~ /\[\+\]eviction-policy ok/ }), 'readyz says so');
    ok(eventually(2, sub { $node->metric('meshpulse_redis_publishing_refused') eq '0' }), 'so does the metric');
    like(read_file($node->{log}), qr/ info stream .*what="the server does not evict keys any more"/, 'and the log');
    is($node->metric('meshpulse_redis_reconnects_total'), 0, 'without a new connection');

    $redis->call('CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lru');
    ok(eventually(20, sub { lines($node) =~ /\[-\]eviction-policy failed: / }), 'a policy spoilt later is noticed as well');
    ok(eventually(2, sub { $node->metric('meshpulse_redis_publishing_refused') eq '1' }), 'and shown by the metric');
    my $entries = $redis->entries_added;
    $node->put('pay', 'p2');
    is($redis->entries_added, $entries, 'nothing is published from then on');
    is($node->stop, 0, 'ends');
    $redis->kill_hard;
};

subtest 'scripts are forgotten in the middle of a load' => sub {
    my $redis = Mesh::Redis->new('scripts');
    my $node = Mesh::Node->new(id => 'f', url => $redis->url, set => \@quick);
    $node->start;
    ok($node->ready(15), 'ready');
    my $services = 24; # of all partitions
    for my $round (1 .. 4) {
        $node->put("load$_", 'i', { weight => $round }) for 1 .. $services;
        $redis->call('SCRIPT', 'FLUSH');
        $node->put("load$_", 'j', { weight => $round }) for 1 .. $services;
    }
    my $patience = 1; # a call that is tried later waits for at least so many seconds
    ok(eventually($patience, sub { $node->digest->{pending} eq '0' }), 'all is published within a second');
    my @wrong = grep { $node->get("load$_", 'j')->{json}{weight} != 4 || !$node->get("load$_", 'j')->{json}{acked} } 1 .. $services;
    is(scalar @wrong, 0, 'and nothing is lost or out of order') or diag "@wrong";
    is($node->metric('meshpulse_redis_reconnects_total'), 0, 'on the same connection');
    is($node->stop, 0, 'ends');
    $redis->kill_hard;
};

subtest 'a prefix of another number of partitions' => sub {
    my $redis = Mesh::Redis->new('partitions');
    my $node = Mesh::Node->new(id => 'p', url => $redis->url, set => \@quick);
    $node->start;
    ok($node->ready(15), 'the first makes the prefix');
    my $other = Mesh::Node->new(id => 'q', url => $redis->url, set => [@quick, 'stream.partitions=8']);
    $other->{pid} = spawn($other->{log}, $other->{log}, $other->arguments);
    is(reap_within(10, $other->{pid}), 78, 'another is refused');
    like(read_file($other->{log}), qr/stream\.partitions differs/, 'and told why');
    ok(!-e $other->{unix}, 'no socket is left');

    subtest 'a second node of the same name' => sub {
        my $twin = Mesh::Node->new(id => 'twin', url => $redis->url, file => $node->{file}, set => [@quick, 'node.id=p']);
        $twin->start;
        ok($twin->ready(15), 'the newer one is ready');
        ok(eventually(10, sub { lines($node) =~ /\[-\]fenced failed: .* set node\.id/ }), 'the older one is fenced, and says what to do')
            or diag lines($node);
        is($node->put('pay', 'p1')->{json}{code}, 'fenced', 'it takes no writes');
        is($node->status('GET', '/v1/services'), 200, 'and stays readable');
        ok($twin->put('pay', 'p2', {}, '?ack=stream')->{success}, 'the newer one works');
        is($twin->stop, 0, 'ends');
    };
    is($node->stop, 0, 'ends');
    $redis->kill_hard;
};
done_testing();
