#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# `make bench-api`: how fast one worker answers GET .../instances/{i} out of 1,000 instances, beside what
# libevent's bare evhttp, nginx and Redis do with the same bytes.  All in turns in one run, one process each,
# one wrk thread, 50 connections; medians of the turns.  Only ratios of one run count.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib", "$FindBin::Bin/../integration/lib";
use IO::Socket::INET;
use Mesh;
use Mesh::Node;
use Mesh::Redis;
use Report;

my $turns = $ENV{BENCH_TURNS} // 7;
my $seconds = $ENV{BENCH_SECONDS} // 2;
my $connections = 50;
my $root = $ENV{BENCH_ROOT} // 'build/bench';
my $evhttp = $ENV{BENCH_EVHTTP} // 'build/release-gcc/tests/bench/peers/evhttp';
my $dir = work_dir();

sub free_port {
    my $socket = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1') or die "listen: $!";
    return $socket->sockport;
}

sub await_port {
    my ($what, $port) = @_;
    eventually(10, sub { IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port") }) or die "$what does not start";
    return;
}

# 20 instances a service; each with an address, a place and labels, as a mesh has them.
sub fill {
    my ($node) = @_;
    for my $i (0 .. 999) {
        my $service = int($i / 20);
        my $answer = $node->request('PUT', "/v1/services/checkout-$service/instances/checkout-$service-$i",
            { address => sprintf('10.0.%d.%d', $i / 256, $i % 256), port => 8080,
              labels => { release => '1.4.2', track => 'stable' } });
        die "PUT: $answer->{status}" if !$answer->{success};
    }
    eventually(20, sub { $node->digest->{pending} eq '0' }) or die 'the writes stay pending';
    return;
}

sub start_evhttp {
    my ($body) = @_;
    my $port = free_port();
    spawn("$dir/evhttp.log", "$dir/evhttp.log", $evhttp, $port, $body);
    await_port('evhttp', $port);
    return "http://127.0.0.1:$port/";
}

sub start_nginx {
    my ($text) = @_;
    my $port = free_port();
    my $temp = join ' ', map { "${_}_temp_path $dir/$_;" } qw(client_body proxy fastcgi uwsgi scgi);
    write_file("$dir/nginx.conf", <<"END");
worker_processes 1; daemon off; master_process off; pid $dir/nginx.pid; error_log $dir/nginx.log;
events { worker_connections 1024; }
http {
  access_log off; default_type application/json; keepalive_requests 100000000; $temp
  server { listen 127.0.0.1:$port; location / { return 200 '$text'; } }
}
END
    spawn("$dir/nginx.log", "$dir/nginx.log", "$root/usr/sbin/nginx", '-e', "$dir/nginx.log", '-c', "$dir/nginx.conf");
    await_port('nginx', $port);
    return "http://127.0.0.1:$port/";
}

sub in_us {
    my ($text) = @_;
    my ($number, $unit) = $text =~ /^([\d.]+)(us|ms|s)$/ or die "wrk: $text";
    return $number * { us => 1, ms => 1e3, s => 1e6 }->{$unit};
}

# Requests per second, p50 and p99 in microseconds.
sub wrk {
    my ($url) = @_;
    local $ENV{LD_LIBRARY_PATH} = join ':', glob "$root/usr/lib/*-linux-gnu";
    my $out = qx($root/usr/bin/wrk -t1 -c$connections -d${seconds}s --latency $url);
    die "wrk: $out" if $out =~ /Non-2xx|Socket errors/ || $out !~ m{Requests/sec:\s+([\d.]+)};
    my $rate = $1;
    my %share = $out =~ /^\s+(50|99)%\s+(\S+)/mg;
    return [$rate, in_us($share{50}), in_us($share{99})];
}

sub hget {
    my ($redis) = @_;
    my $out = qx(redis-benchmark -s $redis->{socket} -c $connections -n @{[30000 * $seconds]} --csv HGET h f);
    my ($line) = $out =~ /^("HGET h f".*)$/m or die "redis-benchmark: $out";
    my (undef, $rate, undef, undef, $p50, undef, $p99) = map { tr/"//dr } split /,/, $line;
    return [$rate, $p50 * 1e3, $p99 * 1e3];
}

my $redis = Mesh::Redis->new('redis');
my $node = Mesh::Node->new(id => 'a', url => $redis->url, set => ['threads.workers=1']);
$node->start;
$node->ready(30) or die 'the daemon does not become ready';
fill($node);
my $path = '/v1/services/checkout-7/instances/checkout-7-150';
my $text = $node->request('GET', $path)->{content};
my $body = write_file("$dir/body", $text);
$redis->call('HSET', 'h', 'f', $text);
my %url = (meshpulse => "http://127.0.0.1:$node->{port}$path", evhttp => start_evhttp($body), nginx => start_nginx($text));
my @order = qw(meshpulse evhttp nginx redis);
my %seen;
for my $turn (0 .. $turns) {
    for my $name (@order) {
        my $result = $name eq 'redis' ? hget($redis) : wrk($url{$name});
        push @{ $seen{$name} }, $result if $turn > 0; # the first turn warms up
    }
}

my %what = (meshpulse => 'GET of an instance', evhttp => 'bare evhttp', nginx => 'nginx return 200',
    redis => 'Redis HGET (no HTTP)');
my %middle;
for my $name (@order) {
    $middle{$name} = [map { my $i = $_; median(map { $_->[$i] } @{ $seen{$name} }) } 0 .. 2];
    row('api', "$what{$name}, requests/s", $middle{$name}[0]);
    row('api', "$what{$name}, p50 us", $middle{$name}[1]);
    row('api', "$what{$name}, p99 us", $middle{$name}[2]);
}
row('api', 'body, B', length $text);
row('api', 'GET of an instance / nginx, requests/s', $middle{meshpulse}[0] / $middle{nginx}[0]);
row('api', 'GET of an instance / Redis HGET, requests/s', $middle{meshpulse}[0] / $middle{redis}[0]);
# Each turn is a comparison of its own: neighbours in time had the same machine.
bar('api-get-to-evhttp', median(map { $seen{meshpulse}[$_][0] / $seen{evhttp}[$_][0] } 0 .. $turns - 1), '>=', 0.80);
bar('api-get-p99-to-evhttp', median(map { $seen{meshpulse}[$_][2] / $seen{evhttp}[$_][2] } 0 .. $turns - 1), '<=', 2.00);
finish();
