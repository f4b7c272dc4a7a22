#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# The pure modules take no memory, clock, socket, thread or file: what their objects ask the linker for is
# a short list of libc functions, or defined in a module that they may use.
# No object has a mutable variable at file scope, but for the log and the metrics; and no name is defined
# twice, which the linker overlooks as long as nothing asks for both archives' members.
use strict;
use warnings;
use File::Temp qw(tempdir);
use FindBin;
use lib "$FindBin::Bin/lib";
use House;
use Test::More;

my $LIBC = qr/^(?:__)?(?:mem(?:cpy|move|set|cmp|chr|rchr|mem)|str(?:len|nlen|cmp|ncmp|chr)|qsort|bsearch)(?:_chk)?$/;
my $RUNTIME = qr/^(?:__stack_chk_fail|_GLOBAL_OFFSET_TABLE_|assert_failed)$/;
# Objects of base that may be used, and that are held to the same rule.
my @PURE_BASE = map { build_dir() . "/base/$_.o" }
    qw(arena bitmap cursor hash hex rendezvous siphash span text utf8);
my $MUTABLE_ALLOWED = qr{/base/(?:log|metric)\.o$};

sub nm {
    my (@arguments) = @_;
    return () if !grep { !/^-/ } @arguments;
    open my $out, '-|', 'nm', @arguments or die "nm: $!";
    return map { /^\s*(?:[0-9a-f]+)?\s+[A-Za-z]\s+(\S+)$/ ? $1 : () } <$out>;
}

# What `object` uses that is neither in libc's list nor defined by one of `providers`.
sub impurities {
    my ($object, @providers) = @_;
    my %defined = map { $_ => 1 } nm('--defined-only', @providers);
    return map { "$object uses $_" }
        grep { !$defined{$_} && $_ !~ $LIBC && $_ !~ $RUNTIME } nm('-u', $object);
}

sub mutables {
    my ($object) = @_;
    open my $out, '-|', 'size', '-A', $object or die "size: $!";
    return map { /^(\.(?:data|bss|tbss|tdata)(?:\.(?!rel\.ro)\S*)?)\s+([1-9]\d*)/ ? "$object: $2 bytes in $1" : () } <$out>;
}

# Names that several of the objects define.
sub defined_twice {
    my (@objects) = @_;
    my (%where, @wrong);
    for my $object (@objects) {
        push @{ $where{$_} }, $object for nm('-g', '--defined-only', $object);
    }
    return map { "$_: defined in @{ $where{$_} }" } grep { @{ $where{$_} } > 1 } sort keys %where;
}

sub compiled {
    my ($code) = @_;
    my $dir = tempdir(CLEANUP => 1);
    open my $out, '>', "$dir/planted.c" or die;
    print {$out} $code;
    close $out or die;
    system(cc(), '-O2', '-fPIE', '-c', "$dir/planted.c", '-o', "$dir/planted.o") == 0 or die 'cc failed';
    return "$dir/planted.o";
}

found('malloc', impurities(compiled("#include <stdlib.h>\nvoid *f(void) { return malloc(7); }\n")));
found('a clock', impurities(compiled("#include <time.h>\nlong f(void) { return (long)time(0); }\n")));
found('a name defined twice', defined_twice(compiled("int f(void) { return 1; }\n"), compiled("int f(void) { return 2; }\n")));
found('a counter at file scope', mutables(compiled("static int count;\nint f(void) { return ++count; }\n")));
clean('a table of constants is no mutable variable',
    mutables(compiled("static const char *const t[] = {\"a\", \"b\"};\nconst char *f(int i) { return t[i]; }\n")));

my @base = grep { -f } @PURE_BASE;
my @model = objects('.o', 'localmap/model');
my @core = objects('.o', 'replicator/core');
my @map = objects('.o', 'localmap');
ok(@model > 0, 'there are objects of localmap/model in ' . build_dir());
clean('localmap/model is pure', map { impurities($_, @base, @model) } @model);
clean('replicator/core is pure', map { impurities($_, @base, @map, @core) } @core);
clean('no name is defined twice', defined_twice(objects('.o', qw(base localmap stream replicator admin-api))));
clean('no mutable variable at file scope', map { mutables($_) }
    grep { $_ !~ $MUTABLE_ALLOWED } objects('.o', qw(base localmap stream replicator admin-api)));
done_testing();
