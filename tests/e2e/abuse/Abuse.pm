# SPDX-License-Identifier: Apache-2.0
# Reads the tables of abuse, sends raw bytes, and tells the answers in the words of the tables.
package Abuse;
use strict;
use warnings;
use Exporter 'import';
use File::Basename qw(basename);
use IO::Select;
use IO::Socket::INET;
use IO::Socket::UNIX;
use JSON::PP;
use Mesh;
use POSIX ();
use Socket qw(SHUT_WR);
use Time::HiRes qw(time);

our @EXPORT = qw(rows unescape connect_to talk answers_in_words capture);

# The codes of INTERFACE section 3.
my %status_of = (
    (map { $_ => 400 } qw(bad_json bad_request)), unauthorized => 401, forbidden => 403, not_found => 404,
    method_not_allowed => 405, conflict => 409, stale_version => 412, too_large => 413,
    unsupported_media_type => 415, wrong_host => 421, invalid_field => 422, if_match_required => 428,
    (map { $_ => 429 } qw(over_quota rate_limited)), headers_too_large => 431,
    (map { $_ => 503 } qw(queue_full stream_unavailable not_ready fenced)), unknown_outcome => 504,
);

# The rows of a table with its families written out: {section, name, given, expected}.
sub rows {
    my ($file) = @_;
    open my $in, '<', $file or die "$file: $!";
    my ($section, %families, @rows) = ('');
    while (my $line = <$in>) {
        chomp $line;
        next if $line =~ /^\s*(?:#|$)/;
        if ($line =~ /^\[(\w+)\]$/) { $section = $1; next }
        if ($line =~ /^each (\w+) = (.*)$/) { $families{$1} = [split / +/, $2]; next }
        my ($name, $given, $expected, @rest) = split / +\| +/, $line;
        die "$file:$.: not name | given | expected" if !defined $expected || @rest;
        push @rows, map { +{ section => $section, name => basename($file) . ":$.: $name $_->{members}", given => $_->{given},
            expected => $expected } } members($given, \%families);
    }
    return @rows;
}

# The given bytes once for each member of the families named in it (of two families: for each pair).
sub members {
    my ($given, $families) = @_;
    my @all = { members => '', given => $given };
    my %named = map { $_ => 1 } grep { exists $families->{$_} } $given =~ /\{(\w+)\}/g;
    for my $family (sort keys %named) {
        @all = map { my $one = $_; map { my $member = $_;
            { members => "$one->{members} $member", given => $one->{given} =~ s/\{$family\}/$member/gr } }
            @{ $families->{$family} } } @all;
    }
    return @all;
}

# \r \n \t \\ \xHH, {word} from `$words`, {text*count} repeated.
sub unescape {
    my ($text, $words) = @_;
    $text =~ s/\{(\w+)\}/exists $words->{$1} ? $words->{$1} : "{$1}"/ge;
    $text =~ s/\{([^{}]+)\*(\d+)\}/$1 x $2/ge;
    my %short = (r => "\r", n => "\n", t => "\t", s => ' ', '\\' => '\\');
    $text =~ s/\\(?:x([0-9a-fA-F]{2})|([rnts\\]))/defined $1 ? chr hex $1 : $short{$2}/ge;
    return $text;
}

# To a port of 127.0.0.1, or to a path.
sub connect_to {
    my ($door) = @_;
    my $conn = $door =~ m{^/}
        ? IO::Socket::UNIX->new(Peer => $door)
        : IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $door);
    return $conn // die "connect to $door: $!";
}

# Sends everything, ends its own side, and returns everything that comes until the other side ends.
sub talk {
    my ($door, $request) = @_;
    my $conn = connect_to($door);
    $conn->blocking(0);
    local $SIG{PIPE} = 'IGNORE';
    my ($answer, $end) = ('', time + 20);
    my $both = IO::Select->new($conn);
    while (time < $end) {
        if ($request eq '') {
            last if !$both->can_read($end - time);
        } elsif (!$both->can_read(0) && $both->can_write(0.1)) {
            my $sent = syswrite $conn, $request;
            substr $request, 0, $sent // length $request, '';
            shutdown $conn, SHUT_WR if $request eq '';
            next;
        }
        next if !$both->can_read(0);
        last if !sysread $conn, $answer, 65536, length $answer;
    }
    return time < $end ? $answer : "$answer(no end)";
}

# What follows the header section belongs to the answer as far as its header says.
sub take_body {
    my ($rest, $head, $is_head) = @_;
    return '' if $is_head || $head =~ m{^HTTP/1\.1 (?:1\d\d|204|304)};
    return substr $$rest, 0, $1, '' if $head =~ /^content-length: *(\d+)/mi;
    my $body = $$rest; # chunks, or until the end: nothing can follow
    $$rest = '';
    return $body;
}

sub problem_in_words {
    my ($status, $head, $body) = @_;
    my $problem = eval { decode_json($body) } // return "$status without problem";
    my $code = $problem->{code} // '';
    return "$status $code, a code of no list" if ($status_of{$code} // 0) != $status;
    return "$status $code of another form" if $head !~ m{^content-type: application/problem\+json\r$}mi
        || $problem->{type} ne "urn:meshpulse:problem:$code" || $problem->{status} != $status
        || !$problem->{title} || !$problem->{detail};
    return "405 $code without Allow" if $status == 405 && $head !~ /^allow: \S/mi;
    return "401 $code without WWW-Authenticate" if $status == 401 && $head !~ /^www-authenticate: \S/mi;
    return "503 $code without Retry-After" if $status == 503 && $head !~ /^retry-after: \d/mi;
    return "$status $code";
}

# "200", "400 bad_request close" (with Connection: close), "200; 404 not_found", "closed" without an answer.
sub answers_in_words {
    my ($text, $is_head) = @_;
    my @words;
    while ($text =~ s/\A(HTTP\/1\.1 (\d{3}) [^\r\n]*\r\n(?:[^\r\n]+\r\n)*)\r\n//) {
        my ($head, $status) = ($1, $2);
        my $body = take_body(\$text, $head, $is_head);
        my $word = $status >= 400 && !$is_head ? problem_in_words($status, $head, $body) : $status;
        push @words, $word . ($head =~ /^connection: close\r$/mi ? ' close' : '');
    }
    push @words, 'then ' . length($text) . ' odd bytes' if $text ne '';
    return @words ? join '; ', @words : 'closed';
}

# Runs a program to its end, in at most 15 s: exit status ("signal N"), stdout, stderr.  Some hundred of them
# are run, so none is waited for longer than it takes.
sub capture {
    my ($out, $err, @command) = @_;
    my $pid = fork // die "fork: $!";
    if ($pid == 0) {
        open STDOUT, '>', $out or POSIX::_exit(126);
        open STDERR, '>', $err or POSIX::_exit(126);
        open STDIN, '<', '/dev/null' or POSIX::_exit(126);
        exec { $command[0] } @command or POSIX::_exit(127);
    }
    local $SIG{ALRM} = sub { kill 'KILL', $pid };
    alarm 15;
    waitpid $pid, 0;
    alarm 0;
    my $status = $? & 127 ? 'signal ' . ($? & 127) : $? >> 8;
    return ($status, read_file($out), read_file($err));
}

1;
