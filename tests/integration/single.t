#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# One daemon with its embedded stream, from outside: its HTTP interface, its sockets, its signals.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IO::Socket::UNIX;
use Mesh;
use Mesh::Node;
use Test::More;

my $target = start_target();
my $target_port = $target->{port};
my $node = Mesh::Node->new(id => 'a', services => <<"END");
  - name: web
    check: {type: tcp, interval: 500ms, timeout: 400ms, rise: 1, fall: 1}
    instances: [{id: web-1, address: 127.0.0.1, port: $target_port}]
  - {name: empty}
END
$node->start;
ok($node->ready(5), 'a node with its own stream is ready at once');
is($node->status('GET', '/livez'), 200, 'it is live');
like($node->request('GET', '/readyz?verbose')->{content}, qr/\[\+\]map-replayed ok/, 'readyz says why');

subtest 'an instance is put, read, changed and deleted' => sub {
    my $made = $node->put('pay', 'p1', { weight => 3 });
    is($made->{status}, 201, 'put makes it');
    my $read = $node->get('pay', 'p1');
    is($read->{json}{weight}, 3, 'get shows it');
    ok(eventually(5, sub { $node->get('pay', 'p1')->{json}{acked} }), 'the stream accepts it');
    $read = $node->get('pay', 'p1');
    is($read->{headers}{etag}, "\"$read->{json}{version}\"", 'the ETag is the version');
    my $again = $node->put('pay', 'p1', { weight => 3 });
    is($again->{status}, 200, 'an equal put is fine');
    is($again->{json}{version}, $read->{json}{version}, 'and changes no version');
    is($node->put('pay', 'p1', { weight => 4 }, '?ack=stream')->{status}, 200, 'ack=stream waits');
    ok($node->get('pay', 'p1')->{json}{acked}, 'and then it is acked');

    my $path = '/v1/services/pay/instances/p1';
    my $stale = $node->request('PATCH', $path, { weight => 5 }, { 'If-Match' => $read->{headers}{etag} });
    is($stale->{status}, 412, 'an old version is stale');
    is($stale->{json}{current}{weight}, 4, 'and the current one is told');
    my $fresh = $node->request('PATCH', $path, { weight => 5 },
        { 'If-Match' => $node->get('pay', 'p1')->{headers}{etag} });
    is($fresh->{status}, 200, 'the current version is not');
    is($fresh->{json}{weight}, 5, 'and the change is there');

    is($node->status('DELETE', $path), 204, 'delete');
    is($node->get('pay', 'p1')->{status}, 404, 'and it is gone');
    is($node->status('DELETE', $path), 404, 'a second delete finds nothing');
};

subtest 'a drain goes over what is observed' => sub {
    ok(eventually(5, sub { $node->health('web', 'web-1') eq 'HEALTHY' }), 'the probe finds it healthy');
    my $path = '/v1/services/web/instances/web-1/override';
    my $drain = $node->request('PUT', $path, { status => 'DRAINING', reason => 'deploy', actor => 'ops', ttl => '1h' });
    ok($drain->{success}, 'drained') or diag $drain->{content};
    is($node->health('web', 'web-1'), 'DRAINING', 'it is draining');
    ok($node->request('DELETE', $path)->{success}, 'undrained');
    is($node->health('web', 'web-1'), 'HEALTHY', 'it is healthy again');
};

subtest 'an external report counts as a vote' => sub {
    $node->put('rep', 'r1');
    my $path = '/v1/services/rep/instances/r1/observations/lb';
    ok($node->request('PUT', $path, { status => 'UNHEALTHY', reason => 'Reported' })->{success}, 'reported');
    is($node->health('rep', 'r1'), 'UNHEALTHY', 'the only voice decides');
    ok($node->request('DELETE', $path)->{success}, 'withdrawn');
    is($node->health('rep', 'r1'), 'UNKNOWN', 'nobody has observed it');
    is($node->request('PUT', '/v1/services/rep/instances/r1/observations/a', { status => 'HEALTHY' })->{status}, 409,
        'a node id is no external observer');
};

