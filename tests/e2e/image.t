#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# The image, built by buildah and run by runc as the chart runs it: no capabilities, a root that cannot be
# written, 64 MiB.
use strict;
use warnings;
use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Find;
use FindBin;
use JSON::PP;
use lib "$FindBin::Bin/../integration/lib";
use Mesh;
use Test::More;

chdir abs_path(dirname(__FILE__) . '/../..') or die "chdir: $!";
plan skip_all => 'root is needed' if $> != 0;

sub output {
    my $text = qx{$_[0]};
    chomp $text;
    return $? == 0 ? $text : die "$_[0] failed";
}

my $top = work_dir();
output('tools/apt.sh iproute2 runc skopeo umoci >&2');
my $said = "$top/said";
my $archive = output("tools/image.sh 2>$said");
my $layout = 'build/image/oci';
my ($version) = $archive =~ /meshpulse-(.*)\.tar$/;

# The store of docker-archive: has the manifest that holds the health check; skopeo's own form leaves it out.
sub manifest {
    my ($list) = @{ decode_json(output("tar -xOf $archive manifest.json")) };
    return ($list, decode_json(output("tar -xOf $archive $list->{Config}"))->{config});
}

my ($list, $config) = manifest();
subtest 'what it says of itself' => sub {
    is_deeply($list->{RepoTags}, ["docker.io/library/meshpulse:$version"], 'its name, which Docker shortens');
    is($config->{User}, '65532:65532', 'a user with a number, as runAsNonRoot asks for');
    is_deeply($config->{Entrypoint}, ['meshpulse'], 'what runs');
    is_deeply($config->{Cmd}, ['serve'], 'and what it does when nothing is said');
    is_deeply($config->{Healthcheck}{Test}, [qw(CMD meshpulse status --ready --timeout 2s)], 'how its health is asked for');
    is($config->{Labels}{'org.opencontainers.image.version'}, $version, 'the version is a label');
    like($config->{Labels}{'org.opencontainers.image.revision'}, qr/^[0-9a-f]{40}$/, 'and the commit');
    like(read_file($said), qr/^image: bar image-mb-compressed [\d.]+ <= 45 ok$/m, 'it is small');
};

output("umoci unpack --image $layout:$version $top/bundle");

subtest 'what is in it' => sub {
    my $root = "$top/bundle/rootfs";
    my (@special, @programs);
    find({ no_chdir => 1, wanted => sub {
        return if -l || !-f _;
        push @special, $_ if (stat _)[2] & 06002;
        push @programs, $_ if -x _ && !m{/lib};
    } }, $root);
    is_deeply(\@special, [], 'nothing that everybody may write, or that gives rights');
    is_deeply([sort map { substr $_, length $root } @programs], ['/usr/bin/chown', '/usr/bin/meshpulse'], 'two programs, and no shell');
    my @packages = map { /([^\/]+)$/ } glob "$root/var/lib/dpkg/status.d/*";
    cmp_ok(scalar @packages, '>=', 20, 'what its libraries are is known to scanners');
    ok((grep { $_ eq 'libc6' } @packages), 'libc among them');
    is_deeply([grep { !-s "$root/usr/share/doc/$_/copyright" } @packages, 'meshpulse'], [], 'each with its licence');
    like(read_file("$root/etc/ssl/certs/ca-certificates.crt"), qr/BEGIN CERTIFICATE/, 'authorities for TLS');
};

# Changes the bundle's configuration of the run by what the chart says about a container.
my $PLAIN = read_file("$top/bundle/config.json");
sub confine {
    my ($change) = @_;
    my $run = decode_json($PLAIN);
    my $process = $run->{process};
    @$process{qw(terminal noNewPrivileges)} = (JSON::PP::false, JSON::PP::true);
    $process->{capabilities} = { map { $_ => [] } qw(bounding effective inheritable permitted ambient) };
    $run->{root}{readonly} = JSON::PP::true;
    $run->{linux}{resources}{memory}{limit} = 64 << 20;
    $change->($run) if $change;
    write_file("$top/bundle/config.json", encode_json($run));
    return;
}

