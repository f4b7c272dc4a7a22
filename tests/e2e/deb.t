#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# The Debian package in a real, booted Debian 12 and 13: installed, run, hung, reloaded, purged.
# systemd-nspawn boots an overlay upon a cached tree; nothing of it is left.
use strict;
use warnings;
use Cwd qw(abs_path);
use File::Basename qw(dirname);
use FindBin;
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

output('tools/apt.sh debootstrap systemd-container lintian >&2');

my $LAY = <<'SH';
    mount -t overlay overlay -o "lowerdir=$1,upperdir=$2/upper,workdir=$2/work" "$2/root"
    cp "$3" "$2/root/root/meshpulse.deb"
    cp /etc/resolv.conf "$2/root/etc/resolv.conf"
    chroot "$2/root" sh -c 'apt-get -qq update && apt-get -qq -y --no-install-recommends install -d /root/meshpulse.deb'
    rm -f "$2/root/usr/sbin/policy-rc.d"
    exec systemd-nspawn -q --register=no --keep-unit --private-network -D "$2/root" -b
SH

# Boots it with the packages that ours needs downloaded.  Returns the pids of nspawn and of its init.
sub boot {
    my ($tree, $deb) = @_;
    my $place = work_dir() . '/' . ($deb =~ /(deb1\d)/)[0];
    mkdir $_ or die "mkdir: $!" for $place, map { "$place/$_" } qw(upper work root);
    my $nspawn = spawn("$place/log", "$place/log", 'unshare', '--mount', 'sh', '-euc', $LAY, 'sh', $tree, $place, $deb);
    my $init;
    eventually(120, sub {
        ($init) = qx{pgrep -P $nspawn -x systemd} =~ /(\d+)/;
        return !alive($nspawn) || ($init && inside($init, 'systemctl is-system-running') =~ /running|degraded/);
    });
    die read_file("$place/log") if !$init || !alive($nspawn);
    return ($nspawn, $init);
}

# What a command inside says; its status is left in $?.
sub inside {
    my ($init, $command) = @_;
    my $text = qx{nsenter -t $init -a sh -c '$command' 2>&1 </dev/null};
    chomp $text;
    return $text;
}

sub works {
    my ($init, $command, $name) = @_;
    my $text = inside($init, $command);
    is($?, 0, $name) or diag $text;
    return $text;
}

my $LIST = 'find / -xdev -path /proc -prune -o -path "*meshpulse*" -print | grep -v -e ^/root/ -e ^/var/log/journal | sort';

sub life {
    my ($init) = @_;
    works($init, 'apt-get -qq -y --no-install-recommends install /root/meshpulse.deb', 'it is installed, with what it needs');
    is(inside($init, 'systemctl is-active meshpulse'), 'active', 'it runs') or diag inside($init, 'journalctl -u meshpulse');
    is(inside($init, 'systemctl is-enabled meshpulse'), 'enabled', 'and will after the next boot');
    ok(eventually(20, sub { inside($init, 'systemctl show -p StatusText meshpulse') eq 'StatusText=ready' }), 'its map is warm');
    like(works($init, 'meshpulse nodes', 'its socket answers'), qr/live/, 'as a live node');
    my $pid = works($init, 'systemctl show -P MainPID meshpulse', 'it has a process');
    like(works($init, "cat /proc/$pid/status", 'which'), qr/^CapEff:\s0+\n.*^NoNewPrivs:\s1\n.*^Seccomp:\s2\n/ms, 'may do little');
    unlike(inside($init, "cat /proc/$pid/status"), qr/^Uid:\s0\s/m, 'and is not root');
    works($init, 'systemctl reload meshpulse', 'it reloads');
    is(inside($init, 'systemctl show -P MainPID meshpulse'), $pid, 'in the same process');
    inside($init, "kill -STOP $pid");
    ok(eventually(40, sub { inside($init, 'systemctl show -P NRestarts meshpulse') == 1 }), 'hung, it is ended and started again');
    ok(eventually(20, sub { inside($init, 'meshpulse nodes') =~ /live/ }), 'and answers');
    isnt(inside($init, 'systemctl show -P MainPID meshpulse'), $pid, 'as another process');
    works($init, 'echo "# ours" >>/etc/meshpulse/meshpulse.yaml && apt-get -qq -y remove meshpulse', 'removed');
    like(inside($init, 'tail -n 1 /etc/meshpulse/meshpulse.yaml'), qr/ours/, 'the configuration stays');
    works($init, 'mkdir -p /etc/meshpulse/secrets && echo x >/etc/meshpulse/secrets/x && apt-get -qq -y purge meshpulse', 'purged');
    is(inside($init, $LIST), '', 'nothing is left');
    return;
}

for my $suite (qw(bookworm trixie)) {
    subtest $suite => sub {
        my $deb = output("tools/deb.sh $suite");
        my $tree = output("tools/debian_tree.sh $suite boot");
        like(qx{dpkg-deb -I $deb conffiles}, qr{^/etc/meshpulse/meshpulse\.yaml$}m, 'the configuration is one to dpkg');
        unlike(qx{lintian $deb 2>&1}, qr/^E:/m, 'lintian finds no error');
        my ($nspawn, $init) = boot($tree, $deb);
        eval { life($init); 1 } or fail("it went on to the end: $@");
        system('nsenter', '-t', $init, '-a', 'systemctl', 'poweroff');
        ok(defined reap_within(30, $nspawn), 'the machine is off');
    };
}

subtest 'built again it is the same' => sub {
    my ($deb, $again) = (output('tools/deb.sh'), output('tools/deb.sh --again'));
    isnt($again, $deb, 'another file');
    is(read_file($again), read_file($deb), 'byte for byte');
};
done_testing();
