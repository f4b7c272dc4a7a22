#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# A function has at most 70 lines and 4 parameters, a file at most 600 lines.
# The layout that the formatter gives makes this simple: a body begins with "{" and ends with "}" in the
# first column.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use House;
use Test::More;

# Contracts of several modules that have more, one name a line; the list may only shrink.
my %KNOWN = map { $_ => 0 } grep { /^\w/ } split /\n/, slurp('tests/house/length.known');

use constant { LINES_MAX => 70, PARAMETERS_MAX => 4, FILE_MAX => 600 };

# The number of parameters in the text between the outermost parentheses; "..." is none.
sub parameter_count {
    my ($list) = @_;
    1 while $list =~ s/\([^()]*\)//g;
    return scalar grep { !/^\s*(?:void|\.\.\.)?\s*$/ } split /,/, $list;
}

sub too_many {
    my ($file, $text) = @_;
    my @wrong;
    $text =~ s{//[^\n]*}{}g;
    $text =~ s/^[ \t]*#(?:[^\n]*\\\n)*[^\n]*//mg;
    $text =~ s/__attribute__\s*(\((?:[^()]++|(?1))*\))//g;
    # a declaration or definition in the first column: words, a name, its parameters
    while ($text =~ /^(?!typedef|return|else)[A-Za-z_][\w \t*\n]*?\b(\w+)\s*(\((?:[^()]++|(?2))*\))\s*(?:MUST_USE\s*)?[;{]/mg) {
        my ($name, $list) = ($1, substr $2, 1, -1);
        my $count = parameter_count($list);
        next if $name eq 'SUITE' || $count <= PARAMETERS_MAX;
        push @wrong, "$file: $name has $count parameters" if !exists $KNOWN{$name};
        $KNOWN{$name}++ if exists $KNOWN{$name};
    }
    return @wrong;
}

sub too_long {
    my ($file, $text) = @_;
    my @wrong;
    my @lines = split /\n/, $text, -1;
    pop @lines if @lines && $lines[-1] eq '';
    push @wrong, "$file: " . @lines . ' lines' if @lines > FILE_MAX;
    my $start;
    for my $i (0 .. $#lines) {
        $start = $i if $lines[$i] eq '{';
        next if $lines[$i] !~ /^\}/ || !defined $start;
        my $count = $i - $start + 1;
        push @wrong, "$file:$start: a function of $count lines" if $count > LINES_MAX;
        undef $start;
    }
    return @wrong;
}

found('a function of 71 lines', too_long('planted.c', "int f(void)\n{\n" . "    x++;\n" x 69 . "}\n"));
clean('70 lines are allowed', too_long('planted.c', "int f(void)\n{\n" . "    x++;\n" x 68 . "}\n"));
found('a file of 601 lines', too_long('planted.c', "\n" x 601));
found('five parameters', too_many('planted.h', "int f(int a, int b,\n      int c, int d, int e);\n"));
clean('four, one of them a function, are allowed',
    too_many('planted.h', "enum err f(int a, void (*fn)(int, int), int c, int d) MUST_USE;\n"));

my @files = sources(qr/\.[ch]$/);
clean('every function and file is short', map { too_long($_, slurp($_)) } @files);
clean('no function has more than four parameters', map { too_many($_, slurp($_)) } @files);
clean('every known exception is still one', grep { !$KNOWN{$_} } sort keys %KNOWN);
done_testing();
