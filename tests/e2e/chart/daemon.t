#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# The daemon, started as the cluster says: with the arguments, the environment, the configuration, the Secret,
# the user, the capabilities and the mounts that stand in a pod which the real API server holds.  What pods
# beside it can do with its folder, and what a kubelet and a Prometheus see of it from the node.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib", "$FindBin::Bin/../../integration/lib";
use Chart;
use Chart::Cluster;
use Chart::Pod;
use JSON::PP;
use Mesh;
use Test::More;

plan skip_all => 'the go client is not installed' if !have('helm3');

my $chart = top() . '/charts/meshpulse';
my $password = 'correct horse battery staple';
my %examples = examples();
my $cluster = Chart::Cluster->new(nodes => 3);

# Installs the release "mesh" as in an example, but with a Redis that our pods can reach.
sub install {
    my ($namespace, $example, @values) = @_;
    $cluster->secret($namespace, 'meshpulse-redis', password => $password);
    my $run = $cluster->helm('install', 'mesh', $chart, '-n', $namespace, '-f', $examples{$example},
        '--set', "redis.url=$Chart::Pod::REDIS,redis.user=default", @values, '--wait', '--timeout', '60s');
    is($run->{status}, 0, "the example $example is installed") or die $run->{err};
    return;
}

sub owner { my ($path) = @_; my @stat = stat $path; return @stat ? "$stat[4]:$stat[5]" : 'absent' }

# Is the daemon ready, asked as its pod says a kubelet should?
sub probe {
    my ($pod, $which) = @_;
    my $container = $pod->container('meshpulse');
    my $get = $container->{$which}{httpGet};
    my ($port) = map { $_->{containerPort} } grep { $_->{name} eq $get->{port} } @{ $container->{ports} };
    return ($pod->fetch($port, $get->{path}))[0];
}

sub becomes_ready {
    my ($pod) = @_;
    return eventually(30, sub { probe($pod, 'readinessProbe') eq '200' });
}

# What the kernel says of the process.
sub process {
    my ($pod) = @_;
    return { read_file("/proc/$pod->{pid}/status") =~ /^(Uid|Gid|Groups|CapEff|CapBnd|NoNewPrivs):\s*(.*?)\s*$/mg };
}

my @beside = ({ name => 'meshpulse-run', mountPath => '/run/meshpulse', readOnly => 1 });
# A program in another pod of the node that mounts the folder, as a user, perhaps in the socket's group.
sub as_user {
    my ($pod, $user, $groups, @program) = @_;
    return $pod->run_beside(\@beside, ["--reuid=$user", "--regid=$user", $groups ? "--groups=$groups" : '--clear-groups',
        '--no-new-privs', '--inh-caps=-all', '--bounding-set=-all'], @program);
}
my @client = ('/meshpulse', '--server', 'unix:/run/meshpulse/admin.sock');

my $agents = $cluster->namespace('agents');
install($agents, 'agent');
my $pod = Chart::Pod->new(pod => $cluster->pods($agents)->{n2}, cluster => $cluster, host => work_dir() . '/node2');
$pod->start_redis($password);
my $folder = $pod->{volumes}{'meshpulse-run'};

subtest 'a folder of the node belongs to root until it is prepared' => sub {
    is(owner($folder), '0:0', 'as a kubelet makes it');
    $pod->start('meshpulse');
    is(reap_within(15, $pod->{pid}), 78, 'the daemon cannot start');
    like(read_file($pod->{log}), qr{/run/meshpulse/admin\.sock.*denied}, 'and says why') or diag read_file($pod->{log});
    my ($status, undef, $err) = $pod->run_init('prepare');
    is($status, 0, 'the init container runs with one capability') or diag $err;
    is(owner($folder), '65532:65532', 'and gives it away');
    is(($pod->run_init('prepare'))[0], 0, 'again: nothing to do');
};

$pod->start('meshpulse');
ok(becomes_ready($pod), 'the daemon is ready') or die read_file($pod->{log});

subtest 'what it is' => sub {
    my $process = process($pod);
    like($process->{Uid}, qr/^65532\t65532\t65532\t65532$/, 'not root');
    is($process->{Groups}, '65532', 'in one group');
    is($process->{CapEff} . $process->{CapBnd}, '0' x 32, 'without any capability');
    is($process->{NoNewPrivs}, 1, 'and without a way to more');
    unlike(read_file("/proc/$pod->{pid}/environ"), qr/horse/, 'the password is not in its environment');
    unlike(read_file($pod->{log}), qr/horse/, 'nor in its log');
    my ($kilobytes) = read_file("/proc/$pod->{pid}/status") =~ /^VmRSS:\s*(\d+)/m;
    my ($limit) = $pod->container('meshpulse')->{resources}{limits}{memory} =~ /^(\d+)Mi$/;
    cmp_ok($kilobytes, '<', $limit * 1024 / 2, 'an empty one needs less than half of its memory limit');
    diag "resident: $kilobytes KiB";
};

