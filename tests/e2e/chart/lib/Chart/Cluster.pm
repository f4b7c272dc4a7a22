# SPDX-License-Identifier: Apache-2.0
# A real Kubernetes API with faked nodes (tools/kubernetes/control-plane.sh), and helm and kubectl that talk
# to it.  A pod is placed by the real scheduler and called ready by kwok; none of its containers runs.
package Chart::Cluster;
use strict;
use warnings;
use Chart;
use IO::Socket::INET;
use JSON::PP;
use Mesh;

my $script = top() . '/tools/kubernetes/control-plane.sh';
my $state; # of the one that runs

sub free_port {
    my $socket = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1') or die "listen: $!";
    return $socket->sockport;
}

sub new {
    my ($class, %options) = @_;
    local $ENV{KUBE_API_PORT} = free_port();
    local $ENV{KUBE_ETCD_PORT} = free_port();
    $state = work_dir() . '/cluster';
    run_ok($script, 'up', $state);
    run_ok($script, 'nodes', $state, $options{nodes});
    $ENV{KUBECONFIG} = "$state/kubeconfig";
    return bless { helm => 'helm' }, $class;
}

# Mesh's END knows nothing of the processes that a script has left behind.
END {
    my $status = $?;
    system $script, 'down', $state if defined $state && -d $state;
    $? = $status;
}

# The same cluster seen by another helm.
sub with_helm { my ($self, $helm) = @_; return bless { %$self, helm => $helm }, ref $self }

sub kubectl { my ($self, @arguments) = @_; return run(tool('kubectl'), @arguments) }
sub helm { my ($self, @arguments) = @_; return run(tool($self->{helm}), @arguments) }

sub get {
    my ($self, $namespace, @what) = @_;
    return json_of(tool('kubectl'), '-n', $namespace, 'get', @what, '-o', 'json');
}

# Applies objects given as YAML or JSON text; further arguments are kubectl's.
sub apply {
    my ($self, $text, @arguments) = @_;
    my $file = write_file(work_dir() . '/apply.yaml', $text);
    return $self->kubectl('apply', '-f', $file, @arguments);
}

sub must { my ($run) = @_; die "$run->{command}: $run->{err}" if $run->{status} ne '0'; return $run }

# A namespace; levels: enforce => 'restricted', warn => ...
sub namespace {
    my ($self, $name, %levels) = @_;
    my %labels = map { ("pod-security.kubernetes.io/$_" => $levels{$_}) } keys %levels;
    must($self->apply(encode_json({ apiVersion => 'v1', kind => 'Namespace', metadata => { name => $name, labels => \%labels } })));
    eventually(10, sub { $self->kubectl('-n', $name, 'get', 'serviceaccount', 'default')->{status} eq '0' })
        or die "namespace $name has no service account";
    return $name;
}

sub secret {
    my ($self, $namespace, $name, %data) = @_;
    must($self->apply(encode_json({ apiVersion => 'v1', kind => 'Secret', stringData => \%data,
        metadata => { name => $name, namespace => $namespace } })));
    return;
}

# The pods of our releases in a namespace, by node.
sub pods {
    my ($self, $namespace) = @_;
    my $list = $self->get($namespace, 'pods', '-l', 'app.kubernetes.io/name=meshpulse');
    return { map { ($_->{spec}{nodeName} // '' => $_) } @{ $list->{items} } };
}

# The piece of a pod that the notes of the release "mesh" show, made whole by an image for the container that
# stands for the user's.
sub pod_of_notes {
    my ($self, $namespace) = @_;
    my $notes = must($self->helm('get', 'notes', 'mesh', '-n', $namespace))->{out};
    my ($spec) = $notes =~ /^(spec:\n(?: .*\n|\n)+)/m or die "no pod in $notes";
    my $container = join "\n      ", '- name: envoy', 'image: envoy', 'securityContext:', '  allowPrivilegeEscalation: false',
        '  capabilities: {drop: [ALL]}', '  runAsNonRoot: true', '  seccompProfile: {type: RuntimeDefault}';
    $spec =~ s/- name: envoy\b/$container/ or die "no container envoy in $spec";
    return "apiVersion: v1\nkind: Pod\nmetadata: {name: app, namespace: $namespace}\n$spec";
}

# Every object in a namespace but events: "kind/name".
sub everything {
    my ($self, $namespace) = @_;
    my @kinds = grep { !/^events/ } split /\n/,
        run_ok(tool('kubectl'), 'api-resources', '--namespaced', '--verbs=list', '-o', 'name');
    my $list = run_ok(tool('kubectl'), '-n', $namespace, 'get', join(',', @kinds), '-o', 'name', '--ignore-not-found');
    return sort split /\n/, $list;
}

1;
