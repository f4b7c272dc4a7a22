#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# The chart in a cluster: install, upgrade, rollback and uninstall by helm 4 and helm 3, what the API server
# has against its objects, and what Pod Security says.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib", "$FindBin::Bin/../../integration/lib";
use Chart;
use Chart::Cluster;
use JSON::PP;
use Mesh;
use Test::More;

plan skip_all => 'the go client is not installed' if !have('helm3');

my $chart = top() . '/charts/meshpulse';
my $url = 'redis.url=redis://redis:6379';
my @nodes = qw(n1 n2 n3);
my %examples = examples();
my $cluster = Chart::Cluster->new(nodes => scalar @nodes);
# A node that keeps ordinary pods away.
$cluster->kubectl('taint', 'node', 'n3', 'dedicated=batch:NoSchedule')->{status} eq '0' or die 'taint';

# A packaged chart of another version, as the next release would be.
sub package_chart {
    my ($version) = @_;
    run_ok(tool('helm'), 'package', $chart, '--version', $version, '--app-version', $version, '-d', work_dir());
    return work_dir() . "/meshpulse-$version.tgz";
}

sub helm_ok {
    my ($helm, @arguments) = @_;
    my $run = $helm->helm(@arguments);
    is($run->{status}, 0, "helm $arguments[0]") or diag $run->{err};
    return $run;
}

# What identifies the pods, and what they are made of.
sub uids { my ($pods) = @_; return [sort map { $_->{metadata}{uid} } values %$pods] }
sub image { my ($pods) = @_; return join ' ', sort map { $_->{spec}{containers}[0]{image} } values %$pods }
sub checksum { my ($pods) = @_; return join ' ', sort map { $_->{metadata}{annotations}{'checksum/config'} } values %$pods }

# Compares the pods of two moments.
sub replaced {
    my ($old, $new) = @_;
    my %old = map { ($_ => 1) } @{ uids($old) };
    return !grep { $old{$_} } @{ uids($new) };
}

my ($first, $second) = map { package_chart($_) } qw(0.1.0 0.1.1);

for my $row (['helm 4', 'helm'], ['helm 3', 'helm3']) {
    my ($name, $program) = @$row;
    subtest "the life of a release under $name" => sub {
        my $helm = $cluster->with_helm($program);
        my $namespace = $cluster->namespace("life-$program");
        my @empty = $cluster->everything($namespace);
        my @where = ('mesh', '-n', $namespace);
        my @wait = ('--wait', '--timeout', '60s');

        my $install = helm_ok($helm, 'install', 'mesh', $first, '-n', $namespace, '--set', $url, @wait);
        cmp_ok($install->{seconds}, '<=', 20, 'it is ready within 20 s');
        diag sprintf '%s: install, all ready: %.1f s', $name, $install->{seconds};
        my $installed = $cluster->pods($namespace);
        is_deeply([sort keys %$installed], \@nodes, 'every node has one, the tainted one too');
        is_deeply([map { scalar @{ $_->{spec}{volumes} } } values %$installed], [2, 2, 2], 'no token is mounted');
        is($installed->{n2}{metadata}{labels}{'topology.kubernetes.io/zone'}, 'z2', 'a pod knows its zone');

        helm_ok($helm, 'upgrade', @where, $first, '--set', $url, @wait);
        is_deeply(uids($cluster->pods($namespace)), uids($installed), 'an upgrade that changes nothing leaves the pods alone');

        helm_ok($helm, 'upgrade', @where, $first, '--set', "$url,config.log.level=debug", @wait);
        my $configured = $cluster->pods($namespace);
        ok(replaced($installed, $configured), 'another configuration replaces the pods');
        isnt(checksum($configured), checksum($installed), 'by its checksum');
        is(image($configured), image($installed), 'and the image is the same');

        helm_ok($helm, 'upgrade', @where, $second, '--set', "$url,config.log.level=debug", @wait);
        my $upgraded = $cluster->pods($namespace);
        ok(replaced($configured, $upgraded), 'the next version replaces the pods');
        is(image($upgraded), join(' ', ('meshpulse:0.1.1') x 3), 'with its image');

        helm_ok($helm, 'rollback', 'mesh', '1', '-n', $namespace, @wait);
        my $back = $cluster->pods($namespace);
        ok(replaced($upgraded, $back), 'a rollback replaces the pods');
        is(image($back) . checksum($back), image($installed) . checksum($installed), 'with image and configuration of before');
        unlike($cluster->get($namespace, 'configmap', 'mesh-meshpulse')->{data}{'meshpulse.yaml'}, qr/debug/,
            'the configuration is that of before');

        helm_ok($helm, 'uninstall', 'mesh', '-n', $namespace, @wait);
        is_deeply([$cluster->everything($namespace)], \@empty, 'nothing is left');
    };
}

# --- what the API server has against the objects

