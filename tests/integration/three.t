#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Three daemons and a private Redis: what one is told all of them know, and what becomes of them when the
# server dies, goes back, forgets or lies, when a daemon is stopped or killed, and when a stranger writes.
# After each fault the promises of Mesh::Fleet are asked for.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Mesh;
use Mesh::Fleet;
use POSIX ();
use Test::More;

my $fleet = Mesh::Fleet->new(name => 'redis', ids => [qw(a b c)], services => <<'END');
  - name: file
    instances: [{id: f1, address: 127.0.0.1, port: 9001}, {id: f2, address: 127.0.0.1, port: 9002, weight: 7}]
  - {name: empty, max_unhealthy_percent: 30}
END
my ($a, $b, $c) = $fleet->nodes;
my $redis = $fleet->redis;

sub put_many {
    my ($node, $name, $count, $weight) = @_;
    $fleet->put($node, "$name$_", $weight) for 1 .. $count;
    return;
}

sub resyncs {
    my ($node) = @_;
    my $sum = 0;
    $sum += $_->{resyncs} for @{ $node->json('/v1/partitions')->{items} };
    return $sum;
}

sub is_live {
    my ($node, $id) = @_;
    return scalar grep { $_->{id} eq $id && $_->{live} } @{ $node->json('/v1/nodes')->{items} };
}

subtest 'what is put on one node is seen on the others' => sub {
    is($fleet->put($a, 'one', 1)->{status}, 201, 'put on a');
    for my $node ($b, $c) {
        ok(eventually(2, sub { $node->get('pay', 'one')->{status} == 200 }), "seen on $node->{id}");
    }
    put_many($a, 'first', 20, 2);
    put_many($b, 'second', 20, 3);
    $fleet->converged(10);
    ok(eventually(5, sub { 3 == grep { $_->{agrees} && $_->{live} && $_->{stream} eq 'live' } @{ $a->json('/v1/nodes')->{items} } }),
        'and a knows that all agree') or diag explain $a->json('/v1/nodes');
};

subtest 'a report of one node is a voice on all' => sub {
    ok($a->request('PUT', '/v1/services/pay/instances/one/observations/lb', { status => 'UNHEALTHY' })->{success}, 'reported');
    for my $node ($b, $c) {
        ok(eventually(2, sub { $node->health('pay', 'one') eq 'UNHEALTHY' }), "unhealthy on $node->{id}");
    }
    ok($b->request('DELETE', '/v1/services/pay/instances/one/observations/lb')->{success}, 'withdrawn elsewhere');
    ok(eventually(2, sub { $a->health('pay', 'one') eq 'UNKNOWN' }), 'unknown again on a');
};

subtest 'three daemons with one file publish it once' => sub {
    my $before = $fleet->server_records;
    cmp_ok(scalar(keys %$before), '>', 40, 'the server holds the records');
    for my $node ($fleet->nodes) {
        is($node->stop, 0, "$node->{id} ends");
        $fleet->restarted($node);
    }
    $_->start for $fleet->nodes;
    ok($_->ready(20), "$_->{id} is ready") for $fleet->nodes;
    $fleet->converged(10);
    is_deeply($fleet->server_records, $before, 'restarting all of them publishes nothing of the file');
};

subtest 'Redis dies and comes back empty' => sub {
    $redis->kill_hard;
    ok($fleet->eventually_seen(5, sub { $b->metric('meshpulse_redis_connected') == 0 }), 'b notices');
    put_many($b, 'outage', 10, 4);
    is($b->status('GET', '/readyz'), 200, 'who was ready stays ready');
    my $etag = $b->get('pay', 'one')->{headers}{etag};
    is($b->request('PATCH', '/v1/services/pay/instances/one', { weight => 9 }, { 'If-Match' => $etag })->{status}, 503,
        'a conditional write cannot be decided');
    is($b->get('pay', 'one')->{json}{weight}, 1, 'and changes nothing');
    $redis->start;
    $fleet->converged(25);
};

subtest 'Redis comes back with an older state' => sub {
    $redis->call('SAVE');
    put_many($a, 'first', 10, 5);
    put_many($c, 'newer', 10, 6);
    $fleet->converged(10);
    $redis->kill_hard;
    $redis->start;
    $fleet->converged(25);
};

subtest 'Redis hangs' => sub {
    $redis->stop;
    put_many($b, 'hang', 5, 4);
    ok($fleet->eventually_seen(10, sub { $b->metric('meshpulse_redis_connected') == 0 }), 'b gives up waiting');
    put_many($b, 'hang', 10, 5);
    is($b->status('GET', '/livez'), 200, 'nothing blocks');
    $redis->cont;
    $fleet->converged(20);
};

subtest 'FLUSHALL' => sub {
    $redis->call('FLUSHALL');
    $fleet->converged(30);
};

