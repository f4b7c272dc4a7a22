#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# The chart without a cluster: what helm makes of it, whether Kubernetes' schemas and the daemon accept that,
# and which values are refused.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib", "$FindBin::Bin/../../integration/lib";
use Chart;
use Mesh;
use Test::More;

my $chart = top() . '/charts/meshpulse';
my $url = 'redis.url=redis://redis:6379';
my @versions = qw(1.29.0 1.33.0 1.35.0 1.37.0);
my %examples = examples();

# Each a way to install it: name, arguments.
my @ways = (
    (map { ["the example $_", '-f', $examples{$_}] } sort keys %examples),
    ['no values but the URL', '--set', $url],
    ['prepared nodes', '--set', "$url,runDir.prepare.enabled=false,runDir.hostPath=/srv/meshpulse"],
    ['an image by digest, from a private registry', '--set', "$url,image.digest=sha256:" . '0' x 64 . ',image.pullSecrets={a,b}'],
    ['secrets of the parent chart', '--set', "$url,global.imagePullSecrets[0].name=a,global.else=1,enabled=true"],
    ['another name', '--set', "$url,nameOverride=pulse,fullnameOverride=pulse,serviceAccount.create=false"],
    ['an IPv6 cluster', '--set', "$url,config.admin.probe_listen=[::]:9900"],
    ['great numbers', '--set', "$url,config.stream.retention=100000000,config.map.changefeed=16777216"],
    ['files of one\'s own', '--set', "$url,extraVolumes[0].name=t,extraVolumes[0].secret.secretName=t,"
        . 'extraVolumeMounts[0].name=t,extraVolumeMounts[0].mountPath=/etc/t,config.admin.tokens_file=/etc/t/tokens'],
);

sub template {
    my ($helm, $version, @arguments) = @_;
    return run(tool($helm), 'template', 'mesh', $chart, '-n', 'mesh', '--kube-version', $version, @arguments);
}

# What the schemas of that version say; the definition of a PodMonitor is the cluster's (cluster.t).
sub conforms {
    my ($version, $manifests) = @_;
    my $file = write_file(work_dir() . '/manifests.yaml', $manifests);
    return run(tool('kubeconform'), '-strict', '-summary', '-skip', 'PodMonitor', '-kubernetes-version', $version,
        '-schema-location', tool('schemas') . '/{{.NormalizedKubernetesVersion}}/{{.ResourceKind}}{{.KindSuffix}}.json', $file);
}

# What the daemon has against a configuration.
sub complaints {
    my ($text) = @_;
    my ($status, undef, $err) = run_program(program(), 'check-config', write_file(work_dir() . '/meshpulse.yaml', $text));
    return $status eq '0' ? '' : $err;
}

for my $version (@versions) {
    is(template('helm', $version, '--set', $url)->{status}, 0, "it is for Kubernetes $version");
}

subtest 'helm lint' => sub {
    for my $helm (grep { have($_) } qw(helm helm3)) {
        my $lint = run(tool($helm), 'lint', '--strict', $chart, '--set', $url);
        is($lint->{status}, 0, "$helm has nothing against it") or diag $lint->{out};
    }
};

for my $way (@ways) {
    my ($name, @arguments) = @$way;
    subtest $name => sub {
        my $rendered = template('helm', $versions[-1], @arguments);
        is($rendered->{status}, 0, 'is rendered') or return diag $rendered->{err};
        is(complaints(config_of($rendered->{out})), '', 'the daemon accepts the configuration');
        SKIP: {
            skip 'the go client is not installed', 1 if !have('kubeconform');
            for my $version (@versions) {
                my $conforms = conforms($version, $rendered->{out});
                is($conforms->{status}, 0, "Kubernetes $version has such objects") or diag $conforms->{out};
            }
        }
        SKIP: {
            skip 'the go client is not installed', 1 if !have('helm3');
            my $other = template('helm3', $versions[-1], @arguments);
            is($other->{out} =~ s/\n+---/\n---/gr, $rendered->{out} =~ s/\n+---/\n---/gr, 'helm 3 renders the same');
        }
    };
}

SKIP: {
    skip 'the go client is not installed', 1 if !have('kubeconform');
    my $good = template('helm', $versions[0], '--set', $url)->{out};
    my $planted = conforms($versions[0], $good =~ s/readOnlyRootFilesystem/readOnlyRootFileSystem/r);
    like($planted->{out}, qr/readOnlyRootFileSystem/, 'a planted typo is found');
}

