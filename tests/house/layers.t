#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Who may include whom, read from the compiler's own dependency files, hence also through other headers;
# and behind which door each library stands, read from the sources.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use House;
use Test::More;

# Headers of base without memory, clock, socket or thread: all that a pure module may see of it.
my $PURE = qr{base/(?:arena|assert|bitmap|cursor|err|hash|hex|rendezvous|siphash|span|text|time|utf8)\.(?:h|def)};
my $MODEL = qr{localmap/model/[^/]+};
my $MAP = qr{localmap/[^/]+\.h};
my $BASE = qr{base/.*};

# The first row whose name begins the path holds.
my @LAYERS = (
    ['base/', $BASE],
    ['localmap/model/', $PURE, $MODEL],
    ['localmap/table/', $BASE, qr{localmap/table/.*}],
    ['localmap/', $BASE, qr{localmap/.*}],
    ['stream/', $BASE, qr{stream/.*}],
    ['replicator/core/', $PURE, $MODEL, $MAP, qr{base/mailbox\.h}, qr{stream/position\.h}, qr{replicator/core/.*}],
    ['replicator/check/', $BASE, $MODEL, $MAP, qr{replicator/check/.*}],
    ['replicator/envoy/', $BASE, $MODEL, $MAP, qr{replicator/envoy/.*}],
    ['replicator/discovery/', $BASE, $MODEL, $MAP, qr{replicator/discovery/.*}],
    ['replicator/config', $BASE, $MODEL, qr{replicator/(?:config|write_queue)[^/]*}],
    ['replicator/write_queue', $BASE, $MODEL, qr{replicator/(?:config|write_queue)[^/]*}],
    ['replicator/', qr{.*}],
    ['admin-api/ctl/', $BASE, $MODEL, qr{admin-api/ctl/.*}],
    ['admin-api/', $BASE, $MODEL, $MAP, qr{admin-api/.*}],
);

my %DOORS = (
    'hiredis/' => qr{^stream/redis/resp\.c$},
    'event2/' => qr{^base/(?:loop|transport)\.c$},
    'llhttp.h' => qr{^base/http1\.c$},
    'curl/' => qr{^(?:base/http_client|admin-api/ctl/client)\.c$},
    'openssl/' => qr{^base/(?:tls|crypto)\.c$},
    'cjson/' => qr{^base/json\.c$},
    'yaml.h' => qr{^base/yaml\.c$},
    'nghttp2/' => qr{^replicator/envoy/h2\.c$},
    'protobuf-c/' => qr{^replicator/envoy/},
    'check.h' => qr{^tests/lib/suite\.h$},
);

# Tests may look behind a door, to compare; but not behind that of the test library.
my $TEST_DOOR = 'check.h';

# The text of a .d file: "object: source header ..." and an empty rule for each header.
sub forbidden_includes {
    my ($text) = @_;
    $text =~ s/\\\n/ /g;
    my ($rule) = $text =~ /^\S+:\s*(.*)$/m or return 'no rule in the dependency file';
    my ($source, @headers) = grep { !m{^(?:/|build/)} } split ' ', $rule;
    my ($row) = grep { index($source, $_->[0]) == 0 } @LAYERS;
    return "$source: in no layer" if !$row;
    my (undef, @allowed) = @$row;
    my @wrong = grep { my $header = $_; !grep { $header =~ /^$_$/ } @allowed } @headers;
    return map { "$source may not include $_" } @wrong;
}

sub forbidden_libraries {
    my ($file, $text) = @_;
    my @wrong;
    for my $include ($text =~ /^\s*#\s*include\s*[<"]([^>"]+)[>"]/mg) {
        my ($library) = grep { index($include, $_) == 0 } keys %DOORS;
        next if !$library || ($file =~ m{^tests/} && $library ne $TEST_DOOR);
        push @wrong, "$file may not include <$include>" if $file !~ $DOORS{$library};
    }
    return @wrong;
}

found('the stream includes the map', forbidden_includes("x.o: stream/log.c \\\n base/err.h localmap/map.h\n"));
found('the model includes the loop', forbidden_includes("x.o: localmap/model/key.c base/loop.h\n"));
found('hiredis outside its door', forbidden_libraries('stream/memory.c', "#include <hiredis/hiredis.h>\n"));
found('the test library outside its door', forbidden_libraries('tests/unit/x/test_x.c', "#include <check.h>\n"));

my @files = objects('.d', qw(base localmap stream replicator admin-api));
ok(@files > 0, 'there are dependency files in ' . build_dir());
clean('every include is allowed', map { forbidden_includes(slurp($_)) } @files);
clean('every library stays behind its door', map { forbidden_libraries($_, slurp($_)) } sources(qr/\.[ch]$/));
done_testing();
