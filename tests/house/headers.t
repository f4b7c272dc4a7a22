#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Each header compiles alone, and a second time in the same file.
use strict;
use warnings;
use File::Temp qw(tempdir);
use FindBin;
use lib "$FindBin::Bin/lib";
use House;
use Test::More;

# All that the compiler says about a file that includes nothing but `header`, twice.
sub complaints {
    my ($header) = @_;
    my $dir = tempdir(CLEANUP => 1);
    open my $out, '>', "$dir/alone.c" or die;
    print {$out} "#include \"$header\"\n#include \"$header\"\ntypedef int not_empty;\n";
    close $out or die;
    my $compiler = cc();
    my $flags = cflags();
    my $said = qx($compiler $flags -Werror -fsyntax-only $dir/alone.c 2>&1);
    return $? == 0 ? () : "$header: $said";
}

my $dir = tempdir(CLEANUP => 1);
open my $out, '>', "$dir/planted.h" or die;
print {$out} "#pragma once\nuint32_t f(void);\n";
close $out or die;
found('a header that forgot <stdint.h>', complaints("$dir/planted.h"));

clean("$_ compiles alone", complaints($_)) for grep { !m{^tests/fuzz} } sources(qr/\.h$/);
done_testing();