# What is refused, and a part of the message that says why.
my @refused = (
    ['redis.urll=x', qr{/redis': additional properties 'urll' not allowed}],
    ['redis.password=secret', qr{/redis/password': got string, want object}],
    ['redis.url=redis://user:secret@redis', qr{/redis/url': .*does not match pattern}],
    ['redis.url=redis:6379', qr{/redis/url': .*does not match pattern}],
    ['redis.url=', qr{redis\.url is required, such as redis://}],
    ['redis.password.key=', qr{/redis/password/key': '' does not match}],
    ['redis.tls.existingSecret=a', qr{redis\.tls: is for a redis\.url of rediss://}],
    ['redis.url=rediss://redis,redis.tls.existingSecret=a,redis.tls.caKey=', qr{redis\.tls: caKey, certKey and keyKey are all empty}],
    ['config.stream.leese=1s', qr{/config/stream': additional properties 'leese' not allowed}],
    ['config.streams.lease=1s', qr{/config': additional properties 'streams' not allowed}],
    ['config.stream.lease=15', qr{/config/stream/lease': got number, want string}],
    ['config.stream.lease=15 s', qr{/config/stream/lease': '15 s' does not match}],
    ['config.stream.partitions=0', qr{/config/stream/partitions': minimum: got 0, want 1}],
    ['config.stream.partitions=many', qr{/config/stream/partitions': got string, want integer}],
    ['config.map.shards=3', qr{/config/map/shards': value must be one of 1, 2, 4, 8}],
    ['config.log.level=loud', qr{/config/log/level': value must be one of 'error', 'warn', 'info', 'debug'}],
    ['config.admin.write=everyone', qr{/config/admin/write': value must be one of 'loopback', 'authenticated'}],
    ['config.admin.unix_mode=rw', qr{/config/admin/unix_mode': 'rw' does not match}],
    ['config.admin.unix_uids={root}', qr{/config/admin/unix_uids/0': got string, want integer}],
    ['config.admin.probe_listen=', qr{config\.admin\.probe_listen: the probes need it}],
    ['config.stream.url=memory:', qr{config\.stream\.url: leave it out}],
    ['config.stream.password_file=/x', qr{config\.stream\.password_file: leave it out}],
    ['config.node.id=a', qr{config\.node\.id: leave it out}],
    ['config.services[0].nam=pay', qr{/config/services/0': (?:missing property 'name'|additional properties 'nam')}],
    ['config.services[0].name=pay,config.services[0].check.intervall=1s', qr{/check': additional properties 'intervall'}],
    ['runDir.type=nfs', qr{/runDir/type': value must be one of 'hostPath', 'emptyDir'}],
    ['runDir.hostPath=run', qr{/runDir/hostPath': 'run' does not match}],
    ['image.digest=latest', qr{/image/digest': 'latest' does not match}],
    ['image.pullPolicy=Sometimes', qr{/image/pullPolicy': value must be one of}],
    ['updateStrategy.rollingUpdate.maxSurge=1', qr{/rollingUpdate': additional properties 'maxSurge' not allowed}],
    ['terminationGracePeriodSeconds=5', qr{/terminationGracePeriodSeconds': minimum: got 5, want 11}],
    ['livenessProbe.httpGet.path=/x', qr{/livenessProbe': additional properties 'httpGet' not allowed}],
    ['replicas=3', qr{additional properties 'replicas' not allowed}],
);
subtest 'wrong values' => sub {
    for my $row (@refused) {
        my ($set, $message) = @$row;
        my $refused = template('helm', $versions[-1], '--set', $url, '--set', $set);
        isnt($refused->{status}, 0, "$set is refused");
        like($refused->{err}, $message, 'and the message says why');
    }
    my $file = write_file(work_dir() . '/values.yaml', "config: {admin: {unix_mode: 0660}}\n");
    like(template('helm', $versions[-1], '--set', $url, '-f', $file)->{err},
        qr{/config/admin/unix_mode': got number, want string}, 'a mode without quotes is refused: YAML makes 432 of it');
    isnt(template('helm', '1.28.0', '--set', $url)->{status}, 0, 'Kubernetes 1.28 is refused: it has no sidecars');
};

done_testing();
