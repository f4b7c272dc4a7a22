#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Runs docs/runbook.md: each page's fault is made for three real nodes and a real Redis, and each of its commands
# must print what the page prints, but for numbers, times and hashes.  RUNBOOK_WRITE=1 puts what was
# printed into the page instead; read it before you commit it.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../integration/lib";
use Mesh;
use Mesh::Node;
use Mesh::Redis;
use File::Basename qw(dirname);
use Test::More;
use Time::HiRes qw(time);

my $page = "$FindBin::Bin/../../docs/runbook.md";
my $write = $ENV{RUNBOOK_WRITE};

plan skip_all => 'needs curl' if !grep { -x "$_/curl" } split /:/, $ENV{PATH};

# --- three nodes, a Redis, five instances

my $redis = Mesh::Redis->new('redis');
my @targets = map { start_target() } 1 .. 5;
my $instances = join ', ', map { "{id: pay-$_, address: 127.0.0.1, port: $targets[$_ - 1]{port}}" } 1 .. 5;
my $services = <<"END";
  - name: pay
    observers: all
    check: {type: tcp, interval: 500ms, timeout: 400ms, rise: 1, fall: 2}
    instances: [$instances]
END
my $password = write_file(work_dir() . '/password', "secret\n");
$redis->call(qw(ACL SETUSER c on >secret ~* &* +@all));
my %node;
for my $id (qw(a b c)) {
    $node{$id} = Mesh::Node->new(id => $id, url => $redis->url, services => $services,
        set => [qw(stream.lease=1s stream.resync_min=1s stream.backoff_max=200ms stream.reply_timeout=1s
            stream.connect_timeout=1s), $id eq 'c' ? ('stream.user=c', "stream.password_file=$password") : ()]);
    $node{$id}->start;
}
$_->ready(20) or BAIL_OUT("$_->{id}: " . read_file($_->{log})) for values %node;

