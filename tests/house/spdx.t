#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Every source file names its licence in its first two lines (the second where the first is "#!").
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use House;
use Test::More;

sub unlicensed {
    my ($file, $text) = @_;
    return $text =~ m{\A(?:#![^\n]*\n)?(?://|#|/\*|<!--|--) ?SPDX-License-Identifier: Apache-2\.0}
        ? () : "$file: no SPDX line";
}

found('a file without', unlicensed('planted.c', "#include <stdio.h>\n"));
clean('a script with', unlicensed('planted.sh', "#!/bin/sh\n# SPDX-License-Identifier: Apache-2.0\n"));

my @files = (sources(qr/\.(?:[ch]|def|sh|t|pl|pm|py|lua|proto|bt)$/),
    sources(qr/\.(?:sh|pl|py|bt)$/, 'tools'), 'Makefile', 'tests/bench/bench.mk', '.ci/run');
clean('every source file names its licence', map { unlicensed($_, slurp($_)) } grep { -f } @files);
ok(-s 'LICENSE', 'the licence is there');
done_testing();
