#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Every source file has the layout that clang-format 14 gives it by .clang-format.  Run by `make lint`.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use House;
use Test::More;

plan skip_all => 'clang-format-14 is not installed' if !installed('clang-format-14');

# The lines of `file` (or, as `text`, of a file of that name) that the formatter would change.
sub misformatted {
    my (@command) = @_;
    my $said = qx(@command 2>&1);
    return $? == 0 ? () : grep { /error:/ } split /\n/, $said;
}

my $check = 'clang-format-14 --dry-run --Werror';
found('a brace in the wrong place', misformatted("printf 'int f(void) {\\n  return 1;\\n}\\n' | $check --assume-filename=base/planted.c"));
clean('every file is formatted', misformatted($check, sources(qr/\.[ch]$/)));
done_testing();
