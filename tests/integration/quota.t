#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Two daemons on one Redis, whose quotas differ: what a tenant that is over its quota is told, that nobody else
# notices, and that what one node lets in the other holds, counts and alarms.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Mesh;
use Mesh::Node;
use Mesh::Redis;
use POSIX ();
use Test::More;

my $redis = Mesh::Redis->new('quota');

sub node {
    my ($id, $tenants) = @_;
    my $file = write_file(work_dir() . "/quota-$id.yaml", "config_version: 1\nmap: {quota: 50}\ntenants: $tenants\n");
    my $node = Mesh::Node->new(id => $id, url => $redis->url, file => $file, set => [qw(stream.lease=2s stream.resync_min=1s)]);
    return $node->start;
}

my $generous = node('a', '[{name: acme, quota: 40}, {name: idle, quota: 5}]');
my $strict = node('b', '[{name: acme, quota: 20}]');
ok($_->ready(20), "$_->{id} is ready") for $generous, $strict;

sub path { my ($tenant, $id) = @_; return "/v1/tenants/$tenant/services/pay/instances/$id" }

sub put {
    my ($node, $tenant, $id, $headers) = @_;
    return $node->request('PUT', path($tenant, $id), { address => '127.0.0.1', port => 8080, weight => 3 }, $headers);
}

sub held { my ($node, $tenant) = @_; return scalar @{ $node->json("/v1/tenants/$tenant/services/pay/instances")->{items} // [] } }

sub lines { my ($node, $words) = @_; return scalar(() = read_file($node->{log}) =~ /\Q$words\E/g) }

subtest 'one record more than the quota is refused, and says how many there are' => sub {
    is(put($strict, 'acme', "i$_")->{status}, 201, "instance $_ of 20") for 1 .. 20;
    my $answer = put($strict, 'acme', 'i21');
    is($answer->{status}, 429, 'the next one is over the quota');
    is($answer->{json}{code}, 'over_quota', 'by its code');
    is($answer->{json}{detail}, 'tenant acme has 20 records and may have 20', 'and its detail');
    is($answer->{headers}{'retry-after'}, 1, 'with a Retry-After');
    is($strict->status('GET', path('acme', 'i21')), 404, 'nothing of it is there');
    is(put($strict, 'acme', 'i21', { 'If-None-Match' => '*' })->{status}, 429, 'nor on a condition');
    is($strict->status('PUT', path('acme', 'i1') . '/observations/me', { status => 'UNHEALTHY' }), 429, 'nor a report');
    my ($status, undef, $said) = run_program(program(), 'set', 'pay/i22', '--address', '127.0.0.1', '--port', 80,
        '--tenant', 'acme', '--server', "http://127.0.0.1:$strict->{port}");
    is($status, 1, 'the command line fails');
    like($said, qr/tenant acme has 20 records and may have 20 \(over_quota\)/, 'and says why');
};

subtest 'what is there may change, and go, and be drained' => sub {
    is(put($strict, 'acme', 'i1')->{status}, 200, 'an equal put');
    is($strict->status('PATCH', path('acme', 'i1'), { weight => 9 }), 200, 'a change');
    is($strict->status('PUT', path('acme', 'i1') . '/override', { status => 'DRAINING', indefinite => JSON::PP::true() }), 201, 'a drain');
    is($strict->status('DELETE', path('acme', 'i2')), 204, 'a delete');
    is(put($strict, 'acme', 'new')->{status}, 201, 'whose place is free at once');
    is(put($strict, 'acme', 'i2')->{status}, 429, 'and then taken');
    is(put($strict, 'beta', 'i1')->{status}, 201, 'another tenant does not notice');
};

subtest 'what another node lets in is held, counted and alarmed' => sub {
    ok(eventually(5, sub { held($generous, 'acme') == 20 }), 'the other node holds them');
    is(lines($strict, 'quota tenant=acme state=over'), 0, 'to be full is no alarm');
    is(lines($strict, 'warn quota tenant=acme state=full records=20 quota=20'), 1, 'but told once');
    is(put($generous, 'acme', "more$_")->{status}, 201, "the other node takes one more ($_)") for 1 .. 2;
    ok(eventually(5, sub { held($strict, 'acme') == 22 }), 'and the strict one holds them');
    ok(eventually(5, sub { lines($strict, 'error quota tenant=acme state=over records=22 quota=20') }), 'and alarms at 110 %');
    ok(eventually(10, sub { $strict->metric('meshpulse_tenants_over_quota') == 1 }), 'as a metric, too');
    is($strict->metric('meshpulse_tenant_records{tenant="acme"}'), 22, 'which counts them');
    is($strict->metric('meshpulse_tenant_quota{tenant="acme"}'), 20, 'beside the quota');
    cmp_ok($strict->metric('meshpulse_map_over_quota_total{tenant="acme"}'), '>=', 4, 'and the refusals');
    is($generous->metric('meshpulse_tenants_over_quota'), 0, 'the generous one has room');
    ok(eventually(5, sub { $strict->digest->{digest} eq $generous->digest->{digest} }), 'both hold the same');
    is($strict->status('DELETE', path('acme', "more$_")), 204, "one goes ($_)") for 1 .. 2;
    ok(eventually(5, sub { lines($strict, 'quota tenant=acme state=full records=20 quota=20') == 2 }), 'the alarm ends at the quota');
    is(lines($strict, 'state=over'), 1, 'and was told once');
};

subtest 'eight clients at once get exactly what there is' => sub {
    my @pids = map {
        my $client = $_;
        my $pid = fork // die "fork: $!";
        if ($pid == 0) {
            my $taken = grep { put($strict, 'busy', "c$client-$_")->{status} == 201 } 1 .. 20;
            POSIX::_exit($taken);
        }
        $pid;
    } 1 .. 8;
    my $taken = 0;
    for my $pid (@pids) {
        waitpid $pid, 0;
        $taken += $? >> 8;
    }
    is($taken, 50, 'as many as the quota were answered 201');
    is(held($strict, 'busy'), 50, 'and as many are there');
};

sub resident {
    my ($node) = @_;
    return read_file("/proc/$node->{pid}/status") =~ /^VmRSS:\s+(\d+) kB/m ? $1 : die 'no VmRSS';
}

subtest 'one that explodes does not take the memory of all' => sub {
    put($strict, 'rogue', "n$_") for 1 .. 300; # buffers have grown to what they need
    my $before = resident($strict);
    my %answers;
    $answers{ put($strict, 'rogue', "n$_")->{status} }++ for 301 .. 2500;
    is_deeply(\%answers, { 429 => 2200 }, 'all that is over is refused');
    my $after = resident($strict);
    # AddressSanitizer keeps for a while what was freed: the ordinary build is judged.
    my $keeps = read_file("/proc/$strict->{pid}/maps") =~ /lib[at]san/;
    cmp_ok($after, '<=', $before * 1.03, "resident memory: $before kB, then $after kB") if !$keeps;
    is(put($strict, 'beta', 'i2')->{status}, 201, 'and others go on writing');
    is(held($strict, 'rogue'), 50, 'it has what it may have');
};

is($_->stop, 0, "$_->{id} ends") for $generous, $strict;
done_testing();