subtest 'what the node sees of it, at the address of the pod' => sub {
    is(probe($pod, $_), 200, "the $_ succeeds") for qw(startupProbe livenessProbe readinessProbe);
    my $annotations = $pod->{pod}{metadata}{annotations};
    my ($status, $metrics) = $pod->fetch(@{$annotations}{qw(prometheus.io/port prometheus.io/path)});
    is($status, 200, 'Prometheus is served');
    like($metrics, qr/^meshpulse_ready 1$/m, 'with our metrics');
    like($metrics, qr/^meshpulse_redis_connected 1$/m, 'Redis has accepted the password of the Secret');
    is(($pod->fetch(9811, $_))[0], 404, "$_ is not served there") for qw(/v1/services /v1/nodes /debug/map);
    is(($pod->fetch(9810, '/livez'))[0], 'curl 7', 'nothing listens on the port of the API');
};

subtest 'what a pod beside it can do' => sub {
    my ($status, $out, $err) = as_user($pod, 1000, 65532, @client, 'nodes', '-o', 'json');
    is($status, 0, 'one in the group of the socket reads, through a read-only mount') or diag $err;
    my $nodes = eval { decode_json($out) } // {};
    my ($self) = grep { $_->{id} eq 'n2' } @{ $nodes->{items} // [] };
    is($self->{zone}, 'z2', 'and finds the daemon under the name and in the zone of its node') or diag $out;
    is((as_user($pod, 1000, 65532, @client, 'get', 'pay/pay-1'))[0], 0, 'the services of the values are there');
    my @drain = (@client, 'drain', 'pay/pay-1', '--for', '10m');
    ($status, undef, $err) = as_user($pod, 1000, 65532, @drain);
    is($status, 1, 'it may not write');
    like($err, qr/unauthorized|forbidden/, 'and is told so');
    is((as_user($pod, 2000, 65532, @drain))[0], 0, 'a user of unix_uids may');
    is((as_user($pod, 1000, '', @client, 'nodes'))[0], 69, 'one outside the group cannot connect');
    # At most two writes a second for each cluster: it may take a moment.
    eventually(5, sub {
        ($status, $out) = as_user($pod, 101, '', 'cat', '/run/meshpulse/eds/pay.json');
        return $out =~ /"DRAINING"/;
    });
    is($status, 0, 'everybody reads the files for Envoy');
    like($out, qr/"DRAINING"/, 'and finds the instance draining') or diag $out;
    isnt((as_user($pod, 0, '', 'touch', '/run/meshpulse/x'))[0], 0, 'but not even root writes through a read-only mount');
};

subtest 'its end, and the next one' => sub {
    kill 'KILL', $pod->{redis};
    ok(eventually(20, sub { ($pod->fetch(9811, '/metrics'))[1] =~ /^meshpulse_redis_connected 0$/m }), 'Redis is gone');
    is(probe($pod, $_), 200, "the $_ succeeds") for qw(livenessProbe readinessProbe);
    is($pod->stop, 0, 'SIGTERM ends it well') or diag read_file($pod->{log});
    ok(!-e "$folder/admin.sock", 'its socket is gone');
    ok(-s "$folder/eds/pay.json", 'the files for Envoy stay');
    reap_within(5, $pod->{redis});
    $pod->start_redis($password);
    $pod->start('meshpulse');
    ok(becomes_ready($pod), 'the next one is ready');
    kill 'KILL', $pod->{pid};
    reap_within(5, $pod->{pid});
    ok(-S "$folder/admin.sock", 'one that was killed leaves its socket');
    $pod->start('meshpulse');
    ok(becomes_ready($pod), 'the next one is ready all the same');
    is($pod->stop, 0, 'and ends');
};

subtest 'the sidecar' => sub {
    my $namespace = $cluster->namespace('sidecar', enforce => 'restricted', warn => 'restricted');
    install($namespace, 'sidecar');
    my $run = $cluster->apply($cluster->pod_of_notes($namespace));
    is($run->{status}, 0, 'a pod with it is made') or diag $run->{err};
    my $app = Chart::Pod->new(pod => $cluster->get($namespace, 'pod', 'app'), cluster => $cluster, host => work_dir() . '/none');
    $app->start_redis($password);
    $app->start('meshpulse');
    ok(eventually(30, sub { probe($app, 'startupProbe') eq '200' }), 'it is ready, so the containers of the pod may start')
        or diag read_file($app->{log});
    is(process($app)->{Uid}, join("\t", (65532) x 4), 'not as root');
    my ($status, $out) = as_user($app, 101, 65532, @client, 'nodes', '-o', 'name');
    like($out, qr/^app$/m, 'it is called after the pod');
    is($app->stop, 0, 'it ends');
};

done_testing();
