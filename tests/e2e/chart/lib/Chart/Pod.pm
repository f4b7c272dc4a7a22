# SPDX-License-Identifier: Apache-2.0
# Runs the containers of a pod as it stands in the API server, the way a kubelet would have them run: their
# arguments, environment, user, capabilities and mounts are those of the pod, and the files are those of its
# ConfigMaps and Secrets.  What is not the cluster's: the image is this machine's /usr and our program, and
# a folder of the node is a temporary one.
#
#     network namespace "node" 10.244.1.1 <---veth---> 10.244.1.7 network namespace "pod"
#
# Whatever a pod asks for that is not known here is fatal, so that nothing is left out in silence.
package Chart::Pod;
use strict;
use warnings;
use JSON::PP;
use MIME::Base64;
use Mesh;

our $REDIS = 'redis://10.244.1.1:6379';
use constant { NODE => '10.244.1.1', POD => '10.244.1.7' };

my $count = 0;

# pod: the object; cluster, to read what it mounts; host: a folder in whose place the node's folders are.
sub new {
    my ($class, %options) = @_;
    $count++;
    my $self = bless { %options, dir => work_dir() . "/pod$count" }, $class;
    mkdir $_ for $self->{dir}, $self->{host};
    $self->{node_net} = net_namespace();
    $self->{pod_net} = net_namespace();
    in_net($self->{node_net}, "ip link set lo up && ip link add node0 type veth peer name pod0 netns $self->{pod_net} && "
        . 'ip addr add ' . NODE . '/24 dev node0 && ip link set node0 up');
    in_net($self->{pod_net}, 'ip link set lo up && ip addr add ' . POD . '/24 dev pod0 && ip link set pod0 up');
    $self->{volumes} = { map { ($_->{name} => $self->volume($_)) } @{ $options{pod}{spec}{volumes} } };
    return $self;
}