sub stream_of {
    my ($of, $seen_by) = @_;
    my ($row) = grep { $_->{id} eq $of } @{ $node{ $seen_by // $of }->json('/v1/nodes')->{items} };
    return $row ? $row : { stream => '', live => 0, agrees => 0 };
}

# What a node shows of another one is what that one said with its last heartbeat: one from before tells nothing.
sub said_since {
    my ($since, $row) = @_;
    return defined $row->{heartbeat_age_ms} && $row->{heartbeat_age_ms} / 1000 < time - $since;
}

sub is_healthy {
    my ($since) = @_;
    my @rows = map { my $seen_by = $_; map { stream_of($_, $seen_by) } qw(a b c) } qw(a b c);
    my @services = map { @{ $_->json('/v1/services')->{items} } } values %node;
    return 9 == (grep { $_->{stream} eq 'live' && $_->{live} && $_->{agrees} && said_since($since, $_) } @rows)
        && !grep { $_->{healthy} + $_->{draining} != 5 } @services;
}

sub healthy {
    my $since = time;
    return eventually(30, sub { is_healthy($since) });
}

sub mended { # pay-1 as it was
    $node{a}->request('DELETE', '/v1/services/pay/instances/pay-1/override');
    return healthy();
}

# --- page -> what makes the fault; step -> what is done before it

my %before = (
    'Redis is gone' => {
        1 => sub {
            $redis->kill_hard;
            return eventually(10, sub { !grep { $_->metric('meshpulse_redis_connected') } values %node })
                && eventually(10, sub { stream_of('a')->{stream} eq 'stale' });
        },
        5 => sub {
            $redis->start;
            $redis->call(qw(ACL SETUSER c on >secret ~* &* +@all));
            return healthy();
        },
    },
    'Everything is DEGRADED' => {
        1 => sub {
            mended() or return;
            stop_target($_) for @targets[0 .. 2];
            return eventually(10, sub { 3 == $node{a}->json('/v1/services')->{items}[0]{guarded} })
                && eventually(5, sub { $node{a}->metric('meshpulse_guarded_services') });
        },
    },
    'One node differs' => {
        1 => sub {
            $targets[$_] = start_target($targets[$_]{port}) for 0 .. 2;
            mended() or return;
            $redis->call(qw(ACL SETUSER c resetpass >other));
            $redis->call(qw(CLIENT KILL USER c));
            $node{a}->put('pay', 'pay-6', { weight => 7 });
            return eventually(10, sub { !stream_of('c', 'a')->{live} && stream_of('c')->{stream} eq 'stale' });
        },
        4 => sub {
            write_file($password, "other\n");
            return eventually(20, sub {
                my @rows = map { stream_of($_, 'a') } qw(a b c);
                return 3 == grep { $_->{live} && $_->{agrees} && $_->{stream} eq 'live' } @rows;
            });
        },
    },
);

# --- running

my $bin = dirname(program());

sub run_command {
    my ($id, $command) = @_;
    $command =~ s{/run/meshpulse/admin\.sock}{$node{$id}{unix}}g;
    $command =~ s{/run/redis/redis\.sock}{$redis->{socket}}g;
    $command =~ s{127\.0\.0\.1:8081}{127.0.0.1:$targets[0]{port}}g;
    local $ENV{PATH} = "$bin:$ENV{PATH}";
    local $ENV{MESHPULSE_SERVER} = "unix:$node{$id}{unix}";
    local $ENV{NO_COLOR} = 1;
    open my $out, '-|', 'sh', '-c', "{ $command ; } 2>&1 </dev/null" or die "sh: $!";
    local $/;
    my $text = <$out> // '';
    close $out;
    $text =~ s{\Q$node{$id}{unix}\E}{/run/meshpulse/admin.sock}g;
    $text =~ s{\Q$redis->{socket}\E}{/run/redis/redis.sock}g;
    $text =~ s{\n?\z}{\n} if $text ne '';
    return $text;
}

# What may differ between two runs: times, numbers, hashes, the width of columns.
sub plain {
    my ($text) = @_;
    $text =~ s/\d{4}-\d\d-\d\dT[\d:.]+Z/TIME/g;
    $text =~ s/\b[0-9a-f]{12,16}\b/HASH/g;
    $text =~ s/\d+(\.\d+)?(us|ms|s|m|h)\b/AGE/g;
    $text =~ s/\bon node \w+/on node NAME/g;
    $text =~ s/\d+/N/g;
    $text =~ s/[ \t]+/ /g;
    $text =~ s/ $//mg;
    return $text;
}

my ($title, $step, @out, %page_of) = ('', 0);
my @lines = split /^/, read_file($page);
ok(healthy(), 'three nodes agree') or BAIL_OUT('no fleet');
my $commands = 0;
while (@lines) {
    my $line = shift @lines;
    push @out, $line;
    ($title, $step) = ($1, 0) if $line =~ /^## (.*)$/;
    if ($line =~ /^(\d+)\. /) {
        $step = $1;
        if (my $make = delete $before{$title}{$step}) {
            ok($make->(), "$title, before step $step") or BAIL_OUT("the fault of '$title' could not be made");
        }
    }
    next if $line !~ /^```console$/;
    while (@lines && $lines[0] !~ /^```$/) {
        my ($id, $command) = $lines[0] =~ /^([abc])\$ (.*)$/ or BAIL_OUT("no command: $lines[0]");
        push @out, shift @lines;
        my $wanted = '';
        $wanted .= shift @lines while @lines && $lines[0] !~ /^(```|[abc]\$ )/;
        my $printed = run_command($id, $command);
        push @out, $printed;
        $commands++;
        is(plain($printed), plain($wanted), "$title, step $step: $command") if !$write;
    }
}
is($commands > 15, 1, 'the page has commands');
is_deeply([map { "$_: " . join ' ', keys %{ $before{$_} } } grep { %{ $before{$_} } } keys %before], [], 'each fault was asked for');
write_file($page, join '', @out) if $write;
done_testing;
