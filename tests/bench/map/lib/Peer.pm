# SPDX-License-Identifier: Apache-2.0
# One program that measures one map (driver.c, peers/go): it is told what to measure line by line, so that several
# maps that are open at once can be measured in turns.
package Peer;
use strict;
use warnings;
use IPC::Open2;

my $bin = $ENV{BENCH_MAP_BIN} // 'build/release-gcc/bench-map';
my $root = $ENV{BENCH_MAP_ROOT} // 'build/bench/map';

# The program of a map; undef with the reason when it cannot be measured here.
sub program {
    my ($name) = @_;
    my $program = $name eq 'go' ? "$root/go-maps" : "$bin/$name";
    return ($program, undef) if -x $program;
    return (undef, reason($name) // "there is no $program");
}

# A program that is built beside the maps.
sub beside { my ($name) = @_; return "$bin/../$name" }

sub reason {
    my ($name) = @_;
    open my $in, '<', "$root/$name.missing" or return undef;
    my $line = <$in>;
    chomp $line;
    return $line;
}

# The lines of a program that is told once what to do, as [kind, peer, words].
sub once {
    my ($name, @words) = @_;
    my ($program) = program($name);
    open my $in, '-|', $program, @words or die "$program: $!\n";
    my @lines;
    while (my $line = <$in>) {
        my ($kind, $peer, undef, @figures) = split ' ', $line;
        push @lines, [$kind, $peer, @figures];
    }
    close $in or die "$name @words: failed\n";
    return @lines;
}

# `label`: NAME or NAME:HASH.
sub new {
    my ($class, $label, $ops) = @_;
    my ($name, $hash) = split /:/, $label;
    my ($program) = program($name);
    my ($out, $in);
    my $pid = open2($out, $in, $program);
    my $self = bless { label => $label, pid => $pid, in => $in, out => $out }, $class;
    $in->autoflush(1);
    $self->ask("hash $hash") if $hash;
    $self->ask("ops $ops") if $ops;
    return $self;
}

# The lines that answer a command, each as its words behind NAME and HASH, the kind of the line first.
sub ask {
    my ($self, $command) = @_;
    my ($in, $out) = @$self{qw(in out)};
    print {$in} "$command\n";
    my @lines;
    while (my $line = <$out>) {
        chomp $line;
        return @lines if $line eq '.';
        my ($kind, undef, undef, @words) = split ' ', $line;
        push @lines, [$kind, @words];
    }
    die "$self->{label}: ended while it was asked: $command\n";
}

# It tells of missing or torn values by its exit.
sub end {
    my ($self) = @_;
    close $self->{in};
    waitpid $self->{pid}, 0;
    die "$self->{label}: values were missing or torn\n" if $? != 0;
    return;
}

1;
