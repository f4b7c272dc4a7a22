#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# What the program says of itself: completions that bash, zsh and fish really use, manual pages that mandoc
# has nothing to say against.  Each row of the tables must stand in both.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Mesh;
use Test::More;

my $top = "$FindBin::Bin/../..";
my $dir = work_dir();
write_file("$dir/some.yaml", "config_version: 1\n");

my %names = (bash => "$dir/bash", zsh => "$dir/zsh/_meshpulse", fish => "$dir/fish");
mkdir "$dir/zsh" or die "mkdir: $!";
for my $shell (sort keys %names) {
    my ($exit, $out, $err) = run_program(program(), 'completion', $shell);
    is($exit, 0, "there is a completion for $shell") or diag $err;
    write_file($names{$shell}, $out);
    is_deeply([run_program($shell, '-n', $names{$shell})], [0, '', ''], "$shell finds nothing wrong with it");
}
is((run_program(program(), 'completion', 'csh'))[0], 2, 'another shell is a usage error');

# What each shell offers at the end of a line, sorted.  Bash itself parts words at = and : as well.
my %offers = (
    bash => sub {
        my ($line) = @_;
        my @words = map { split /([=:]+)/ } split / /, $line, -1;
        push @words, '' if $line =~ / \z/ && $words[-1] ne '';
        my $script = 'source "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _meshpulse; printf "%s\n" "${COMPREPLY[@]}"';
        return split /\n/, (run_program('bash', '--norc', '-c', $script, $names{bash}, @words))[1];
    },
    zsh => sub {
        my ($line) = @_;
        my (undef, $out) = run_program('zsh', '-f', "$FindBin::Bin/lib/capture.zsh", "$dir/zsh", $line);
        my %seen;
        return grep { !$seen{$_}++ } $out =~ /\{([^{}]+)\}/g;
    },
    fish => sub {
        my ($line) = @_;
        my (undef, $out) = run_program('fish', '--no-config', '-c', "source $names{fish}; complete -C '$line'");
        return map { (split /\t/)[0] } split /\n/, $out;
    },
);

my @rows = (
    ['meshpulse sta', 'status'],
    ['meshpulse get --out', '--output'],
    ['meshpulse get -o ', qw(json jsonl name table wide)],
    ['meshpulse status -o ', qw(json table)],
    ['meshpulse report a/b ', qw(DEGRADED DRAINING HEALTHY TIMEOUT UNHEALTHY UNKNOWN)],
    ['meshpulse completion ', qw(bash fish zsh)],
    ["meshpulse serve -c $dir/some", "$dir/some.yaml"],
    ["meshpulse check-config $dir/some", "$dir/some.yaml"],
    ['meshpulse serve --set stream.u', 'stream.url=', 'stream.user='],
    ['meshpulse get --status HEALTHY,UN', 'HEALTHY,UNHEALTHY', 'HEALTHY,UNKNOWN'],
    ['meshpulse get --tenant x -o js', qw(json jsonl)],
);
$ENV{HOME} = $dir;
for my $shell (sort keys %offers) {
    for my $row (@rows) {
        my ($line, @want) = @$row;
        # zsh shows only what it adds: the part of a list, the name of a file, no = that follows.
        @want = map { s/=\z|.*,|.*\///gr } @want if $shell eq 'zsh';
        my $offer = join ' ', sort $offers{$shell}->($line);
        $offer =~ s/^\Q$dir\E\///g if $shell eq 'zsh';
        is($offer, join(' ', @want), "$shell: $line");
    }
}
is(join(' ', $offers{bash}->('meshpulse get --output=j')), 'json jsonl', 'bash: a value behind =');
is(join(' ', $offers{bash}->('meshpulse serve --set a.b=c --print')), '--print-config', 'bash: behind a setting');

my %sources = (meshpulse => '1', 'meshpulse.yaml' => '5');
for my $page (sort keys %sources) {
    my ($exit, $out) = run_program(program(), 'man', $page);
    is($exit, 0, "there is a page $page");
    my $file = write_file("$dir/$page.$sources{$page}", $out);
    my (undef, $said, $err) = run_program('mandoc', '-Tlint', $file);
    # The other page is not installed where this is tested.
    is(join("\n", grep { !/referenced manual not found: Xr meshpulse/ } split /\n/, $said . $err), '', 'mandoc has nothing to say');
}

my $manual = read_file("$dir/meshpulse.1");
my @commands = read_file("$top/admin-api/ctl/commands.def") =~ /^COMMAND\(\w+, "([\w-]+)"/mg;
my @options = read_file("$top/admin-api/ctl/options.def") =~ /^OPTION\(\w+, (?:'\w'|0), "([\w-]+)"/mg;
is_deeply([grep { $manual !~ /^\.Ss \Q$_\E$/m } @commands], [], 'every command has its section');
is_deeply([grep { $manual !~ /Fl -\Q$_\E\b/ } @options], [], 'every option is there');
my $settings = read_file("$dir/meshpulse.yaml.5");
my @keys = read_file("$top/replicator/config.def") =~ /^CONFIG_(?:STRING|NUMBER|POWER|DURATION|BOOL|WORD|LIST)\(\w+, (\w+),/mg;
cmp_ok(scalar @keys, '>', 50, 'there are settings');
is_deeply([grep { $settings !~ /^\.It Cm \Q$_\E :/m } @keys], [], 'every setting is there');
done_testing();