subtest 'the lag of its own stream is told by a clock that runs' => sub {
    my $name = 'meshpulse_replication_lag_seconds';
    my ($count, $sum) = map { $node->metric("${name}_$_") } qw(count sum);
    for my $weight (1 .. 10) {
        select undef, undef, undef, 0.15; # the time between two writes is no lag
        $node->put('lag', 'l1', { weight => $weight });
    }
    ok(eventually(5, sub { $node->metric("${name}_count") >= $count + 10 }), 'it is measured');
    my $mean = ($node->metric("${name}_sum") - $sum) / ($node->metric("${name}_count") - $count);
    cmp_ok($mean, '<', 0.05 * ($ENV{MESH_PATIENCE} // 1), 'and it is short');
};

subtest 'a failing probe is a decision in the log, a metric and an event' => sub {
    my $watch = $node->watch('?service=web&since=' . $node->json('/v1/services/web/instances')->{index});
    stop_target($target);
    ok(eventually(5, sub { $node->health('web', 'web-1') eq 'UNHEALTHY' }), 'it becomes unhealthy');
    like(read_file($node->{log}),
        qr/^\S+Z info health service=web instance=web-1 from=HEALTHY to=UNHEALTHY reason=ConnectRefused observer=a$/m,
        'one line says so');
    my $event = $watch->next_event(5);
    is($event->{event}, 'change', 'a change');
    is($event->{data}{status}, 'UNHEALTHY', 'with the new status');
    cmp_ok($node->metric('meshpulse_health_transitions_total{from="HEALTHY",to="UNHEALTHY"}'), '>=', 1, 'counted');
    $target = start_target($target_port);
    ok(eventually(5, sub { $node->health('web', 'web-1') eq 'HEALTHY' }), 'and healthy again');
};

subtest 'a node does not probe its own listener' => sub {
    $node->put('web', 'self', { port => $node->{port} });
    my $reason = sub { $node->get('web', 'self')->{json}{observations}[0]{reason} // '' };
    ok(eventually(5, sub { $reason->() eq 'TargetRefused' }), 'refused');
    is($node->health('web', 'self'), 'UNKNOWN', 'and nothing is known of it');
    $node->request('DELETE', '/v1/services/web/instances/self');
};

subtest 'services of the file are listed, also empty ones' => sub {
    my %services = map { ($_->{name} => $_) } @{ $node->json('/v1/services')->{items} };
    is($services{web}{instances}, 1, 'web has one instance');
    is($services{empty}{instances}, 0, 'empty has none');
};

subtest 'the metrics that others rely on are there' => sub {
    my $text = $node->request('GET', '/metrics')->{content};
    for my $name (qw(build_info ready instances map_records map_bytes health_transitions_total
        events_published_total events_duplicate_total events_stale_total replication_lag_seconds_count
        outbox_records redis_connected digest_mismatch checks_total http_requests_total)) {
        like($text, qr/^meshpulse_$name\b/m, $name);
    }
    cmp_ok($node->metric('meshpulse_events_published_total'), '>', 0, 'records were published');
    is($node->metric('meshpulse_ready'), 1, 'ready');
};

subtest 'the digest and the partitions are told' => sub {
    ok(eventually(5, sub { $node->digest->{pending} eq '0' }), 'nothing is pending');
    like($node->digest->{digest}, qr/^\d+-[0-9a-f]{12}$/, 'the digest');
    my @states = map { $_->{state} } @{ $node->json('/v1/partitions')->{items} };
    is(scalar(grep { $_ eq 'live' } @states), 16, 'all partitions are live');
    my ($self) = @{ $node->json('/v1/nodes')->{items} };
    is($self->{id}, 'a', 'the node knows itself');
    is($self->{stream}, 'live', 'and that its stream is live');
};

subtest 'a second daemon on the same sockets ends, and disturbs nothing' => sub {
    my ($status, undef, $errors) = run_program(program(), 'serve', '--set', "admin.listen=127.0.0.1:$node->{port}");
    is($status, 1, 'the port is in use') or diag $errors;
    like($errors, qr/admin\.listen/, 'and it is named');
    ($status, undef, $errors) =
        run_program(program(), 'serve', '--set', 'admin.listen=127.0.0.1:0', '--set', "admin.unix=$node->{unix}");
    is($status, 1, 'the unix socket is in use') or diag $errors;
    ok(IO::Socket::UNIX->new(Peer => $node->{unix}), 'the first one still listens there');
    my $file = write_file(work_dir() . '/plain', "text\n");
    ($status) = run_program(program(), 'serve', '--set', 'admin.listen=127.0.0.1:0', '--set', "admin.unix=$file");
    is($status, 1, 'a path that is no socket');
    is(read_file($file), "text\n", 'stays as it is');
};

subtest 'a restart ends a watch with resync, not with a gap' => sub {
    my $watch = $node->watch('?service=pay');
    $node->put('pay', 'p2');
    my $event = $watch->next_event(5);
    is($event->{event}, 'change', 'an event came');
    is($node->stop, 0, 'SIGTERM: exit 0');
    ok(!-e $node->{unix}, 'the socket is gone');
    $node->start;
    ok($node->ready(5), 'ready again');
    my $resumed = $node->watch('?service=pay', { 'Last-Event-ID' => $event->{id} });
    is(($resumed->next_event(5) // {})->{event}, 'resync', 'the index is of another process');
};

subtest 'SIGHUP keeps it running' => sub {
    kill 'HUP', $node->{pid};
    ok(eventually(5, sub { read_file($node->{log}) =~ /\breload\b/ }), 'it says what it did');
    is($node->status('GET', '/livez'), 200, 'and lives');
};

subtest 'a wrong configuration opens no socket and says all' => sub {
    my $socket = work_dir() . '/never';
    my $file = write_file(work_dir() . '/bad.yaml', "config_version: 1\nadmin: {unix: $socket, nonsense: 1}\nstream: {lease: 1}\n");
    my ($status, undef, $errors) = run_program(program(), 'serve', '-c', $file);
    is($status, 78, 'exit 78');
    like($errors, qr/bad\.yaml:2:\d+: .*nonsense/, 'the first error');
    like($errors, qr/bad\.yaml:3:\d+: .*lease/, 'the second one too');
    ok(!-e $socket, 'no socket');
    ($status) = run_program(program(), 'check-config', $file);
    is($status, 78, 'check-config says the same');
    ($status) = run_program(program(), 'check-config', $node->{file});
    is($status, 0, 'and accepts a good one');
};

subtest 'what --print-config prints is accepted' => sub {
    my ($status, $text) = run_program(program(), 'serve', '-c', $node->{file}, '--set', 'log.level=warn', '--print-config');
    is($status, 0, 'printed');
    like($text, qr/level: "?warn/, 'with the value that was set');
    my ($again, undef, $errors) = run_program(program(), 'check-config', write_file(work_dir() . '/printed.yaml', $text));
    is($again, 0, 'accepted') or diag $errors;
};

kill 'INT', $node->{pid};
is(reap_within(10, $node->{pid}), 0, 'SIGINT ends it, too');
done_testing();