# A network namespace, named by the process that holds it open.
sub net_namespace {
    my $own = readlink '/proc/self/ns/net';
    my $pid = spawn('/dev/null', work_dir() . '/net.err', 'unshare', '--net', 'sleep', '600');
    eventually(5, sub { (readlink("/proc/$pid/ns/net") // $own) ne $own }) or die 'no network namespace: '
        . read_file(work_dir() . '/net.err');
    return $pid;
}

sub in_net {
    my ($net, $script) = @_;
    my ($status, $out, $err) = run_program('nsenter', "--net=/proc/$net/ns/net", 'sh', '-ec', $script);
    die "$script: $err" if $status ne '0';
    return $out;
}

# A request from the node, as of a kubelet: (status, body).
sub fetch {
    my ($self, $port, $path) = @_;
    my ($status, $out) = run_program('nsenter', "--net=/proc/$self->{node_net}/ns/net", 'curl', '-s', '-m', '5',
        '-w', '\n%{http_code}', 'http://' . POD . ":$port$path");
    return $out =~ /\A(.*)\n(\d+)\z/s && $status eq '0' ? ($2 + 0, $1) : ("curl $status", '');
}

# A Redis on the node.
sub start_redis {
    my ($self, $password) = @_;
    $self->{redis} = spawn("$self->{dir}/redis.log", "$self->{dir}/redis.log", 'nsenter', "--net=/proc/$self->{node_net}/ns/net",
        $ENV{REDIS_SERVER} // 'build/redis-server', '--bind', NODE, '--port', '6379', '--requirepass', $password,
        '--save', '', '--dir', $self->{dir});
    eventually(10, sub { read_file("$self->{dir}/redis.log") =~ /Ready to accept/ }) or die read_file("$self->{dir}/redis.log");
    return;
}

# --- volumes: what is mounted, as a folder of ours

sub data_of {
    my ($self, $kind, $name) = @_;
    my $object = $self->{cluster}->get($self->{pod}{metadata}{namespace}, $kind, $name);
    my %data = %{ $object->{data} };
    return $kind eq 'secret' ? map { ($_ => decode_base64($data{$_})) } keys %data : %data;
}

sub project {
    my ($self, $folder, $projected) = @_;
    for my $source (@{ $projected->{sources} }) {
        my ($kind) = keys %$source;
        $kind =~ /^(?:configMap|secret)$/ or die "unknown source $kind";
        my %data = $self->data_of(lc $kind, $source->{$kind}{name});
        for my $item (@{ $source->{$kind}{items} // [map { { key => $_, path => $_ } } keys %data] }) {
            my $path = "$folder/$item->{path}";
            mkdir $path =~ s{/[^/]*$}{}r;
            write_file($path, $data{ $item->{key} } // die "no key $item->{key} in $source->{$kind}{name}");
            chown 0, $self->{pod}{spec}{securityContext}{fsGroup} // 0, $path;
            chmod $projected->{defaultMode}, $path;
        }
    }
    return;
}

sub volume {
    my ($self, $volume) = @_;
    my $folder = "$self->{dir}/$volume->{name}";
    if ($volume->{hostPath}) {
        $folder = "$self->{host}/" . $volume->{hostPath}{path} =~ s{/}{_}gr;
        return $folder if -d $folder;
        $volume->{hostPath}{type} eq 'DirectoryOrCreate' or die "$volume->{hostPath}{path} is not there";
        mkdir $folder;
        chmod 0755, $folder;
    } elsif ($volume->{emptyDir}) {
        mkdir $folder;
        chmod 0777, $folder;
    } elsif ($volume->{projected}) {
        mkdir $folder;
        chmod 0755, $folder;
        $self->project($folder, $volume->{projected});
    } else {
        die 'unknown volume ' . encode_json($volume);
    }
    return $folder;
}

# --- containers

sub container {
    my ($self, $name) = @_;
    my $spec = $self->{pod}{spec};
    my ($container) = grep { $_->{name} eq $name } @{ $spec->{initContainers} // [] }, @{ $spec->{containers} };
    return $container // die "no container $name";
}

sub field {
    my ($self, $path) = @_;
    my $pod = $self->{pod};
    return $pod->{metadata}{labels}{$1} // '' if $path =~ /^metadata\.labels\['(.+)'\]$/;
    return $pod->{spec}{nodeName} if $path eq 'spec.nodeName';
    return $pod->{metadata}{name} if $path eq 'metadata.name';
    die "unknown field $path";
}

sub environment {
    my ($self, $container) = @_;
    return map { "$_->{name}=" . ($_->{valueFrom} ? $self->field($_->{valueFrom}{fieldRef}{fieldPath}) : $_->{value}) }
        @{ $container->{env} // [] };
}

# The arguments of setpriv that make a process what the security context says.  Seccomp is not imitated.
sub privileges {
    my ($self, $container) = @_;
    my %is = %{ $container->{securityContext} };
    my ($user, $group) = delete @is{qw(runAsUser runAsGroup)};
    die 'root is not allowed' if delete $is{runAsNonRoot} && $user == 0;
    die 'escalation and a writable root are unknown here' if delete $is{allowPrivilegeEscalation} || !delete $is{readOnlyRootFilesystem};
    my %capabilities = %{ delete $is{capabilities} };
    "@{ $capabilities{drop} }" eq 'ALL' or die 'capabilities are kept';
    delete $is{seccompProfile};
    die 'unknown in a security context: ' . join ' ', keys %is if %is;
    my $groups = $self->{pod}{spec}{securityContext}{fsGroup};
    return ("--reuid=$user", "--regid=$group", defined $groups ? "--groups=$groups" : '--clear-groups', '--no-new-privs',
        '--inh-caps=-all', '--bounding-set=' . join ',', '-all', map { '+' . lc } @{ $capabilities{add} // [] });
}

# The mounts of a container below the folder "root", as a script.
sub mounts {
    my ($self, $container) = @_;
    my $root = "$self->{dir}/root";
    mkdir $root;
    my @lines = ("mount -t tmpfs -o mode=755 root $root", "cp @{[program()]} $root/meshpulse", "cd $root",
        'mkdir usr proc dev etc run', 'for name in bin lib lib64; do ln -s usr/$name $name; done', 'mount --rbind /proc proc',
        'mount --bind /usr usr', 'mount -o remount,bind,ro usr', 'cp /etc/ld.so.cache etc', 'touch dev/null dev/urandom',
        'mount --bind /dev/null dev/null', 'mount --bind /dev/urandom dev/urandom');
    for my $mount (@{ $container->{volumeMounts} }) {
        my $path = substr $mount->{mountPath}, 1;
        push @lines, "mkdir -p $path", "mount --bind $self->{volumes}{$mount->{name}} $path";
        push @lines, "mount -o remount,bind,ro $path" if $mount->{readOnly};
    }
    return (@lines, "mount -o remount,ro $root");
}

# The command that runs `@program` in place of the container's own, with these privileges.
sub command {
    my ($self, $container, $privileges, @program) = @_;
    my $script = join "\n", 'set -e', $self->mounts($container), 'exec chroot . /usr/bin/setpriv "$@"';
    return ('nsenter', "--net=/proc/$self->{pod_net}/ns/net", 'unshare', '--mount', '--propagation=private',
        'env', '-i', 'PATH=/usr/bin:/usr/sbin', $self->environment($container), 'sh', '-c', $script, 'sh', @$privileges, @program);
}

# Runs an init container to its end: (status, stdout, stderr).
sub run_init {
    my ($self, $name) = @_;
    my $container = $self->container($name);
    return run_program($self->command($container, [$self->privileges($container)], @{ $container->{command} },
        @{ $container->{args} // [] }));
}

# Starts a container whose entry point is our program.  Its output goes to $self->{log}.
sub start {
    my ($self, $name) = @_;
    my $container = $self->container($name);
    $self->{log} = "$self->{dir}/log";
    $self->{pid} = spawn($self->{log}, $self->{log}, $self->command($container, [$self->privileges($container)],
        '/meshpulse', @{ $container->{args} }));
    return $self->{pid};
}

# Runs a program as another container of the pod or of the node would: with the given mounts and user.
sub run_beside {
    my ($self, $mounts, $privileges, @program) = @_;
    return run_program($self->command({ volumeMounts => $mounts }, $privileges, @program));
}

sub stop {
    my ($self) = @_;
    kill 'TERM', $self->{pid};
    return reap_within(12, $self->{pid});
}

1;
