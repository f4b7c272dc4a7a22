#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# clang-tidy 14 finds nothing by .clang-tidy in the sources of the program.  Run by `make lint`, which
# writes compile_commands.json first.
use strict;
use warnings;
use File::Temp qw(tempdir);
use FindBin;
use lib "$FindBin::Bin/../lib";
use House;
use Test::More;

plan skip_all => 'clang-tidy-14 is not installed' if !installed('clang-tidy-14');

sub findings {
    my ($arguments, @files) = @_;
    my $jobs = qx(nproc) + 0;
    open my $list, '>', 'build/tidy.files' or die "build/tidy.files: $!";
    print {$list} join("\n", @files), "\n";
    close $list or die;
    my $said = qx(xargs -P $jobs -n 4 clang-tidy-14 --quiet $arguments <build/tidy.files 2>/dev/null);
    my %seen;
    return grep { /(?:warning|error):/ && !$seen{$_}++ } split /\n/, $said;
}

my $dir = tempdir(CLEANUP => 1);
open my $out, '>', "$dir/planted.c" or die;
print {$out} "int f(int a);\nint f(int a)\n{\n    if (a) return 1;\n    return 2;\n}\n";
close $out or die;
found('a branch without braces', findings("--config-file=.clang-tidy $dir/planted.c --", ' '));
clean('the linter finds nothing', findings('-p . --extra-arg=-Wno-unknown-warning-option',
    sources(qr/\.c$/, qw(base localmap stream replicator admin-api))));
done_testing();
