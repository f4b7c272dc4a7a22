#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# `meshpulse status` against real daemons: what it says and how it exits while the mesh is fine, while its
# Redis stands still, while a node is down, and while a daemon is not ready.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP;
use Mesh;
use Mesh::Fleet;
use Test::More;

delete @ENV{qw(MESHPULSE_SERVER NO_COLOR)};

my $fleet = Mesh::Fleet->new(name => 'status', ids => [qw(a b)], services => <<'EOF');
  - {name: pay, instances: [{id: p1, address: 127.0.0.1, port: 8081}, {id: p2, address: 127.0.0.1, port: 8082}]}
EOF
my ($first, $second) = @{ $fleet->{nodes} };

sub status {
    my ($node, @options) = @_;
    return run_program(program(), 'status', '--server', "http://127.0.0.1:$node->{port}", @options);
}

# Asks until the exit status is that and stdout matches.
sub becomes {
    my ($name, $exit, $pattern, @options) = @_;
    my ($got, $out, $err);
    my $same = eventually(15, sub {
        ($got, $out, $err) = status($first, @options);
        return $got eq $exit && $out =~ $pattern;
    });
    ok($same, $name) or diag "exit $got\n$out$err";
    return $out;
}

subtest 'a mesh that is fine' => sub {
    becomes('two replicas agree', 0, qr/\Ameshpulse  fine .as node a sees it.\nreplicas   2 of 2 live; all agree; digest \d+-[0-9a-f]{12}\n/);
    becomes('its stream is live', 0, qr/^stream +live; 16 of 16 partitions live; 0 pending\nlag +\d+ms at most, on node [ab]$/m);
    $first->request('PUT', Mesh::Node::instance_path('pay', 'p1') . '/observations/ops',
        { status => 'UNHEALTHY', reason => 'Maintenance', text => 'disk' });
    $first->request('PUT', Mesh::Node::instance_path('pay', 'p2') . '/override',
        { status => 'DRAINING', reason => 'deploy 42', actor => 'ops', indefinite => JSON::PP::true });
    my $out = becomes('a drain is listed', 0, qr{^drains +1 draining\n +drained +pay/p2 until undrain, by ops: deploy 42$}m);
    like($out, qr/^services +1; instances 2, 1 unhealthy, 1 draining$/m, 'so are the counts');
    like($out, qr/^SERVICE +INSTANCE .*\npay +p1 +UNHEALTHY +UNHEALTHY +Maintenance +\d+s +disk\n\z/m, 'and the worst');
    unlike($out, qr/\033/, 'without a terminal there are no colours');
    my $json = decode_json(becomes('-o json is one object', 0, qr/\A\{.*\}\n\z/, '-o', 'json'));
    is_deeply([(map { "$_" } @$json{qw(verdict ready fine)}), $json->{worst}[0]{id}, $json->{drains}[0]{id}], ['fine', 1, 1, 'p1', 'p2'],
        'which says the same');
    is_deeply([status($first, '--ready')], [0, "ready\n", ''], '--ready says only that');
};

subtest 'Redis stands still' => sub {
    $fleet->{redis}->stop;
    my $out = becomes('it is a problem', 1, qr/\Ameshpulse  attention .*\n  problem  stream: redis: not connected/);
    like($out, qr/^stream +(?:stale|connecting); 0 of 16 partitions live/m, 'the stream is not live');
    is_deeply([status($first, '--ready')], [0, "ready\n", ''], 'but the node stays ready');
    $fleet->{redis}->cont;
    becomes('and passes', 0, qr/all agree/);
};

subtest 'a node is down' => sub {
    $second->kill_hard;
    becomes('it is named', 0, qr/^replicas   1 of 2 live \(down: b\); nobody to agree with;/m);
    is((status($second))[0], 69, 'itself it cannot be reached');
};

subtest 'not ready' => sub {
    my $lost = Mesh::Node->new(id => 'lost', url => 'unix:///nonexistent', set => ['stream.start_without=0']);
    $lost->start;
    my ($exit, $out, $err) = status($lost);
    is($exit, 1, 'exits with 1');
    like($out, qr/\Ameshpulse  not ready .*\n  problem  map-replayed: /, 'and says why');
    ($exit, $out, $err) = status($lost, '--ready');
    is_deeply([$exit, $out], [1, "not ready\n"], '--ready too');
    like($err, qr/^meshpulse: map-replayed: the map has not been read/, 'on stderr');
    $lost->stop;
};

$first->stop;
done_testing();