subtest 'the log is trimmed past the cursor of a stopped daemon' => sub {
    my $before = resyncs($c);
    $c->{away} = 1;
    kill 'STOP', $c->{pid};
    # The first entry may lie in c's socket already, the answer to the XREAD that it slept in; no later one can.
    for my $weight (6, 7) {
        put_many($a, 'first', 10, $weight);
        ok(eventually(5, sub { $a->digest->{pending} eq '0' }), 'a has published');
    }
    $redis->call('XTRIM', $_, 'MAXLEN', 0) for $redis->keys_of('e');
    ok($fleet->eventually_seen(10, sub { !is_live($a, 'c') }), 'a takes c for down');
    kill 'CONT', $c->{pid};
    delete $c->{away};
    $fleet->converged(20);
    cmp_ok(resyncs($c), '>', $before, 'c has read partitions again');
    ok($fleet->eventually_seen(10, sub { is_live($a, 'c') && is_live($c, 'c') }), 'and is up again');
};

subtest 'a daemon is killed while it publishes' => sub {
    my $notes = work_dir() . '/acked';
    my $pid = fork // die;
    if ($pid == 0) {
        open my $out, '>', $notes or POSIX::_exit(1);
        $out->autoflush(1);
        for my $i (1 .. 2000) {
            my $answer = eval { $b->put('pay', 'killed' . $i % 50, { weight => $i }, '?ack=stream') };
            last if !$answer || $answer->{status} == 599;
            print {$out} 'killed' . $i % 50 . " $i\n" if $answer->{json} && $answer->{json}{acked};
        }
        POSIX::_exit(0);
    }
    eventually(5, sub { read_file($notes) =~ tr/\n// > 30 });
    is($b->kill_hard, 'signal 9', 'killed');
    waitpid $pid, 0;
    my %acked = read_file($notes) =~ /^(\S+) (\d+)$/mg;
    cmp_ok(scalar(keys %acked), '>', 10, 'it had acknowledged some writes');
    $fleet->restarted($b);
    $b->start;
    ok($b->ready(20), 'b is ready again');
    ok($fleet->eventually_seen(10, sub { $fleet->agree }), 'all agree');
    # The write that was not answered may have come through: each shows what was acknowledged, or newer.
    my %shown = map { ($_->{id} => $_->{weight}) } @{ $c->json('/v1/services/pay/instances')->{items} };
    is_deeply([grep { ($shown{$_} // 0) < $acked{$_} } sort keys %acked], [], 'nothing acknowledged is lost');
    $fleet->converged(10);
};

subtest 'a stranger writes garbage' => sub {
    my ($log) = $redis->keys_of('e');
    my ($hash) = map { s/e\z/s/r } $log;
    $redis->call('XADD', $log, '*', 'who', 'knows');
    $redis->call('XADD', $_, '*', "\0", "\xff" x 100, "default\0pay\0one", 'x' x 5000) for $redis->keys_of('e');
    ok($fleet->eventually_seen(10, sub { @{ $a->json('/debug/partitions')->{rejects} } >= 1 }), 'it is told');
    cmp_ok($a->metric('meshpulse_events_rejected_total{reason="garbage"}'), '>=', 1, 'and counted');
    put_many($a, 'first', 10, 8);
    $fleet->converged(15);

    $redis->call('HSET', $hash, "default\0pay\0stranger", 'not a record');
    $redis->call('XTRIM', $log, 'MAXLEN', 0);
    put_many($a, 'first', 10, 9);
    $fleet->converged(15, stranger => 1);
    $redis->call('HDEL', $hash, "default\0pay\0stranger");
    put_many($a, 'first', 10, 10);
    $fleet->converged(20);
};

subtest 'a watcher whose daemon restarts, or who moves to another, is told to list again' => sub {
    my $watch = $a->watch('?service=pay');
    $fleet->put($a, 'one', 11);
    my $event = $watch->next_event(5);
    is($event->{event}, 'change', 'an event of a');
    my $moved = $b->watch('?service=pay', { 'Last-Event-ID' => $event->{id} });
    is(($moved->next_event(5) // {})->{event}, 'resync', 'b does not know that index');
    is($a->stop, 0, 'a ends');
    $fleet->restarted($a);
    $a->start;
    ok($a->ready(20), 'a is ready again');
    my $back = $a->watch('?service=pay', { 'Last-Event-ID' => $event->{id} });
    is(($back->next_event(5) // {})->{event}, 'resync', 'nor does a, restarted');
    my $index = $a->json('/v1/services/pay/instances')->{index};
    my $fresh = $a->watch("?service=pay&since=$index");
    $fleet->put($c, 'one', 12);
    $event = $fresh->next_event(5) // {};
    is($event->{data}{weight}, 12, 'list, then since=index: the next change comes') or diag explain $event;
    $fleet->converged(10);
};

for my $node ($fleet->nodes) {
    is($node->stop, 0, "$node->{id} ends within its time");
    unlike(read_file($node->{log}), qr/assertion failed|ERROR: \w+Sanitizer/, 'and nothing broke on the way');
}
done_testing();
