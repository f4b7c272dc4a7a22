#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Words that do not stand in this code, each with what stands there instead.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use House;
use Test::More;

# In code: comments and strings do not count.
my @CODE = (
    [qr/\b(?:strcpy|strcat|stpcpy|sprintf|vsprintf|gets)\b/, 'memcpy or snprintf, with a length'],
    [qr/\b(?:atoi|atol|atoll|atof)\b/, 'a parser that can fail'],
    [qr/\bgettimeofday\b/, 'base/clock.h'],
    [qr/\bvolatile\b/, '<stdatomic.h>'],
    [qr/\b(?:alloca|setjmp|longjmp|system|popen)\s*\(/, 'nothing'],
);
# Everywhere, comments too.
my @TEXT = ([qr/\b(?:TODO|FIXME|XXX|HACK)\b/, 'the thing itself']);
# Clocks are read in one place, and the program has threads; tests may do otherwise.
my @PROGRAM = (
    [qr/\b(?:strtok|rand|srand|asctime|ctime|gmtime|localtime|strerror)\s*\(/, 'a function without hidden state'],
    [qr/\b(?:clock_gettime|time)\s*\(\s*(?:CLOCK|NULL|0|&)/, 'base/clock.h'],
);

sub code_only {
    my ($text) = @_;
    $text =~ s{("(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')|//[^\n]*|/\*.*?\*/}{ defined $1 ? '""' : ' ' }gse;
    return $text;
}

sub matches {
    my ($file, $text, @rules) = @_;
    my @wrong;
    for my $rule (@rules) {
        my ($word, $instead) = @$rule;
        while ($text =~ /($word)/g) {
            push @wrong, "$file: \"$1\"; instead: $instead";
        }
    }
    return @wrong;
}

sub banned {
    my ($file, $text) = @_;
    my $code = code_only($text);
    my @rules = $file =~ m{^(?:tests/|base/clock\.c$)} ? @CODE : (@CODE, @PROGRAM);
    return (matches($file, $code, @rules), matches($file, $text, @TEXT));
}

found('strcpy', banned('planted.c', "    strcpy(a, b);\n"));
found('volatile', banned('planted.c', "static volatile int stop;\n"));
found('a clock', banned('planted.c', "    clock_gettime(CLOCK_MONOTONIC, &t);\n"));
found('a word in a comment', banned('planted.c', '// TO' . "DO: later\n"));
clean('a word in a comment about it is allowed', banned('planted.c', "// never strcpy\nint a; // \"volatile\"\n"));

clean('no banned word', map { banned($_, slurp($_)) } sources(qr/\.(?:[ch]|def)$/));
clean('no unfinished work in scripts', map { my $f = $_; matches($f, slurp($f), @TEXT) }
    grep { $_ ne 'tests/house/banned.t' } sources(qr/\.(?:sh|t|pl|pm|py)$/, qw(tests tools)));
done_testing();
