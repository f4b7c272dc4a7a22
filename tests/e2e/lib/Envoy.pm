# SPDX-License-Identifier: Apache-2.0
# The real Envoy with the example's bootstrap, and what it can be asked: who answers a request that goes
# through it, and what it thinks of each endpoint.
package Envoy;
use strict;
use warnings;
use HTTP::Tiny;
use JSON::PP;
use Mesh;

# Options: example (the bootstrap as users get it), files_dir.
sub new {
    my ($class, %options) = @_;
    my $dir = work_dir();
    my $self = bless {
        %options,
        log   => "$dir/envoy.log",
        admin => "$dir/envoy.admin",
        http  => HTTP::Tiny->new(timeout => 5, keep_alive => 0, proxy => undef, http_proxy => undef),
    }, $class;
    $self->{file} = write_file("$dir/envoy.yaml", $self->adapt(read_file($options{example})));
    return $self;
}

# The example with its folder and its ports replaced: 0, so that the kernel chooses.
sub adapt {
    my ($self, $text) = @_;
    $text =~ s{/run/meshpulse/eds}{$self->{files_dir}}g or die 'the example names no folder';
    ($text =~ s/port_value: \d+/port_value: 0/g) == 2 or die 'the example has other ports';
    return $text;
}

sub start {
    my ($self) = @_;
    unlink $self->{admin};
    $self->{pid} = spawn($self->{log}, $self->{log}, $ENV{ENVOY} // 'build/envoy', '-c', $self->{file},
        '--admin-address-path', $self->{admin}, '--disable-hot-restart', '--concurrency', 2,
        '--log-level', 'warning');
    eventually(20, sub { $self->ask('/ready') =~ /^LIVE/ }) or die 'Envoy does not start: ' . read_file($self->{log});
    my ($listener) = @{ decode_json($self->ask('/listeners?format=json'))->{listener_statuses} };
    $self->{url} = 'http://127.0.0.1:' . $listener->{local_address}{socket_address}{port_value} . '/';
    return $self;
}

# Returns its exit status.
sub stop {
    my ($self) = @_;
    kill 'TERM', $self->{pid};
    return reap_within(10, $self->{pid});
}

# The admin interface's answer.
sub ask {
    my ($self, $path) = @_;
    return $self->{http}->get('http://' . read_file($self->{admin}) . $path)->{content};
}

# One request through Envoy: the name of the backend that answered, or Envoy's own status.
sub request {
    my ($self) = @_;
    my $answer = $self->{http}->get($self->{url});
    return $answer->{success} ? $answer->{content} : $answer->{status};
}

# Who answers `$count` requests, sorted, each once.
sub answering {
    my ($self, $count) = @_;
    my %seen = map { ($self->request => 1) } 1 .. $count;
    return [sort keys %seen];
}

# Port -> what the file says, as Envoy understood it.  It knows no UNKNOWN (HEALTHY) and no TIMEOUT
# (UNHEALTHY).
sub health {
    my ($self) = @_;
    my $clusters = decode_json($self->ask('/clusters?format=json'))->{cluster_statuses};
    my ($cluster) = grep { $_->{name} eq 'pay' } @$clusters;
    return { map { ($_->{address}{socket_address}{port_value} => $_->{health_status}{eds_health_status} // '') }
        @{ $cluster->{host_statuses} // [] } };
}

# The value of one counter or gauge of the cluster.
sub stat {
    my ($self, $name) = @_;
    my ($value) = $self->ask("/stats?filter=cluster.pay.$name\$") =~ /: (\d+)/;
    return $value;
}

1;
