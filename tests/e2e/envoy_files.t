#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# A check that fails on one node makes the Envoy beside another node stop sending:
#
#     backends p1 p2 p3 <--checks-- node a --> Redis --> node b --pay.json--> Envoy <-- requests
#
# Only a checks.  A sick backend fails on its check and goes on to serve, so a request that still reached it
# would be answered by it and seen here.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib", "$FindBin::Bin/../integration/lib";
use Envoy;
use JSON::PP;
use Mesh;
use Mesh::Node;
use Mesh::Redis;
use Test::More;
use Time::HiRes qw(time);
use Time::Piece ();

# An END block ends all children; a signal must come by there.
$SIG{$_} = sub { exit 130 } for qw(HUP INT TERM);

my @NAMES = qw(p1 p2 p3);
my $dir = work_dir();
my $examples = "$FindBin::Bin/../../examples/envoy";
my %port; # of each backend

sub start_backend {
    my ($name) = @_;
    my $out = "$dir/$name.port";
    spawn($out, "$dir/$name.err", $^X, "$FindBin::Bin/lib/backend.pl", $name, 0, "$dir/$name.sick");
    return eventually(5, sub { read_file($out) =~ /^(\d+)\n/ ? $1 : 0 }) // die "$name: " . read_file("$dir/$name.err");
}

sub sicken { my ($name) = @_; write_file("$dir/$name.sick", ''); return }
sub heal { my ($name) = @_; unlink "$dir/$name.sick" or die "$name.sick: $!"; return }

# The service as node a has it configured; b learns of it from a.  `all` lets b be an observer too, were it
# not forbidden to check by other nodes' policies: so what b shows is what a saw.
sub service {
    my @instances = map { "    - {id: $_, address: 127.0.0.1, port: $port{$_}}\n" } @NAMES;
    return join '', "  - name: pay\n    observers: all\n",
        "    check: {type: http, path: /healthz, interval: 500ms, timeout: 400ms, rise: 1, fall: 1}\n",
        "    instances:\n", @instances;
}

sub summary {
    my ($what, @seconds) = @_;
    return if !@seconds;
    my @sorted = sort { $a <=> $b } @seconds;
    diag sprintf '%-48s median %.0f ms, longest %.0f ms', $what, 1000 * $sorted[@sorted / 2], 1000 * $sorted[-1];
    return;
}

$port{$_} = start_backend($_) for @NAMES;
my $started = time;
my $redis = Mesh::Redis->new('redis');
my $node_a = Mesh::Node->new(id => 'a', url => $redis->url, services => service());
my $node_b = Mesh::Node->new(id => 'b', url => $redis->url,
    set => ["xds.files_dir=$dir/eds", 'check.external_policy=false']);
$_->start for $node_a, $node_b;
ok($_->ready(30), "node $_->{id} is ready") or diag read_file($_->{log}) for $node_a, $node_b;
my $envoy = Envoy->new(example => "$examples/files.yaml", files_dir => "$dir/eds");

