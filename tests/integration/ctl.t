#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# The command line client against a real daemon: what it prints, where, and with which exit status.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP;
use Mesh;
use Mesh::Node;
use Test::More;

delete @ENV{qw(MESHPULSE_SERVER NO_COLOR)};
$ENV{USER} = 'ops';

# Runs the program; returns exit status, stdout, stderr.
sub ctl { return run_program(program(), @_) }

# Runs it and compares all three; each may be a string or a pattern.
sub says {
    my ($arguments, $status, $out, $err) = @_;
    my ($got_status, $got_out, $got_err) = ctl(@$arguments);
    my $name = join ' ', map { /^http|^unix/ ? 'SERVER' : $_ } @$arguments;
    is($got_status, $status, "$name exits with $status") or diag $got_err;
    like($got_out, ref $out ? $out : qr/\A\Q$out\E\z/, "$name prints that");
    like($got_err, ref $err ? $err : qr/\A\Q$err\E\z/, "$name says that on stderr");
    return;
}

subtest 'without a daemon' => sub {
    my @nowhere = ('--server', 'http://127.0.0.1:1');
    says(['--help'], 0, qr/^commands:\n  serve /m, '');
    says([$_, '--help'], 0, qr/\Ausage: meshpulse $_ /, '')
        for read_file("$FindBin::Bin/../../admin-api/ctl/commands.def") =~ /^COMMAND\(\w+, "([\w-]+)"/mg;
    says(['version'], 0, qr/\Ameshpulse \d+\.\d+\.\d+\n\z/, '');
    says(['version', '-o', 'json'], 0, qr/\A\{"version":"\d+\.\d+\.\d+"\}\n\z/, '');
    says([], 2, '', qr/\Ameshpulse: no command; allowed: serve /);
    says(['fetch'], 2, '', qr/unknown command "fetch"; allowed: serve /);
    says(['get', '--nonsense'], 2, '', qr/unknown option "--nonsense"; allowed: --help /);
    says(['get', '-o', 'xml', @nowhere], 2, '', qr/not one of table\|wide\|json\|jsonl\|name/);
    says(['get', 'pay/', @nowhere], 2, '', qr/allowed: \[SERVICE/);
    says(['get', '--server', 'ftp://x'], 2, '', qr/allowed: http:/);
    says(['get', '--timeout', 'soon'], 2, '', qr/allowed: 500ms/);
    says(['get', '--status', 'GOOD', @nowhere], 2, '', qr/allowed, parted by commas: UNKNOWN/);
    says(['set', 'pay/p1', '--port', '1', @nowhere], 2, '', qr/--address and --port are needed/);
    says(['set', 'pay/p1', '--address', '127.0.0.1', '--port', '0', @nowhere], 2, '', qr/allowed: 1 to 65535/);
    says(['set', 'pay', '--address', '127.0.0.1', '--port', '1', @nowhere], 2, '', qr/allowed: SERVICE\/INSTANCE/);
    says(['report', 'pay/p1', 'FINE', @nowhere], 2, '', qr/allowed: UNKNOWN HEALTHY/);
    says(['drain', 'pay/p1', @nowhere], 2, '', qr/exactly one of --for, --until, --indefinite/);
    says(['drain', 'pay/p1', '--for', '1m', '--indefinite', @nowhere], 2, '', qr/exactly one/);
    says(['drain', 'node:a', '--for', '1m', @nowhere], 2, '', qr/not available in this version/);
    says(['get', @nowhere], 69, '', qr/\Ameshpulse: no answer from the daemon: /);
    says(['watch', @nowhere], 69, '', qr/no answer from the daemon/);
    says(['get', '--server', 'unix:/nonexistent'], 69, '', qr/no answer from the daemon/);
    says(['get', '--token-file', '/nonexistent', @nowhere], 1, '', qr/cannot be read, or holds no token/);
};

my $node = Mesh::Node->new(id => 'a', services => "  - {name: empty}\n  - {name: a/b}\n");
$node->start;
ok($node->ready, 'the daemon is ready');
my @on = ('--server', "http://127.0.0.1:$node->{port}");

subtest 'an instance from set to delete' => sub {
    my @set = ('set', 'pay/p1', '--address', '127.0.0.1', '--port', '8081', '--weight=3', '--zone', 'eu-1a',
        '--label', 'v=1', '--label', 'v=2', '--label', 'track=b=c', @on);
    says([@set, '--ack', 'stream'], 0, "pay/p1 set\n", '');
    says([@set, '-o', 'name'], 0, "pay/p1\n", '');
    says([@set, '-q'], 0, '', '');
    says(['get', 'pay', @on], 0, qr/\AINSTANCE +ADDRESS +STATUS +REASON +AGE\np1 +127\.0\.0\.1:8081 +UNKNOWN /, '');
    says(['get', 'pay', '--no-headers', '-o', 'wide', @on], 0, qr/\Ap1 .* eu-1a +3 /, '');
    says(['get', 'pay', '-o', 'name', @on], 0, "pay/p1\n", '');
    says(['get', '-o', 'name', @on], 0, "a/b\nempty\npay\n", '');
    says(['get', @on], 0, qr/\ASERVICE +INSTANCES .*\na\/b +0 .*\nempty +0 .*\npay +1 /, '');
    says(['get', '--status', 'unknown', '--no-headers', @on], 0, qr/\Apay +1 [^\n]*\n\z/, '');
    my $instance = decode_json((ctl('get', 'pay/p1', '-o', 'json', @on))[1]);
    is_deeply($instance->{labels}, { v => '2', track => 'b=c' }, 'labels part at the first =, the last one holds');
    my $line = (ctl('get', 'pay', '-o', 'jsonl', @on))[1];
    is_deeply(decode_json($line), decode_json((ctl('get', 'pay', '-o', 'json', @on))[1])->{items}[0], 'jsonl is the item');
    my $filtered = decode_json((ctl('get', 'pay', '-o', 'json', '--status', 'HEALTHY', @on))[1]);
    is_deeply($filtered->{items}, [], 'a filter leaves the form of the list');

    says([@set, '--if-match', '7-0000000000000000'], 4, '', qr/\(stale_version\)\n.*current version is $instance->{version}/);
    says([@set, '--if-match', $instance->{version}], 0, "pay/p1 set\n", '');
    says(['report', 'pay/p1', 'unhealthy', '--reason', 'Maintenance', '--text', 'disk', '--ttl', '1h', @on],
        0, "pay/p1 reported\n", '');
    says(['get', 'pay/p1', '--no-headers', @on], 0, qr/\Ap1 .* UNHEALTHY +/, '');
    says(['get', 'pay/p1', '-o', 'wide', @on], 0, qr/^anonymous +external +UNHEALTHY +Maintenance /m, '');
    says(['drain', 'pay/p1', '--for', '10m', '--reason', 'deploy 42', @on], 0, "pay/p1 draining\n", '');
    my $override = decode_json((ctl('get', 'pay/p1', '-o', 'json', @on))[1])->{override};
    is_deeply([@$override{qw(status reason actor)}], ['DRAINING', 'deploy 42', 'ops'], 'the drain says why and who');
    says(['undrain', 'pay/p1', @on], 0, "pay/p1 undrained\n", '');
    says(['delete', 'pay/p1', @on], 0, "pay/p1 deleted\n", '');
    says(['delete', 'pay/p1', @on], 3, '', qr/\(not_found\)/);
    says(['get', 'pay/p1', @on], 3, '', qr/\(not_found\)/);
    says(['delete', 'a/b', '--service', @on], 0, "a/b deleted\n", '');
};

subtest 'names that hold what paths are made of' => sub {
    my $service = 'outbound|80||a/b.svc%';
    says(['set', "$service/i 1", '--address', '::1', '--port', '1', @on], 0, "$service/i 1 set\n", '');
    says(['get', $service, '--service', '--no-headers', @on], 0, qr/\Ai 1 +\[::1\]:1 /, '');
    says(['get', "$service/i 1", '-o', 'name', @on], 0, "$service/i 1\n", '');
    says(['set', 'pay/t1', '--tenant', 'acme', '--address', '127.0.0.1', '--port', '1', @on], 0, "pay/t1 set\n", '');
    says(['get', 'pay/t1', @on], 3, '', qr/not_found/);
    says(['get', 'pay/t1', '--tenant', 'acme', '-o', 'name', @on], 0, "pay/t1\n", '');
};

subtest 'the daemon refuses' => sub {
    says(['set', 'pay/p1', '--address', 'localhost', '--port', '1', @on], 1, '', qr/\(invalid_field\)\n.*\/address/);
    says(['report', 'none/none', 'HEALTHY', @on], 3, '', qr/not_found/);
};

says(['nodes', '-o', 'name', @on], 0, "a\n", '');
says(['nodes', @on], 0, qr/\ANODE +LIVE .*\na +yes +live /, '');
says(['get', '-o', 'name', '--server', "unix:$node->{unix}"], 0, qr/^empty$/m, '');
{
    local $ENV{MESHPULSE_SERVER} = $on[1];
    says(['get', '-o', 'name'], 0, qr/^empty$/m, '');
}
says(['get', '-v', '-o', 'name', @on], 0, qr/^empty$/m, qr{\A> GET /v1/services\n< 200 });

subtest 'watch goes on over a restart of the daemon' => sub {
    my $dir = work_dir();
    $node->put('pay', 'w0');
    my $watch = spawn("$dir/watch.out", "$dir/watch.err", program(), 'watch', 'pay', '-o', 'json', @on);
    my $get = spawn("$dir/get.out", "$dir/get.err", program(), 'get', 'pay', '--watch', '--no-headers', @on);
    my $weight = 0;
    my $seen = sub {
        $node->put('pay', 'w1', { weight => ++$weight });
        return read_file("$dir/watch.out") =~ /"id":"w1"/ && read_file("$dir/get.out") =~ /^w1 /m;
    };
    ok(eventually(10, $seen), 'a change is printed');
    my $line = (split /\n/, read_file("$dir/watch.out"))[0];
    is(eval { decode_json($line)->{service} }, 'pay', 'as the JSON of the API, one a line');
    $node->request('DELETE', Mesh::Node::instance_path('pay', 'w1'));
    ok(eventually(5, sub { read_file("$dir/watch.out") =~ /"deleted":true/ }), 'a delete is printed');
    ok(eventually(5, sub { read_file("$dir/get.out") =~ /^w1 +- +deleted/m }), 'get --watch shows it');
    is($node->stop, 0, 'the daemon ends');
    $node->start;
    ok(eventually(15, sub { read_file("$dir/watch.out") =~ /^\{"resync":true\}$/m }), 'another process: resync');
    ok(eventually(15, sub { read_file("$dir/get.err") =~ /resync/ }), 'get --watch lists again');
    ok(alive($watch) && alive($get), 'both go on');
    kill 'TERM', $watch, $get;
    is(reap_within(5, $watch), 'signal 15', 'a signal ends watch');
    reap_within(5, $get);
};

$node->stop;

subtest 'tokens' => sub {
    says(['token', 'a b'], 2, '', qr/allowed: a name of 1 to 63 bytes/);
    says(['token', 'ci', '--grant', 'admin'], 2, '', qr/allowed, parted by commas: read, write/);
    my ($reader, $reader_line) = split /\n/, (ctl('token', 'grafana'))[1];
    my $writer = decode_json((ctl('token', 'ci', '--grant', 'write:acme', '--grant', 'read', '-o', 'json'))[1]);
    isnt($reader, $writer->{token}, 'two tokens differ');
    my $dir = work_dir();
    write_file("$dir/tokens", "# who may what\n$reader_line\n$writer->{line}\n");
    my $guarded = Mesh::Node->new(id => 'guarded', set => ["admin.tokens_file=$dir/tokens"]);
    $guarded->start;
    ok(eventually(15, sub { $guarded->status('GET', '/readyz') == 200 }), 'a daemon takes the lines');
    my @to = ('--server', "http://127.0.0.1:$guarded->{port}");
    my @reader = (@to, '--token-file', write_file("$dir/reader", "$reader\n"));
    my @writer = (@to, '--token-file', write_file("$dir/writer", "$writer->{token}\n"));
    my @set = ('set', 'pay/p1', '--address', '127.0.0.1', '--port', '1', '-q');
    says(['get', @to], 1, '', qr/\(unauthorized\)/);
    says(['get', @reader], 0, qr/\ASERVICE /, '');
    says([@set, @reader], 1, '', qr/\(forbidden\)/);
    says([@set, @writer], 1, '', qr/\(forbidden\)/);
    says([@set, '--tenant', 'acme', @writer], 0, '', '');
    says(['get', 'pay', '--tenant', 'acme', '-o', 'name', @reader], 0, "pay/p1\n", '');
    says(['status', '--ready', @to], 0, "ready\n", '');
    $guarded->stop;
};
done_testing();
