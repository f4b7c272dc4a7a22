# SPDX-License-Identifier: Apache-2.0
# Real daemons and a real Redis for the integration tests: all of them children of the test, all on sockets
# in one temporary folder or on ports of 127.0.0.1 that the kernel chose, all gone when the test ends.
# Nothing here sleeps for a fixed time: `eventually` asks again until the answer is yes.
package Mesh;
use strict;
use warnings;
use Exporter 'import';
use File::Temp qw(tempdir);
use IO::Socket::INET;
use JSON::PP;
use POSIX qw(:sys_wait_h);
use Test::More;
use Time::HiRes qw(time);

our @EXPORT = qw(work_dir write_file read_file eventually program run_program spawn reap_within alive
    start_target stop_target);

my %children; # pid -> 1
my %ended;    # pid -> status of waitpid
my $owner = $$;
my $dir = tempdir('mpXXXXXX', DIR => '/tmp', CLEANUP => 1);

# An end by a signal must pass through END as well.
$SIG{$_} = sub { exit 1 } for qw(INT TERM HUP PIPE);

END {
    if ($$ == $owner) {
        my $status = $?;
        kill 'CONT', $_ for keys %children;
        kill 'KILL', $_ for keys %children;
        waitpid $_, 0 for keys %children;
        $? = $status;
    }
}

sub work_dir { return $dir }

sub program { return $ENV{MESHPULSE} // 'build/release-gcc/meshpulse' }

sub write_file {
    my ($path, $text) = @_;
    open my $out, '>', $path or die "$path: $!";
    print {$out} $text;
    close $out or die "$path: $!";
    return $path;
}

sub read_file {
    my ($path) = @_;
    open my $in, '<', $path or return '';
    local $/;
    return <$in> // '';
}

# Calls `$ask` until it returns something true, for at most `$seconds`, but not fewer than 20 times: a machine
# that stood still for a while has shown nothing.  Returns that, or undef.
sub eventually {
    my ($seconds, $ask) = @_;
    my $end = time + $seconds * ($ENV{MESH_PATIENCE} // 1); # the sanitizers are slow
    for (my $asked = 1; ; $asked++) {
        my $answer = eval { $ask->() };
        return $answer if $answer;
        return if time > $end && $asked >= 20;
        select undef, undef, undef, 0.02;
    }
    return;
}

# Starts a program with its output in files.  Returns its pid.
sub spawn {
    my ($out, $err, @command) = @_;
    my $pid = fork // die "fork: $!";
    if ($pid == 0) {
        open STDOUT, '>>', $out or POSIX::_exit(126);
        open STDERR, '>>', $err or POSIX::_exit(126);
        open STDIN, '<', '/dev/null' or POSIX::_exit(126);
        exec { $command[0] } @command or POSIX::_exit(127);
    }
    $children{$pid} = 1;
    return $pid;
}

# Has the child ended?  Its status is kept until somebody asks for it.
sub has_ended {
    my ($pid) = @_;
    if ($children{$pid} && waitpid($pid, WNOHANG) == $pid) {
        $ended{$pid} = $?;
        delete $children{$pid};
    }
    return exists $ended{$pid};
}

sub alive { my ($pid) = @_; return !has_ended($pid) }

# The exit status ("signal N" when it was killed) of a child that ends in time; undef when it does not.
sub reap_within {
    my ($seconds, $pid) = @_;
    eventually($seconds, sub { has_ended($pid) }) or return;
    my $status = delete $ended{$pid};
    return WIFEXITED($status) ? WEXITSTATUS($status) : 'signal ' . WTERMSIG($status);
}

# Something that accepts connections on a port of its own (or on `$port`), to be probed.
sub start_target {
    my ($port) = @_;
    my $listener = IO::Socket::INET->new(Listen => 64, LocalAddr => '127.0.0.1', ReuseAddr => 1, LocalPort => $port // 0)
        or die "listen: $!";
    my $pid = fork // die "fork: $!";
    if ($pid == 0) {
        while (1) {
            my $conn = $listener->accept;
            close $conn if $conn;
        }
    }
    $children{$pid} = 1;
    return { pid => $pid, port => $listener->sockport };
}

sub stop_target {
    my ($target) = @_;
    kill 'KILL', $target->{pid};
    reap_within(5, $target->{pid});
    return;
}

# Runs a program to its end.  Returns status, stdout, stderr.
my $runs = 0;
sub run_program {
    my (@command) = @_;
    $runs++;
    my ($out, $err) = ("$dir/run$runs.out", "$dir/run$runs.err");
    my $pid = spawn($out, $err, @command);
    my $status = reap_within(15, $pid);
    return ($status // 'hangs', read_file($out), read_file($err));
}

1;
