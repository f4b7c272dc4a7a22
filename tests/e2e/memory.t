#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# A daemon in a real memory cgroup (version 1 or 2) of its own: what a neighbour writes fills its memory; the
# kernel's count goes over evict_at, eviction brings it down, and then it rests.  Nobody is killed, the digests stay
# equal, and whoever asks for what went gets it.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../integration/lib";
use IO::Socket::UNIX;
use Mesh;
use Mesh::Node;
use Mesh::Redis;
use Test::More;
use Time::HiRes qw(time);

my $LIMIT = 48 * 1024 * 1024;
my $SERVICES = 800;
my $INSTANCES = 25;
my $REST_S = $ENV{MEMORY_REST_SECONDS} // 60;

# Where a group of our own can be made, below the one that we are in.  Returns its folder and its version.
sub make_group {
    my %path = map { /^\d+:([^:]*):(\/.*)$/ ? ($1 => $2) : () } split /\n/, read_file('/proc/self/cgroup');
    my $top = '/sys/fs/cgroup';
    my ($v1) = grep { /(?:^|,)memory(?:,|$)/ } keys %path;
    my @places = ([2, "$top" . ($path{''} // ''), 'memory.max'], [1, "$top/memory" . ($v1 ? $path{$v1} : ''), 'memory.limit_in_bytes']);
    for my $place (@places) {
        my ($version, $parent, $limit) = @$place;
        my $group = "$parent/meshpulse-test-$$";
        next if !-d $parent || !mkdir $group;
        return ($group, $version) if -e "$group/$limit" && eval { write_file("$group/$limit", $LIMIT); 1 };
        rmdir $group;
    }
    return;
}

my ($group, $version) = $> == 0 ? make_group() : ();
plan skip_all => 'a memory cgroup cannot be made' if !$group;
my $owner = $$;
END { rmdir $group if $group && $$ == $owner }
diag "cgroup v$version, $LIMIT bytes";

my $redis = Mesh::Redis->new('memory');
my @set = qw(stream.lease=4s stream.partitions=4);
my $a = Mesh::Node->new(id => 'a', url => $redis->url, group => $group, set => [@set, 'map.cgroup=/sys/fs/cgroup']);
my $b = Mesh::Node->new(id => 'b', url => $redis->url, set => \@set);
$_->start for $a, $b;
ok($_->ready(20), "$_->{id} is ready") for $a, $b;

sub usage {
    my $file = $version == 2 ? 'memory.current' : 'memory.usage_in_bytes';
    my ($text) = read_file("$group/$file") =~ /(\d+)/;
    return $text // 0;
}
sub percent { return sprintf '%.1f %%', 100 * shift() / $LIMIT }
sub evictions { return $a->metric('meshpulse_evictions_total') }
sub evicting { return $a->metric('meshpulse_memory_band{band="evict"}') == 1 }

# How often evicting has begun: the log has each time, also one that nobody who looks now and then would see.
sub beginnings { return scalar(() = read_file($a->{log}) =~ /\bmemory from=\w+ to=evict\b/g) }

# Has the end come?  A reading is up to half a second old, and counters lag a quarter of one behind what they count:
# only who has shown the same for a while is known to have ended.
my ($state, $state_since) = ('', 0);
sub is_over {
    my $now = join ' ', evictions(), beginnings(), evicting();
    ($state, $state_since) = ($now, time) if $now ne $state;
    return !evicting() && time - $state_since > 3;
}

sub resident { return read_file("/proc/$a->{pid}/status") =~ /VmRSS:\s+(\d+)/ ? $1 * 1024 : 0 }

is($a->metric('meshpulse_memory_limit_bytes'), $LIMIT, 'the daemon knows its limit') or diag read_file($a->{log});

# One connection for all writes.
my $writer = IO::Socket::UNIX->new(Peer => $b->{unix}) or die "connect: $!";
my $labels = join ',', map { sprintf '"label-%02d":"%s"', $_, 'x' x 200 } 1 .. 9;

my ($highest, $written) = (0, 0);
for my $service (map { "s$_" } 1 .. $SERVICES) {
    for my $id (map { "i$_" } 1 .. $INSTANCES) {
        $written += Mesh::Node::put_over($writer, $service, $id, $labels) || die "$service/$id is not taken";
    }
    my $now = usage();
    $highest = $now if $now > $highest;
    last if !alive($a->{pid});
}
diag sprintf '%d records of 2 kB written; the most that the group used: %s', $written, percent($highest);
ok(alive($a->{pid}), 'the daemon lives') or do {
    diag 'it ended with ', reap_within(5, $a->{pid}) // 'nothing', ":\n", read_file($a->{log});
    BAIL_OUT('the daemon was killed');
};
cmp_ok($a->metric('meshpulse_evictions_total'), '>', 0, 'services have gone');

ok(eventually(60, sub { $a->digest->{digest} eq $b->digest->{digest} }), 'the digests are equal');
ok(eventually(60, \&is_over), 'eviction comes to its end') or diag read_file($a->{log});

# At rest: for so long neither the band nor the number of those who have gone moves.
my ($gone, $begun, $least, $most) = (evictions(), beginnings(), usage(), usage());
my $end = time + $REST_S;
while (time < $end && alive($a->{pid})) {
    select undef, undef, undef, 0.25;
    my $now = usage();
    $least = $now if $now < $least;
    $most = $now if $now > $most;
}
is(evictions(), $gone, "for $REST_S s nothing more goes") or diag read_file($a->{log});
is(beginnings(), $begun, 'and the band stays below evict');
# As docs/memory.md says: what is held without use counts as given back up to half of what lies above evict_at, 85 %.
cmp_ok($most, '<=', 0.925 * $LIMIT, 'the kernel counts less than the limit');
diag sprintf 'evicted: %d services, %d records; at rest %s to %s, resident %s, free in the map %s', $gone,
    $a->metric('meshpulse_evicted_records'), percent($least), percent($most), percent(resident()),
    percent($a->metric('meshpulse_memory_free_bytes'));

# Whoever asks for one gets it.
my $path = '/v1/services/s1/instances';
my $first = $a->status('GET', $path);
ok($first == 503 || $first == 200, "s1 answers $first at first");
ok(eventually(10, sub { $a->status('GET', $path) == 200 }), 'and is there then');
is(scalar @{ $a->json($path)->{items} }, $INSTANCES, 'all of it');
is($a->stop, 0, 'the daemon in the group ends');
is($b->stop, 0, 'so does the other');
done_testing();