my $monitors = read_file(tool('podmonitors.yaml'));
is($cluster->apply($monitors, '--server-side')->{status}, 0, 'PodMonitors are known here');
my $strict = $cluster->namespace('strict');

sub dry_run {
    my ($manifests) = @_;
    return $cluster->apply($manifests, '-n', $strict, '--dry-run=server', '--validate=strict');
}

sub render { return run_ok(tool('helm'), 'template', 'mesh', $chart, '-n', $strict, @_) }

subtest 'the API server takes each object as it is' => sub {
    eventually(10, sub { $cluster->kubectl('-n', $strict, 'get', 'podmonitors')->{status} eq '0' });
    for my $name (sort keys %examples) {
        my $taken = dry_run(render('-f', $examples{$name}));
        is($taken->{status}, 0, "those of the example $name") or diag $taken->{err};
        is($taken->{err}, '', 'without a warning');
    }
    my $monitor = render('-f', $examples{tls});
    like($monitor, qr/^kind: PodMonitor$/m, 'a PodMonitor is among them');
    like(dry_run($monitor =~ s/podMetricsEndpoints/podMetricEndpoints/r)->{err}, qr/podMetricEndpoints/, 'a planted typo is refused');
    like(dry_run($monitor =~ s/readOnlyRootFilesystem/readOnlyRootFileSystem/r)->{err}, qr/readOnlyRootFileSystem/,
        'another one, too');
};

# --- Pod Security

# What the API server warns of, one line for each rule.
sub warnings_of {
    my ($run) = @_;
    my ($warning) = $run->{err} =~ s/\\"/"/gr =~ /would violate PodSecurity "\w+:\w+": (.*)"$/m;
    return $run->{err} =~ /warning/i ? $run->{err} : () if !defined $warning;
    return sort split /(?<=\)), /, $warning;
}

# A release in a namespace that enforces a level.
sub install_in {
    my ($namespace, @values) = @_;
    return $cluster->helm('install', 'mesh', $chart, '-n', $namespace, @values);
}

# The text that docs/kubernetes.md shows, so that it stays true.
my $documented = read_file(top() . '/docs/kubernetes.md');

for my $row (['restricted', 'with the folder of the node'], ['restricted', 'on prepared nodes', 'runDir.prepare.enabled=false'],
    ['baseline', 'with the folder of the node']) {
    my ($level, $name, @set) = @$row;
    subtest "Pod Security $level, $name" => sub {
        my $namespace = $cluster->namespace("$level-" . (@set ? 'prepared' : 'agent'), enforce => $level, warn => $level);
        my @warnings = warnings_of(install_in($namespace, map { ('--set', $_) } $url, @set));
        ok(@warnings > 0, 'helm install warns');
        ok(index($documented, $_) >= 0, "docs/kubernetes.md shows: $_") for @warnings;
        my $refused = eventually(10, sub {
            my $events = $cluster->get($namespace, 'events', '--field-selector', 'reason=FailedCreate')->{items};
            return $events->[0]{message};
        });
        like($refused, qr/violates PodSecurity "$level/, 'and no pod is made');
        is_deeply($cluster->pods($namespace), {}, 'none at all');
    };
}

subtest 'Pod Security restricted, emptyDir' => sub {
    my $namespace = $cluster->namespace('restricted-empty', enforce => 'restricted', warn => 'restricted');
    my $run = install_in($namespace, '-f', $examples{restricted}, '--wait', '--timeout', '60s');
    is($run->{status}, 0, 'it is installed') or diag $run->{err};
    is_deeply([warnings_of($run)], [], 'without a warning');
    is_deeply([sort keys %{ $cluster->pods($namespace) }], \@nodes, 'every node has one');
};

# --- what the notes tell users to write

subtest 'the sidecar of the notes' => sub {
    my $namespace = $cluster->namespace('sidecar', enforce => 'restricted', warn => 'restricted');
    is(install_in($namespace, '-f', $examples{sidecar})->{status}, 0, 'its configuration is installed');
    is_deeply([grep { m{^(?:daemonset|pod|serviceaccount/mesh)} } $cluster->everything($namespace)], [], 'and nothing runs');
    my $run = $cluster->apply($cluster->pod_of_notes($namespace), '--validate=strict');
    is($run->{status}, 0, 'a pod with it is made') or diag $run->{err};
    is($run->{err}, '', 'without a warning, where the restricted standard is enforced');
    ok(eventually(20, sub { $cluster->get($namespace, 'pod', 'app')->{status}{phase} eq 'Running' }), 'and placed');
};

subtest 'the volume of the notes' => sub {
    my $namespace = $cluster->namespace('beside');
    is(install_in($namespace, '-f', $examples{agent})->{status}, 0, 'the agents are installed');
    my $run = $cluster->apply($cluster->pod_of_notes($namespace), '--validate=strict');
    is($run->{status}, 0, 'a pod with it is made') or diag $run->{err};
    is($run->{err}, '', 'without a warning');
};

done_testing();
