#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Two daemons and a private Redis.  One of them stands in a control group that the test has laid out: when its
# memory becomes short, services that nobody there uses go, and come again for who asks; the other one is the
# measure of what is right.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Mesh;
use JSON::PP;
use Mesh::Fleet;
use Test::More;

my $LIMIT = 100_000_000_000; # far above what the daemon itself holds
my $SERVICES = 20;
my $INSTANCES = 3;

my $cgroup = work_dir() . '/cgroup';
mkdir $cgroup or die "$cgroup: $!";

# A rename, so that no reading meets half a file.
sub lay {
    my ($name, $text) = @_;
    write_file("$cgroup/.new", "$text\n");
    rename "$cgroup/.new", "$cgroup/$name" or die "rename: $!";
    return;
}

sub use_percent { my ($percent) = @_; lay('memory.current', $LIMIT / 100 * $percent); return }

lay('memory.max', $LIMIT);
use_percent(40);

my $fleet = Mesh::Fleet->new(name => 'redis', ids => [qw(a b)], set_of => { a => ["map.cgroup=$cgroup"] });
my ($a, $b) = $fleet->nodes;

my @services = map { "s$_" } 1 .. $SERVICES;
my %labels = map { ("label-$_" => 'x' x 60) } 1 .. 8;

sub band { return (grep { $a->metric("meshpulse_memory_band{band=\"$_\"}") == 1 } qw(normal reserve evict))[0] // 'none' }

sub list { my ($node, $service) = @_; return $node->request('GET', "/v1/services/$service/instances") }

# What is shown of a service, but for the index of the list, which is each node's own.
sub shown {
    my ($node, $service) = @_;
    my $answer = list($node, $service);
    return $answer->{status} == 200 ? { map { $_->{id} => { %$_, since => undef } } @{ $answer->{json}{items} } } : undef;
}

sub counts {
    my ($node) = @_;
    return { map { my %copy = %$_; delete $copy{revision}; ($_->{name} => \%copy) } @{ $node->json('/v1/services')->{items} } };
}

# The services that answer 503 at the first sight.
sub evicted_ones {
    my @evicted;
    for my $service (@services) {
        my $answer = list($a, $service);
        next if $answer->{status} == 200;
        push @evicted, $service;
        is($answer->{status}, 503, "$service is not answered at once");
        is($answer->{json}{code}, 'not_ready', 'the code says why');
        is($answer->{headers}{'retry-after'}, 1, 'and when to come again');
    }
    return @evicted;
}

subtest 'while there is memory nothing goes' => sub {
    for my $service (@services) {
        $a->put($service, "i$_", { weight => $_, labels => \%labels }) for 1 .. $INSTANCES;
    }
    ok($b->request('PUT', '/v1/services/s1/instances/i1/observations/lb', { status => 'UNHEALTHY' })->{success}, 'one is reported');
    $fleet->converged(10);
    is(band(), 'normal', 'the band is normal');
    is($a->metric('meshpulse_memory_limit_bytes'), $LIMIT, 'the limit is known');
    use_percent(70);
    ok(eventually(5, sub { band() eq 'reserve' }), 'the reserve begins');
    is($a->metric('meshpulse_evictions_total'), 0, 'and nothing has gone');
};

subtest 'when memory is short the idle go' => sub {
    my $before = counts($b);
    my $gone = $SERVICES - 1;
    # s1 is read all the while, and stays; the others fall idle.
    is(list($a, 's1')->{status}, 200, 's1 is read');
    use_percent(90);
    ok(eventually(15, sub {
        my $answer = list($a, 's1');
        die "s1 went: $answer->{status}" if $answer->{status} != 200;
        return $a->metric('meshpulse_evicted_services') == $gone;
    }), 'all that are idle go') or diag read_file($a->{log});
    is(band(), 'evict', 'the band says so');
    is($a->json('/debug/map')->{memory}{band}, 'evict', 'and is to be seen inside');
    use_percent(70);
    ok(eventually(5, sub { band() eq 'reserve' }), 'below the end of the band it is over');
    is($a->metric('meshpulse_evicted_records'), $gone * $INSTANCES, 'whole services have');
    ok($fleet->agree, 'the digests of both and of the server are equal');
    is_deeply(counts($a), $before, 'services are listed and counted as before');
    my @evicted = evicted_ones();
    is(scalar @evicted, $gone, 'as many as were counted');
    for my $service (@evicted) {
        ok(eventually(5, sub { list($a, $service)->{status} == 200 }), "$service is whole again");
        is_deeply(shown($a, $service), shown($b, $service), 'and says what the other says');
    }
    ok(eventually(5, sub { $a->metric('meshpulse_evicted_services') == 0 }), 'nothing is missing any more');
    ok(eventually(5, sub { $a->metric('meshpulse_eviction_reloads_total') == $gone }), 'each was read again once');
    like(read_file($a->{log}), qr/warn memory from=reserve to=evict/, 'the log says when it began');
    like(read_file($a->{log}), qr/warn memory from=evict to=reserve/, 'and when it ended');
    $fleet->converged(5);
};

subtest 'what is watched stays, and when nothing else is left somebody is called' => sub {
    my $watch = $a->watch('?service=s2&tenant=default');
    ok(eventually(5, sub { $a->metric('meshpulse_watchers') == 1 }), 'somebody watches s2');
    use_percent(100);
    ok(eventually(40, sub { $a->metric('meshpulse_memory_stuck') == 1 }), 'nothing is left that may go') or diag read_file($a->{log});
    ok(eventually(5, sub { $a->metric('meshpulse_evicted_services') == $SERVICES - 1 }), 'all others have gone');
    is(list($a, 's2')->{status}, 200, 's2 has not');
    like(read_file($a->{log}), qr/error memory-stuck/, 'the log calls somebody');
    my $fresh = $a->put('s2', 'new');
    is($fresh->{status}, 429, 'a new record of the largest tenant is refused') or diag $fresh->{content};
    my $drain = $b->request('PUT', '/v1/services/s2/instances/i1/override', { status => 'DRAINING', indefinite => JSON::PP::true });
    ok($drain->{success}, 'drained elsewhere') or diag $drain->{content};
    my $event = $watch->next_event(5);
    is($event->{data}{status}, 'DRAINING', 'the watcher is told') or diag explain $event;
    use_percent(50);
    ok(eventually(5, sub { $a->metric('meshpulse_memory_stuck') == 0 }), 'with memory it is over');
    ok(eventually(5, sub { $a->put('s2', 'new')->{success} }), 'and new records are taken');
};

subtest 'an evicted service is changed elsewhere and written here' => sub {
    is($b->put('s3', 'i1', { weight => 77 })->{status}, 200, 'the other one changes a record');
    is($b->status('DELETE', '/v1/services/s4/instances/i2'), 204, 'and deletes one');
    my $records = ($SERVICES - 1) * $INSTANCES + 1; # with the report
    ok(eventually(5, sub { $a->metric('meshpulse_evicted_records') == $records - 2 }), 'what came by the log is whole');
    ok($fleet->agree, 'the digests are equal');
    is($a->put('s3', 'i2', { weight => 78 })->{status}, 503, 'a write waits for what it changes');
    ok(eventually(5, sub { $a->put('s3', 'i2', { weight => 78 })->{success} }), 'and is taken then');
    ok(eventually(5, sub { my $shown = shown($a, 's3'); $shown && $shown->{i1}{weight} == 77 && $shown->{i2}{weight} == 78 }), 'both are shown');
    is($a->status('GET', '/v1/watch?service=s4&tenant=default'), 503, 'who wants to watch waits, too');
    ok(eventually(5, sub { list($a, 's4')->{status} == 200 }), 'it comes');
    is_deeply([sort keys %{ shown($a, 's4') }], [qw(i1 i3)], 'without what was deleted');
    ok(eventually(5, sub { $fleet->agree }), 'all agree in the end');
};

subtest 'without the server nothing goes, and what went waits for it' => sub {
    my ($gone) = grep { list($a, $_)->{status} == 503 } qw(s15 s16 s17);
    ok(eventually(5, sub { list($a, $gone)->{status} == 200 }), 'one more is whole');
    $fleet->redis->kill_hard;
    ok(eventually(5, sub { $a->metric('meshpulse_redis_connected') == 0 }), 'the server is gone');
    my $before = $a->metric('meshpulse_evictions_total');
    use_percent(100);
    ok(eventually(30, sub { $a->metric('meshpulse_memory_stuck') == 1 }), 'nothing may go now');
    is($a->metric('meshpulse_evictions_total'), $before, 'and nothing has');
    is(list($a, 's20')->{status}, 503, 'what went is not answered');
    is(list($a, $gone)->{status}, 200, 'what is here is');
};

is($_->stop, 0, "$_->{id} ends") for $fleet->nodes;
done_testing();
