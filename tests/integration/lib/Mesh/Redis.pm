# SPDX-License-Identifier: Apache-2.0
# A private Redis on a unix socket, and as much of its protocol as a test needs.
package Mesh::Redis;
use strict;
use warnings;
use IO::Socket::UNIX;
use Mesh;

# `@args`: more of what redis-server takes.
sub new {
    my ($class, $name, @args) = @_;
    my $dir = work_dir() . "/$name";
    mkdir $dir or die "$dir: $!";
    my $self = bless { dir => $dir, socket => "$dir/s", rdb => "$dir/dump.rdb", args => \@args }, $class;
    $self->start;
    return $self;
}

sub url { my ($self) = @_; return "unix://$self->{socket}" }

sub start {
    my ($self) = @_;
    unlink $self->{socket};
    $self->{pid} = spawn("$self->{dir}/log", "$self->{dir}/log",
        $ENV{REDIS_SERVER} // 'build/redis-server', '--port', 0, '--unixsocket', $self->{socket}, '--dir',
        $self->{dir}, '--dbfilename', 'dump.rdb', '--save', '', '--appendonly', 'no', '--daemonize', 'no',
        @{ $self->{args} });
    eventually(10, sub { ($self->call('PING') // '') eq 'PONG' })
        or die 'Redis does not start: ' . read_file("$self->{dir}/log");
    return;
}

# Ends it without any goodbye.
sub kill_hard {
    my ($self) = @_;
    delete $self->{conn};
    kill 'CONT', $self->{pid};
    kill 'KILL', $self->{pid};
    reap_within(5, $self->{pid});
    return;
}

sub stop { my ($self) = @_; kill 'STOP', $self->{pid}; return }
sub cont { my ($self) = @_; kill 'CONT', $self->{pid}; return }

sub call {
    my ($self, @words) = @_;
    $self->{conn} //= IO::Socket::UNIX->new(Peer => $self->{socket}) or return;
    my $command = '*' . @words . "\r\n" . join '', map { '$' . length($_) . "\r\n$_\r\n" } @words;
    local $SIG{PIPE} = 'IGNORE';
    my $answer = eval {
        syswrite $self->{conn}, $command or die "write: $!";
        read_reply($self->{conn});
    };
    if (!defined $answer && $@) {
        delete $self->{conn};
        die $@;
    }
    return $answer;
}

sub read_line {
    my ($conn) = @_;
    my $line = '';
    while ($line !~ /\r\n\z/) {
        my $byte;
        my $got = sysread $conn, $byte, 1;
        die "Redis went away\n" if !$got;
        $line .= $byte;
    }
    return substr $line, 0, -2;
}

sub read_reply {
    my ($conn) = @_;
    my $line = read_line($conn);
    my ($kind, $rest) = (substr($line, 0, 1), substr $line, 1);
    return $rest if $kind eq '+' || $kind eq ':';
    die "Redis: $rest\n" if $kind eq '-';
    return undef if $rest < 0;    ## no critic
    return [map { read_reply($conn) } 1 .. $rest] if $kind eq '*';
    my $data = '';
    while (length $data < $rest + 2) {
        my $got = sysread $conn, $data, $rest + 2 - length $data, length $data;
        die "Redis went away\n" if !$got;
    }
    return substr $data, 0, $rest;
}

# All keys of our prefix that end in `$suffix`.
sub keys_of {
    my ($self, $suffix) = @_;
    return sort @{ $self->call('KEYS', "{mp:*}$suffix") };
}

# How many entries were ever added to the logs of all partitions.
sub entries_added {
    my ($self) = @_;
    my $sum = 0;
    for my $key ($self->keys_of('e')) { # there is none before the first entry
        my %info = @{ $self->call('XINFO', 'STREAM', $key) };
        $sum += $info{'entries-added'} // $info{length};
    }
    return $sum;
}

1;
