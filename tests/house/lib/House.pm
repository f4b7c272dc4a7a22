# SPDX-License-Identifier: Apache-2.0
# What the house tests share: which files are ours, and how a rule is judged.
#
# A rule is a function that takes a sample and returns the list of what is wrong with it.  Each house test
# first shows its rule a planted sample that must be found, then the tree, which must be clean.
package House;
use strict;
use warnings;
use Cwd qw(abs_path);
use Exporter 'import';
use File::Basename qw(dirname);
use File::Find;
use Test::More;

our @EXPORT = qw(sources slurp build_dir objects found clean cc cflags installed);

chdir abs_path(dirname(__FILE__) . '/../../..') or die "chdir: $!";

my @ROOTS = qw(base localmap stream replicator admin-api tests);

# All files of ours below @roots (default: all) whose names match.
sub sources {
    my ($match, @roots) = @_;
    my @files;
    @roots = grep { -d } @roots ? @roots : @ROOTS;
    return () if !@roots;
    find({ no_chdir => 1, wanted => sub { push @files, $_ if -f && $_ =~ $match } }, @roots);
    return sort @files;
}

sub slurp {
    my ($file) = @_;
    open my $in, '<', $file or die "$file: $!";
    local $/;
    my $text = <$in>;
    return $text // '';
}

sub cc { return $ENV{CC} || 'cc' }

sub cflags { return $ENV{HOUSE_CFLAGS} || '-std=c11 -D_GNU_SOURCE -I. -isystem build/llhttp -Wall -Wextra' }

# The tree of objects that the rules about objects look at.
sub build_dir { return $ENV{HOUSE_BUILD} || 'build/release-gcc' }

# The objects (or .d files) of the sources that still exist below the given folders.
sub objects {
    my ($suffix, @roots) = @_;
    my $build = build_dir();
    return grep { -f } map { (my $object = "$build/$_") =~ s/\.c$/$suffix/; $object } sources(qr/\.c$/, @roots);
}

# Is there such a program?
sub installed {
    my ($program) = @_;
    return scalar grep { -x "$_/$program" } split /:/, $ENV{PATH};
}

# A planted sample must be found.
sub found {
    my ($name, @wrong) = @_;
    ok(@wrong > 0, "a planted sample is found: $name");
    return;
}

# The tree must be clean.
sub clean {
    my ($name, @wrong) = @_;
    ok(@wrong == 0, $name);
    diag($_) for @wrong;
    return;
}

1;
