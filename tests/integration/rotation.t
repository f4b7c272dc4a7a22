#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# New certificates and tokens under a running daemon with several workers: by themselves, by SIGHUP, and
# what happens when they are no good.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Mesh;
use Mesh::Node;
use Digest::SHA qw(sha256_hex);
use Test::More;

my $dir = work_dir();

# A self-signed certificate for 127.0.0.1; returns the texts of certificate and key.
sub make_pair {
    my ($name) = @_;
    my ($status, undef, $errors) = run_program('openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256',
        '-nodes', '-days', '30', '-subj', "/CN=$name", '-addext', 'subjectAltName=IP:127.0.0.1',
        '-keyout', "$dir/$name.key", '-out', "$dir/$name.crt");
    die "openssl: $errors" if $status ne '0';
    return (read_file("$dir/$name.crt"), read_file("$dir/$name.key"));
}

# As an editor or a tool does it: a new file in the place of the old.
sub replace_file {
    my ($path, $text) = @_;
    write_file("$path.new", $text);
    rename "$path.new", $path or die "rename: $!";
    return;
}

my ($old_cert, $old_key) = make_pair('old');
my ($new_cert, $new_key) = make_pair('new');
my ($cert, $key, $tokens) = ("$dir/tls.crt", "$dir/tls.key", "$dir/tokens");
replace_file($cert, $old_cert);
replace_file($key, $old_key);
replace_file($tokens, "# nobody\n");
my $node = Mesh::Node->new(id => 'r', set => ['threads.workers=3', "admin.tls_cert_file=$cert", "admin.tls_key_file=$key",
    "admin.tokens_file=$tokens", 'admin.probe_listen=127.0.0.1:0']);
$node->start;

my $asked = 0;
# The status of a request over TLS by a client that trusts `$ca` alone; '' when it refuses the server.
sub status_by {
    my ($ca, $token) = @_;
    my $request = write_file("$dir/request" . ++$asked, "GET /version HTTP/1.1\r\nHost: 127.0.0.1:$node->{port}\r\n"
        . "Authorization: Bearer $token\r\nConnection: close\r\n\r\n");
    my $text = `openssl s_client -quiet -no_ign_eof -ign_eof -verify_quiet -verify_return_error -CAfile '$dir/$ca.crt' -connect 127.0.0.1:$node->{port} <'$request' 2>/dev/null`;
    return $text =~ m{^HTTP/1\.1 (\d+)}m ? $1 : '';
}

sub said { my ($words) = @_; return scalar(() = read_file($node->{log}) =~ /$words/g) }

is(status_by('old', 'secret'), 401, 'the first certificate, and no token');
is(status_by('new', 'secret'), '', 'who trusts another one does not speak');
my $line = 'ci read sha256:' . sha256_hex('secret') . "\n";

subtest 'files that change are read by themselves' => sub {
    replace_file($tokens, $line);
    ok(eventually(10, sub { status_by('old', 'secret') eq '200' }), 'new tokens');
    replace_file($cert, $new_cert);
    replace_file($key, $new_key);
    ok(eventually(10, sub { status_by('new', 'secret') eq '200' }), 'a new certificate');
    is(status_by('old', 'secret'), '', 'the old one is not shown any more') for 1 .. 3;
};

subtest 'what is no good is refused, and the old stays' => sub {
    my $errors = said('error reload kept=');
    replace_file($cert, $old_cert); # the key is still to come
    kill 'HUP', $node->{pid};
    ok(eventually(10, sub { said('error reload kept=.*key values mismatch') > 0 }), 'half a pair') or diag read_file($node->{log});
    is(status_by('new', 'secret'), 200, 'served as before') for 1 .. 3;
    replace_file($key, $old_key);
    ok(eventually(10, sub { status_by('old', 'secret') eq '200' }), 'the other half, without a signal');
    replace_file($tokens, "ci root sha256:0\n");
    ok(eventually(10, sub { said('error reload kept=.*admin\.tokens_file: line 1') > 0 }), 'tokens that are none');
    is(status_by('old', 'secret'), 200, 'the old ones hold') for 1 .. 3;
    unlink $tokens;
    kill 'HUP', $node->{pid};
    ok(eventually(10, sub { said('error reload kept=.*not found') > 0 }), 'a file that is gone');
    is(status_by('old', 'secret'), 200, 'the old ones hold');
};

subtest 'a token is withdrawn' => sub {
    replace_file($tokens, "other read sha256:" . sha256_hex('else') . "\n");
    kill 'HUP', $node->{pid};
    ok(eventually(10, sub { status_by('old', 'else') eq '200' }), 'the new one may');
    is(status_by('old', 'secret'), 401, 'the old one may not') for 1 .. 3;
};

is($node->stop, 0, 'ends');
done_testing();
