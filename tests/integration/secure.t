#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Two daemons and a Redis behind all its locks: TLS with certificates on both sides, the documented rights and
# no more, a password in a file.  Then everything is renewed under them, and spoilt.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IO::Socket::INET;
use Mesh;
use Mesh::Fleet;
use Test::More;

my $dir = work_dir();

sub openssl {
    my (@words) = @_;
    my ($status, undef, $errors) = run_program('openssl', @words);
    die "openssl @words: $errors" if $status ne '0';
    return;
}

# Makes $dir/NAME.crt and .key; by the CA `$ca`, or (undef) as one.
sub certify {
    my ($name, $ca) = @_;
    openssl('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', 30, '-subj', "/CN=$name",
        '-keyout', "$dir/$name.key", '-out', "$dir/$name.crt",
        $ca ? ('-CA', "$dir/$ca.crt", '-CAkey', "$dir/$ca.key", '-addext', 'basicConstraints=critical,CA:FALSE',
            '-addext', 'subjectAltName=IP:127.0.0.1') : ());
    return;
}

# As an editor or a tool does it: a new file in the place of the old.
sub replace_file {
    my ($path, $text) = @_;
    write_file("$path.new", $text);
    rename "$path.new", $path or die "rename: $!";
    return;
}

sub replace_pair {
    my ($name) = @_;
    replace_file("$dir/own.$_", read_file("$dir/$name.$_")) for qw(crt key);
    return;
}

sub documented_rights {
    my ($rights) = read_file('docs/redis.md') =~ /^ACL SETUSER meshpulse reset on >SECRET (.+)$/m or die 'docs/redis.md';
    return split ' ', $rights;
}

sub free_port {
    return IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1')->sockport;
}

for my $generation (qw(old new)) {
    certify("$generation-ca");
    certify("$generation-$_", "$generation-ca") for qw(server client);
}
my $port = free_port();
my $redis = Mesh::Redis->new('secure', '--tls-port', $port, '--bind', '127.0.0.1', '--tls-auth-clients', 'yes',
    '--tls-cert-file', "$dir/old-server.crt", '--tls-key-file', "$dir/old-server.key", '--tls-ca-cert-file', "$dir/old-ca.crt");
$redis->call('ACL', 'SETUSER', 'meshpulse', 'reset', 'on', '>first-secret', documented_rights());
replace_pair('old-client');
replace_file("$dir/ca.pem", read_file("$dir/old-ca.crt"));
replace_file("$dir/$_.password", "first-secret\n") for qw(a b);

my $fleet = Mesh::Fleet->new(redis => $redis, url => "rediss://127.0.0.1:$port", ids => [qw(a b)],
    set => ['stream.user=meshpulse', "stream.ca_file=$dir/ca.pem", "stream.cert_file=$dir/own.crt", "stream.key_file=$dir/own.key"],
    set_of => { map { ($_ => ["stream.password_file=$dir/$_.password"]) } qw(a b) });
my ($a, $b) = $fleet->nodes;

sub said { my ($node, $words) = @_; return scalar(() = read_file($node->{log}) =~ /$words/g) }

# Every connection of ours ends; the next ones use what the files say now.
sub cut { return $redis->call('CLIENT', 'KILL', 'USER', 'meshpulse') }

# What the server calls them.
sub connections { return sort $redis->call('CLIENT', 'LIST') =~ /^id=(\d+) .*\buser=meshpulse\b/mg }

sub put_some {
    my ($name) = @_;
    for my $node ($a, $b) {
        is($fleet->put($node, "$name-$node->{id}$_", 1)->{success}, 1, "put on $node->{id}") for 1 .. 5;
    }
    return;
}

subtest 'the documented rights are enough' => sub {
    put_some('first');
    $fleet->converged(10);
    my $path = '/v1/services/pay/instances/first-a1';
    ok($a->request('DELETE', $path)->{success}, 'and one is deleted');
    delete $fleet->{acked}{'first-a1'};
    delete $_->{'first-a1'} for values %{ $fleet->{seen} };
    ok(eventually(5, sub { $b->status('GET', $path) == 404 }), 'everywhere');
    is_deeply($redis->call('ACL', 'LOG'), [], 'nothing was denied');
};

subtest 'certificates, CA and password are renewed' => sub {
    my @standing = connections();
    is(scalar @standing, 4, 'two connections of each node');
    $redis->call('ACL', 'SETUSER', 'meshpulse', '>second-secret');
    replace_pair('new-client');
    replace_file("$dir/ca.pem", read_file("$dir/old-ca.crt") . read_file("$dir/new-ca.crt"));
    replace_file("$dir/$_.password", "second-secret\n") for qw(a b);
    kill 'HUP', $_->{pid} for $a, $b;
    ok(eventually(10, sub { said($_, 'info reload what=.*the stream') > 0 }), "$_->{id} has read them") for $a, $b;
    is_deeply([connections()], \@standing, 'the connections stay');
    $redis->call('CONFIG', 'SET', 'tls-cert-file', "$dir/new-server.crt", 'tls-key-file', "$dir/new-server.key",
        'tls-ca-cert-file', "$dir/new-ca.crt");
    $redis->call('ACL', 'SETUSER', 'meshpulse', '<first-secret');
    is(cut(), 4, 'and are ended');
    put_some('renewed');
    $fleet->converged(15);
};

subtest 'half a pair is refused, the one before is used' => sub {
    my $words = 'error reload kept=.*key values mismatch';
    my %before = map { ($_->{id} => said($_, $words)) } $a, $b;
    replace_file("$dir/own.crt", read_file("$dir/old-client.crt"));
    kill 'HUP', $_->{pid} for $a, $b;
    ok(eventually(10, sub { said($_, $words) > $before{ $_->{id} } }), "$_->{id} says so") for $a, $b;
    cut();
    put_some('half');
    $fleet->converged(15);
    replace_pair('new-client');
};

subtest 'a wrong password is told, and heals when the file is put right' => sub {
    my $last = said($b, 'WRONGPASS');
    replace_file("$dir/b.password", "of yesterday\n");
    cut();
    ok(eventually(10, sub { said($b, 'WRONGPASS') > $last }), 'b says what is wrong') or diag read_file($b->{log});
    ok(eventually(5, sub { $b->metric('meshpulse_redis_connected') eq '0' }), 'and is not connected');
    put_some('alone');
    is($b->get('pay', 'alone-a1')->{status}, 404, 'b sees nothing of what a puts');
    replace_file("$dir/b.password", "second-secret\n");
    $fleet->converged(20);
};

is_deeply([grep { ($_->{reason} // '') ne 'auth' } map { my %entry = @$_; \%entry } @{ $redis->call('ACL', 'LOG') }], [],
    'no right was missing in all of that');
for my $node ($a, $b) {
    is($node->stop, 0, "$node->{id} ends");
    unlike(read_file($node->{log}), qr/(?:first|second)-secret|of yesterday|assertion failed/, 'and told no secret');
}
done_testing();