my @RUNC = ('runc', '--root', "$top/runc");

# A container that is there, but in which nothing has been started.  Its network has lo, as anybody's has.
sub create {
    my ($name) = @_;
    my ($status, undef, $err) = run_program(@RUNC, 'create', '--bundle', "$top/bundle", '--pid-file', "$top/$name.pid", $name);
    is($status, 0, "$name is made") or diag $err;
    my $pid = read_file("$top/$name.pid");
    run_program('nsenter', '-t', $pid, '-n', 'ip', 'link', 'set', 'lo', 'up');
    run_program(@RUNC, 'start', $name);
    return $pid;
}

subtest 'it runs with nothing but itself' => sub {
    confine();
    my $pid = create('daemon');
    my (undef, @health) = @{ $config->{Healthcheck}{Test} };
    ok(eventually(20, sub { (run_program(@RUNC, 'exec', 'daemon', @health))[0] eq '0' }), 'it is ready, as its health check asks');
    my $status = read_file("/proc/$pid/status");
    like($status, qr/^Name:\s+meshpulse$/m, 'its process is the program itself');
    like($status, qr/^Uid:\s+65532\s+65532\s+65532\s+65532$/m, 'not root');
    like($status, qr/^CapPrm:\s0+\nCapEff:\s0+\nCapBnd:\s0+\n/m, 'without capabilities');
    like($status, qr/^NoNewPrivs:\s1$/m, 'nor a way to get some');
    like(read_file("/proc/$pid/mountinfo"), qr{^\S+ \S+ \S+ \S+ / ro\b}m, 'its root cannot be written');
    my ($limit) = read_file("/proc/$pid/cgroup") =~ /^\d+:(?:memory)?:(\/.*daemon)$/m;
    my @limits = grep { length } map { read_file($_) } "/sys/fs/cgroup/memory$limit/memory.limit_in_bytes", "/sys/fs/cgroup$limit/memory.max";
    is("@limits", (64 << 20) . "\n", 'the limit of its memory is one');
    like((run_program(@RUNC, 'exec', 'daemon', 'meshpulse', 'nodes'))[1], qr/live/, 'a client in it is served');
    run_program(@RUNC, 'kill', 'daemon', 'TERM');
    ok(eventually(20, sub { (run_program(@RUNC, 'state', 'daemon'))[1] =~ /"stopped"/ }), 'SIGTERM ends it');
    is((run_program(@RUNC, 'delete', 'daemon'))[0], 0, 'it is gone');
};

subtest 'its chown hands over the folder of the host' => sub {
    mkdir "$top/run" or die "mkdir: $!";
    confine(sub {
        my ($run) = @_;
        $run->{process}{user} = { uid => 0, gid => 0 };
        $run->{process}{args} = [qw(chown 65532:65532 /run/meshpulse)];
        $run->{process}{capabilities} = { map { $_ => ['CAP_CHOWN'] } qw(bounding effective permitted) };
        push @{ $run->{mounts} }, { destination => '/run/meshpulse', source => "$top/run", type => 'bind', options => ['rbind', 'rw'] };
    });
    create('prepare');
    ok(eventually(20, sub { (run_program(@RUNC, 'state', 'prepare'))[1] =~ /"stopped"/ }), 'it ends');
    is(join(':', (stat "$top/run")[4, 5]), '65532:65532', 'the folder is the daemon\'s');
    run_program(@RUNC, 'delete', 'prepare');
};

END { # before the folder with the state of runc goes
    my $status = $?;
    system("@RUNC delete --force $_ 2>/dev/null") for -d "$top/runc" ? qw(daemon prepare) : ();
    $? = $status;
}
done_testing();
