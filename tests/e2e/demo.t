#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# `meshpulse demo` from outside: what it says, and that it leaves neither process nor file behind.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../integration/lib";
use JSON::PP;
use Mesh;
use Test::More;

my $dir = work_dir();
mkdir "$dir/tmp" or die "mkdir: $!";
$ENV{TMPDIR} = "$dir/tmp";

sub left_files { return glob "$dir/tmp/*" }

# All processes whose command line names our folder: the demo's children.
sub children {
    my @pids;
    for my $file (glob '/proc/[0-9]*/cmdline') {
        my ($pid) = $file =~ /(\d+)/;
        push @pids, $pid if read_file($file) =~ m{\Q$dir/tmp\E/};
    }
    return @pids;
}

# The pid of the node of that name.
sub node_pid {
    my ($id) = @_;
    my ($pid) = grep { read_file("/proc/$_/cmdline") =~ m{/$id\.yaml\0} } children();
    return $pid;
}

sub leaves_nothing {
    my ($name) = @_;
    ok(eventually(5, sub { !children() }), "$name leaves no process");
    is_deeply([left_files()], [], "$name leaves no file");
    return;
}

subtest 'twelve seconds of it' => sub {
    my ($out, $err) = ("$dir/json.out", "$dir/json.err");
    my $pid = spawn($out, $err, program(), 'demo', '--duration', '12s', '-o', 'json');
    is(reap_within(60, $pid), 0, 'it converges, and every flip is seen') or diag read_file($err);
    my $result = eval { decode_json(read_file($out)) };
    cmp_ok($result->{flips}, '>=', 2, 'there is a flip in every five seconds');
    ok($result->{converged}, 'it says so');
    cmp_ok($result->{seen_p50_ms}, '<=', $result->{seen_p99_ms}, 'half of the flips are seen no later than nearly all');
    is_deeply([sort keys %$result], [qw(converged flips seen_p50_ms seen_p99_ms)], 'it says nothing else');
    like(read_file($err), qr/seed 1$/m, 'it names its seed');
    leaves_nothing('the end');
};

subtest 'a node is killed' => sub {
    my ($out, $err) = ("$dir/kill.out", "$dir/kill.err");
    my $pid = spawn($out, $err, program(), 'demo', '--nodes', '3', '--duration', '12s');
    ok(eventually(30, sub { read_file($out) =~ /every node sees every backend; seed 1$/m }), 'it begins');
    my @urls = read_file($out) =~ m{^node ([abc]) answers at http://127\.0\.0\.1:\d+$}mg;
    is_deeply([sort @urls], [qw(a b c)], "each node's URL is printed");
    my $victim = node_pid('b');
    ok($victim, 'the nodes are processes of their own');
    kill 'KILL', $victim;
    ok(eventually(10, sub { read_file($out) =~ /^node b was killed by signal 9; starting it again$/m }), 'it says so');
    is(reap_within(60, $pid), 0, 'all agree in the end') or diag read_file($out);
    like(read_file($out), qr/^flips \d+\nseen p50_ms \d+ p99_ms \d+\nconverged: yes\n\z/m, 'the last lines');
    leaves_nothing('the end');
};

subtest 'its Redis is killed' => sub {
    my ($out, $err) = ("$dir/redis.out", "$dir/redis.err");
    my $pid = spawn($out, $err, program(), 'demo', '--duration', '12s');
    ok(eventually(30, sub { read_file($out) =~ /every node sees every backend/ }), 'it begins');
    my ($victim) = grep { read_file("/proc/$_/cmdline") =~ /redis/ } children();
    kill 'KILL', $victim;
    ok(eventually(10, sub { read_file($out) =~ /^Redis was killed by signal 9; starting it again, empty$/m }), 'it says so');
    is(reap_within(60, $pid), 0, 'the nodes repair what the server lost') or diag read_file($out);
    leaves_nothing('the end');
};

subtest 'Ctrl-C' => sub {
    my ($out, $err) = ("$dir/int.out", "$dir/int.err");
    my $pid = spawn($out, $err, program(), 'demo', '--nodes', '2');
    ok(eventually(30, sub { read_file($out) =~ /every node sees every backend/ }), 'it runs');
    kill 'INT', $pid;
    is(reap_within(15, $pid), 0, 'it ends, converged');
    like(read_file($out), qr/^converged: yes\n\z/m, 'it says so');
    leaves_nothing('Ctrl-C');
};

subtest 'the demo itself is killed' => sub {
    my $pid = spawn("$dir/9.out", "$dir/9.err", program(), 'demo');
    ok(eventually(30, sub { children() >= 4 }), 'its processes run');
    kill 'KILL', $pid;
    reap_within(5, $pid);
    ok(eventually(5, sub { !children() }), 'none of them survives it');
};

for my $row (['--nodes', '0'], ['--nodes', '17'], ['--duration', '5'], ['--seed', 'x'], ['-o', 'wide']) {
    my ($status, $out, $err) = run_program(program(), 'demo', @$row);
    is($status, 2, "demo @$row is a usage error");
    like($err, qr/allowed|not one of/, 'it says what is allowed');
}
done_testing();
