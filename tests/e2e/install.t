#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# `make install` and `make uninstall` in a folder of the test's own.
use strict;
use warnings;
use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Find;
use File::Path qw(make_path);
use FindBin;
use lib "$FindBin::Bin/../integration/lib";
use Mesh;
use Test::More;

chdir abs_path(dirname(__FILE__) . '/../..') or die "chdir: $!";
my $top = work_dir();
delete @ENV{qw(MAKEFLAGS MFLAGS MAKELEVEL)}; # the test may run below a make whose job server is not for ours

# What lies below a folder, each with its content's length and mode; folders with a slash.
sub listing {
    my ($root) = @_;
    my @all;
    find({ no_chdir => 1, wanted => sub {
        my $name = substr $_, length $root;
        push @all, -d $_ ? "$name/" : sprintf '%s %d %04o', $name, -s _, (stat _)[2] & 07777 if length $name;
    } }, $root);
    return sort @all;
}

sub files { return grep { !m{/$} } listing(@_) }

sub make {
    my ($target, $root) = @_;
    my ($status, $out, $err) = run_program('make', '-s', $target, "DESTDIR=$root", 'PREFIX=/usr', 'MAKEFLAGS=');
    is($status, 0, "make $target succeeds") or diag $out, $err;
    return $out . $err;
}

# A system that has something of everybody's in each place already.
sub place {
    my ($name) = @_;
    my $root = "$top/$name";
    for my $folder (qw(usr/bin usr/lib/systemd/system usr/share/doc/other etc usr/share/man/man1 usr/share/man/man5
        usr/share/bash-completion/completions usr/share/zsh/site-functions usr/share/fish/vendor_completions.d)) {
        make_path("$root/$folder");
        write_file("$root/$folder/other", "other\n");
    }
    return $root;
}

subtest 'what was installed is removed, and nothing else' => sub {
    my $root = place('plain');
    my @before = listing($root);
    is(make('install', $root), '', 'it has nothing to say');
    my @installed = files($root);
    for my $file (qw(/usr/bin/meshpulse /usr/lib/systemd/system/meshpulse.service /etc/meshpulse/meshpulse.yaml)) {
        ok((grep { /^\Q$file\E / } @installed), "$file is there");
    }
    my @listed = split /\n/, (run_program('env', "DESTDIR=$root", 'PREFIX=/usr', 'tools/install.sh', 'list'))[1];
    is_deeply([sort @listed], [sort((map { "$root$_" } map { /^(\S+) / } grep { !/other / } @installed), "$root/etc/meshpulse/secrets")],
        'the list is what is there');
    is((stat "$root/etc/meshpulse/secrets")[2] & 07777, 0700, 'secrets are for root alone');
    is(make('uninstall', $root), '', 'it has nothing to say');
    is_deeply([listing($root)], \@before, 'as it was before');
};

subtest 'what was installed works' => sub {
    my $root = place('works');
    make('install', $root);
    my ($status, $out) = run_program("$root/usr/bin/meshpulse", '--version');
    is($status, 0, 'the program runs');
    ($status, $out, my $err) = run_program("$root/usr/bin/meshpulse", 'check-config', "$root/etc/meshpulse/meshpulse.yaml");
    is("$status$err", '0', 'the configuration is valid');
    unlike(read_file("$root/usr/lib/systemd/system/meshpulse.service"), qr/\@\w+\@/, 'no place is left open in the unit');
    like(read_file("$root/usr/lib/systemd/system/meshpulse.service"),
        qr{^ExecStart=/usr/bin/meshpulse serve -c /etc/meshpulse/meshpulse\.yaml$}m, 'it names the installed paths, without DESTDIR');
};

subtest 'the commented lines of the configuration are valid as well' => sub {
    (my $text = read_file('packaging/meshpulse.yaml')) =~ s/^(\s*)# (\s*(?:- )?[\w]+:.*|\s*- \{.*)$/$1$2/mg;
    $text =~ s/^  url: "memory:"\n//m;
    write_file("$top/all.yaml", $text);
    my ($status, $out, $err) = run_program(program(), 'check-config', "$top/all.yaml");
    is("$status$err", '0', 'all of it at once') or diag $text;
    cmp_ok(scalar(() = $text =~ /^\s*(?:- )?\w+:/mg), '>=', 15, 'and they were read');
};

subtest 'a configuration that is there stays' => sub {
    my $root = place('kept');
    make_path("$root/etc/meshpulse/secrets");
    my $file = write_file("$root/etc/meshpulse/meshpulse.yaml", "config_version: 1\n");
    my $secret = write_file("$root/etc/meshpulse/secrets/password", "x\n");
    my @before = listing($root);
    like(make('install', $root), qr{^kept: \Q$file\E$}m, 'it says so');
    is(read_file($file), "config_version: 1\n", 'untouched by install');
    make('install', $root);
    like(make('uninstall', $root), qr{^kept: \Q$file\E, which was changed$}m, 'it says so again');
    is_deeply([listing($root)], \@before, 'untouched by uninstall, and the secrets too');
};

subtest 'a wrong use, and a file that was not built, install nothing' => sub {
    my $root = place('wrong');
    my @before = listing($root);
    my ($status) = run_program('env', "DESTDIR=$root", 'tools/install.sh', 'everything');
    is($status, 2, 'an unknown word is a wrong use');
    mkdir "$top/bare" or die "mkdir: $!";
    system('cp', '-r', 'tools', 'packaging', 'docs', "$top/bare") == 0 or die 'cp';
    ($status, undef, my $err) = run_program('env', "DESTDIR=$root", "$top/bare/tools/install.sh", 'install');
    is($status, 1, 'a tree in which nothing was built is an error');
    like($err, qr/^install: meshpulse is not there$/m, 'it says what is missing');
    is_deeply([listing($root)], \@before, 'nothing was installed');
};
done_testing();
