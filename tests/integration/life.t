#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# What changes by itself or with the file: leases, ends of drains and reports, instances that a file stops
# listing, policies of others, files for Envoy.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP;
use Mesh;
use Mesh::Node;
use Mesh::Redis;
use Test::More;

my $redis = Mesh::Redis->new('redis');
my @quick = qw(stream.lease=2s stream.backoff_max=200ms stream.connect_timeout=1s stream.reply_timeout=1s);
my %ports = map { ($_ => start_target()->{port}) } qw(w1 w2);

sub services_of {
    my (@instances) = @_;
    my $list = join ', ', map { "{id: $_, address: 127.0.0.1, port: $ports{$_}}" } @instances;
    return "  - name: web\n    observers: all\n    check: {type: tcp, interval: 500ms, timeout: 400ms, rise: 1, fall: 1}\n    instances: [$list]\n";
}

my $files = work_dir() . '/eds';
my $a = Mesh::Node->new(id => 'a', url => $redis->url, services => services_of(qw(w1 w2)),
    set => [@quick, "xds.files_dir=$files"]);
my $b = Mesh::Node->new(id => 'b', url => $redis->url, set => [@quick, 'check.external_policy=false']);
$_->start for $a, $b;
ok($_->ready(20), "$_->{id} is ready") for $a, $b;

sub observers {
    my ($node, $id) = @_;
    return join ',', map { $_->{observer} } @{ $node->get('web', $id)->{json}{observations} };
}

subtest 'a node that has switched off policies of others probes nothing of theirs' => sub {
    ok(eventually(10, sub { $b->health('web', 'w1') eq 'HEALTHY' }), 'healthy on b, by what a has found');
    is(observers($b, 'w1'), 'a', 'a alone has looked');
};

subtest 'files for Envoy follow the map' => sub {
    my $read = sub { eval { decode_json(read_file("$files/web.json")) } };
    my $states = sub {
        my $file = $read->() or return '';
        my @endpoints = map { @{ $_->{lb_endpoints} } } @{ $file->{resources}[0]{endpoints} };
        return join ' ', sort map { $_->{health_status} // 'none' } @endpoints;
    };
    ok(eventually(10, sub { $states->() eq 'HEALTHY HEALTHY' }), 'both endpoints are healthy') or diag read_file("$files/web.json");
    $b->request('PUT', '/v1/services/web/instances/w2/override', { status => 'DRAINING', reason => 'x', actor => 'y', indefinite => JSON::PP::true });
    ok(eventually(5, sub { $states->() =~ /DRAINING/ }), 'a drain on b reaches the file of a') or diag read_file("$files/web.json");
    $a->request('DELETE', '/v1/services/web/instances/w2/override');
    ok(eventually(5, sub { $states->() eq 'HEALTHY HEALTHY' }), 'and its end');
};

subtest 'a drain ends by itself on every node' => sub {
    my $drain = $a->request('PUT', '/v1/services/web/instances/w1/override',
        { status => 'DRAINING', reason => 'short', actor => 'ops', ttl => '5s' });
    ok($drain->{success}, 'drained for a few seconds');
    ok(eventually(2, sub { $b->health('web', 'w1') eq 'DRAINING' }), 'draining on b');
    for my $node ($a, $b) {
        ok(eventually(15, sub { $node->health('web', 'w1') eq 'HEALTHY' }), "over on $node->{id}");
    }
};

subtest 'a lease that is not renewed makes an instance unhealthy, a renewal heals it' => sub {
    $a->put('leased', 'l1', { lease => '1s' });
    ok(eventually(5, sub { $b->health('leased', 'l1') eq 'UNHEALTHY' }), 'expired, seen on b');
    is($b->get('leased', 'l1')->{json}{reason}, 'LeaseExpired', 'and why');
    my $version = $a->get('leased', 'l1')->{json}{version};
    $a->put('leased', 'l1', { lease => '1s' });
    ok(eventually(5, sub { $b->health('leased', 'l1') ne 'UNHEALTHY' }), 'renewed');
    is($a->get('leased', 'l1')->{json}{version}, $version, 'a renewal changes no version');
    $a->request('DELETE', '/v1/services/leased/instances/l1');
};

subtest 'a report ends with its ttl' => sub {
    $a->put('rep', 'r1');
    $a->request('PUT', '/v1/services/rep/instances/r1/observations/lb', { status => 'UNHEALTHY', ttl => '5s' });
    ok(eventually(2, sub { $b->health('rep', 'r1') eq 'UNHEALTHY' }), 'reported');
    ok(eventually(12, sub { $b->health('rep', 'r1') eq 'UNKNOWN' }), 'withdrawn');
};

subtest 'an instance that the file stops listing goes, one of the API stays' => sub {
    $a->put('web', 'extra', { port => $ports{w1} });
    is($a->stop, 0, 'a ends');
    $a->{services} = services_of('w1');
    $a->write_config;
    $a->start;
    ok($a->ready(20), 'a is back with a shorter file');
    ok(eventually(10, sub { $b->get('web', 'w2')->{status} == 404 }), 'w2 is gone on b');
    is($b->get('web', 'w1')->{status}, 200, 'w1 is there');
    is($b->get('web', 'extra')->{status}, 200, 'the one of the API, too');
};

subtest 'what the API deleted stays deleted until a file names it again' => sub {
    is($b->status('DELETE', '/v1/services/web/instances/w1'), 204, 'deleted on b');
    ok(eventually(5, sub { $a->get('web', 'w1')->{status} == 404 }), 'gone on a');
    is($a->stop, 0, 'a ends');
    $a->start;
    ok($a->ready(20), 'a is back');
    ok(eventually(5, sub { $b->get('web', 'w1')->{status} == 200 }), 'named by the file, it is back');
};

subtest 'a node with another policy of a service says whose it replaces' => sub {
    my $c = Mesh::Node->new(id => 'c', url => $redis->url, set => \@quick,
        services => "  - {name: web, observers: all, max_unhealthy_percent: 10}\n");
    $c->start;
    ok($c->ready(20), 'c is ready');
    like(read_file($c->{log}), qr/ warn policy service=web replaced=a /, 'it names a');
    ok(eventually(5, sub { $b->json('/v1/services/web')->{instances} == 1 }), 'w1 goes, the one of the API stays');
    is($c->stop, 0, 'c ends');
    my $d = Mesh::Node->new(id => 'd', url => $redis->url, set => \@quick, file => $c->{file});
    $d->start;
    ok($d->ready(20), 'd is ready');
    unlike(read_file($d->{log}), qr/ warn policy /, 'with the same file it replaces nothing');
    is($d->stop, 0, 'd ends');
};

for my $node ($a, $b) {
    is($node->stop, 0, "$node->{id} ends");
    unlike(read_file($node->{log}), qr/assertion failed|ERROR: \w+Sanitizer/, 'and nothing broke on the way');
}
done_testing();