# The statuses in the file that b wrote, by instance.
sub in_file {
    my $file = eval { decode_json(read_file("$dir/eds/pay.json")) } or return {};
    my %name = reverse %port;
    my @endpoints = map { @{ $_->{lb_endpoints} // [] } } @{ $file->{resources}[0]{endpoints} // [] };
    return { map { ($name{ $_->{endpoint}{address}{socket_address}{port_value} } => $_->{health_status} // 'UNKNOWN') }
        @endpoints };
}

# Sends requests until Envoy holds the backend for unhealthy.  Returns when that was, undef when it was not.
sub requests_until_unhealthy {
    my ($name) = @_;
    my $end = time + 15;
    while (time < $end) {
        $envoy->request;
        return time if $envoy->health->{ $port{$name} } eq 'UNHEALTHY';
    }
    return;
}

sub written_at { return (Time::HiRes::stat("$dir/eds/pay.json"))[9] }

# A file is written twice a second at most: without this, what is measured would be the wait for its turn.
# By chance, so that the next check is anywhere.
sub wait_for_quiet {
    my $quiet = 0.6 + rand 0.5;
    eventually(10, sub { time - written_at() > $quiet }) or die 'the file is written again and again';
    return;
}

# When a's check saw it, by the clock of people.
sub checked_at {
    my ($observation) = @_;
    my ($date, $fraction) = $observation->{since} =~ /^(.+)(\.\d+)Z$/ or die "since: $observation->{since}";
    return Time::Piece->strptime($date, '%Y-%m-%dT%H:%M:%S')->epoch + $fraction;
}

is_deeply(eventually(15, sub { my $now = in_file(); (grep { $_ eq 'HEALTHY' } values %$now) == 3 && $now }),
    { map { ($_ => 'HEALTHY') } @NAMES }, 'the file of b has what a saw')
    or diag read_file("$dir/eds/pay.json"), read_file($node_b->{log});
$envoy->start;
is_deeply($envoy->answering(60), \@NAMES, 'Envoy sends to all three');

my (@stopped, @resumed);
for my $name (@NAMES, @NAMES) {
    subtest "$name fails on its check, and heals" => sub {
        my @others = grep { $_ ne $name } @NAMES;
        wait_for_quiet();
        my $began = time;
        sicken($name);
        my $known = requests_until_unhealthy($name);
        ok($known, 'Envoy learns of it') or diag read_file("$dir/eds/pay.json"), read_file($node_b->{log});
        is_deeply($envoy->answering(60), \@others, 'it sends to the others only');
        my $seen = $node_b->get('pay', $name)->{json};
        is_deeply([map { "$_->{observer} $_->{status} $_->{reason}" } @{ $seen->{observations} }],
            ['a UNHEALTHY HttpStatus'], 'b knows it from a, and from nobody else');
        my $checked = checked_at($seen->{observations}[0]);
        push @stopped, [$known - $began, $checked - $began, $known - $checked] if $known;

        wait_for_quiet();
        $began = time;
        heal($name);
        my $again = eventually(15, sub { $envoy->request eq $name && time });
        ok($again, 'Envoy sends to it again');
        push @resumed, $again - $began if $again;
        is_deeply($envoy->answering(60), \@NAMES, 'and to the others');
    };
}
my @what = ('from the failure until Envoy stops', '  until the check of a sees it, every 500 ms',
    '  from there, by Redis, b and its file');
for my $i (0 .. $#what) {
    summary($what[$i], map { $_->[$i] } @stopped);
}
summary('from the recovery until Envoy sends again', @resumed);
my $written = $node_b->metric('meshpulse_eds_files_written_total');
cmp_ok($written, '>=', 2 * @NAMES * 2, 'each change was written');
cmp_ok($written, '<=', 2 * (time - $started) + 1, 'at most twice a second');

subtest 'all three fail' => sub {
    sicken($_) for @NAMES;
    ok(eventually(15, sub { !grep { $_ ne 'UNHEALTHY' } values %{ $envoy->health } }), 'Envoy knows of all');
    is_deeply($envoy->answering(20), [503], 'it sends to none, instead of to all');
    heal($_) for @NAMES;
    ok(eventually(15, sub { @{ $envoy->answering(20) } == 3 }), 'and to all again');
};

subtest 'one is drained by hand, on a' => sub {
    my $path = Mesh::Node::instance_path('pay', 'p1') . '/override';
    is($node_a->status('PUT', $path, { status => 'DRAINING', reason => 'deploy', indefinite => JSON::PP::true }), 201,
        'the drain is taken');
    ok(eventually(10, sub { $envoy->health->{ $port{p1} } eq 'DRAINING' }), 'Envoy beside b learns of it');
    is_deeply($envoy->answering(60), [qw(p2 p3)], 'it sends to the others only');
    is($node_a->status('DELETE', $path), 204, 'the drain is ended');
    ok(eventually(10, sub { $envoy->health->{ $port{p1} } eq 'HEALTHY' }), 'Envoy learns of that, too');
};

subtest 'the node beside Envoy is killed' => sub {
    $node_b->kill_hard;
    is_deeply($envoy->answering(60), \@NAMES, 'Envoy goes on with the file that is there');
    sicken('p3');
    ok(eventually(15, sub { $node_a->health('pay', 'p3') eq 'UNHEALTHY' }), 'a backend fails meanwhile');
    $node_b->start;
    ok(eventually(30, sub { $envoy->health->{ $port{p3} } eq 'UNHEALTHY' }), 'Envoy learns of it from b, back again')
        or diag read_file($node_b->{log});
    is_deeply($envoy->answering(60), [qw(p1 p2)], 'it sends to the others only');
};

is($envoy->stat('update_rejected'), 0, 'Envoy refused no file');
is($envoy->stat('update_failure'), 0, 'and could read each');
is_deeply([glob "$dir/eds/* $dir/eds/.[!.]*"], ["$dir/eds/pay.json"], 'there is one file, and no temporary one');
is((run_program(program(), 'check-config', "$examples/meshpulse.yaml"))[0], 0, 'the example for meshpulse is valid');
is($_->stop, 0, 'they end in peace') for $envoy, $node_b, $node_a;
done_testing();
