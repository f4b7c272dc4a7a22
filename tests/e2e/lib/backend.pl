#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# backend.pl NAME PORT SICK: an HTTP server that answers every request with its name, and /healthz with 503
# while the file SICK exists.  So it fails on its check and goes on to serve: whoever still sends to it is
# found out.  Prints its port (0: any) when it listens.
use strict;
use warnings;
use IO::Socket::INET;

my ($name, $port, $sick) = @ARGV;
my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $port, Listen => 128, ReuseAddr => 1)
    or die "listen: $@";
$| = 1;
$SIG{PIPE} = 'IGNORE';
print $listener->sockport, "\n";

# One request a connection, one connection at a time: it is enough, and nobody waits behind an idle one.
while (my $conn = $listener->accept) {
    my $head = '';
    while ($head !~ /\r\n\r\n/ && sysread $conn, $head, 4096, length $head) {
    }
    my $status = $head =~ m{^GET /healthz } && -e $sick ? '503 Service Unavailable' : '200 OK';
    syswrite $conn, "HTTP/1.1 $status\r\nContent-Length: " . length($name) . "\r\nConnection: close\r\n\r\n$name";
    close $conn;
}
