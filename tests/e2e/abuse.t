#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# A table of abuse: everything that INTERFACE refuses, sent to a real daemon.  The rows are data, one a line,
# in abuse/*.txt (the head of http.txt explains the form).  Afterwards the daemon must be what it was before:
# same digest, same descriptors, and honest clients must not have noticed.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../integration/lib", "$FindBin::Bin/abuse";
use Abuse;
use Digest::SHA qw(sha256_hex);
use IO::Select;
use Mesh;
use Mesh::Node;
use Test::More;
use Time::HiRes qw(time sleep);

my %tokens = (writer => 'w' x 32, reader => 'r' x 32, acme => 'a' x 32);
my $tokens_file = write_file(work_dir() . '/tokens',
    join '', map { "$_->[0] $_->[1] sha256:" . sha256_hex($tokens{ $_->[0] }) . "\n" }
        ['writer', 'write'], ['reader', 'read'], ['acme', 'write:acme']);
chmod 0600, $tokens_file;

my $open = Mesh::Node->new(id => 'a', url => 'memory:', set => ['admin.probe_listen=127.0.0.1:0'])->start;
my $guarded = Mesh::Node->new(id => 'b', url => 'memory:', set => ["admin.tokens_file=$tokens_file"])->start;
$_->ready or BAIL_OUT("$_->{id} is not ready") for $open, $guarded;
my ($probe_port) = read_file($open->{log}) =~ /probe[_a-z]*="?127\.0\.0\.1:(\d+)/;

my %registered = (address => '127.0.0.1', port => 8080, labels => { v => "\x{e9}" });
is($open->put('abuse', 'one', \%registered)->{status}, 201, 'an instance to be abused');
ok(eventually(5, sub { $open->digest->{pending} eq '0' }), 'it is accepted');

sub descriptors { my ($node) = @_; return scalar(() = glob "/proc/$node->{pid}/fd/*") }

# kB in memory
sub resident { my ($node) = @_; return read_file("/proc/$node->{pid}/status") =~ /^VmRSS:\s+(\d+)/m ? $1 : 0 }

my $digest = $open->digest->{digest};
my ($descriptors) = sort { $a <=> $b } map { descriptors($open) } 1 .. 5;

# --- an honest client, in a process of its own: its time per request, a line each

my $honest_log = work_dir() . '/honest';
my $honest = fork // die "fork: $!";
if ($honest == 0) {
    open my $out, '>>', $honest_log or POSIX::_exit(1);
    $out->autoflush(1);
    my $parent = getppid;
    while (getppid == $parent) {
        my $start = time;
        my $answer = talk($open->{port}, "GET /v1/services/abuse/instances/one HTTP/1.1\r\n"
            . "Host: 127.0.0.1:$open->{port}\r\nConnection: close\r\n\r\n");
        printf {$out} "%.3f %s\n", (time - $start) * 1000, $answer =~ m{\AHTTP/1.1 (\d+)} ? $1 : 'none';
        sleep 0.002;
    }
    POSIX::_exit(0);
}
END { kill 'KILL', $honest if $honest && defined $open }

# The median of the p99s of windows of 100 requests, so that one stall of the machine says nothing.
sub p99 {
    my ($from) = @_;
    my @ms = map { (split)[0] } @{ honest_lines() }[$from .. $#{ honest_lines() }];
    my @windows = @ms > 0 && @ms < 100 ? (sort { $a <=> $b } @ms)[-1] : ();
    while (@ms >= 100) {
        push @windows, (sort { $a <=> $b } splice @ms, 0, 100)[98];
    }
    die 'the honest client has ended' if !@windows;
    return (sort { $a <=> $b } @windows)[$#windows / 2];
}

sub honest_lines { return [split /\n/, read_file($honest_log)] }
sub honest_count { return scalar @{ honest_lines() } }

sub honest_window {
    my ($count) = @_;
    my $from = honest_count();
    eventually(10, sub { honest_count() >= $from + $count }) or diag 'the honest client is slow';
    return p99($from);
}

my $idle = honest_window(500);
my $abuse_starts = honest_count();

# --- the tables

# One subtest a table; only rows that fail are told, each in a line of its own.
sub table {
    my ($name, $least, $came_of) = @_;
    subtest "$name.txt" => sub {
        my @rows = rows("$FindBin::Bin/abuse/$name.txt");
        my @wrong;
        for my $row (@rows) {
            my $came = $came_of->($row);
            $came =~ s/ close\b//g if $row->{expected} !~ / close\b/; # who has seen our end may close
            push @wrong, "$row->{name}: expected $row->{expected}, came $came" if $came ne $row->{expected};
        }
        cmp_ok(scalar @rows, '>=', $least, scalar(@rows) . ' rows');
        is(join("\n", @wrong), '', 'each as the table says');
    };
    return;
}

my @asked; # of the daemon that the honest client asks, to be asked again

my %door = (open => $open->{port}, tokens => $guarded->{port}, probe => $probe_port, unix => $open->{unix});

table('http', 200, sub {
    my ($row) = @_;
    my $door = $door{ $row->{section} } // die "no door $row->{section}";
    my %word = (host => "Host: 127.0.0.1:$open->{port}\r\n", port => $open->{port}, %tokens);
    %word = (%word, host => "Host: 127.0.0.1:$guarded->{port}\r\n") if $row->{section} eq 'tokens';
    my $request = unescape($row->{given}, \%word);
    push @asked, $request if $row->{section} eq 'open' && length $request < 4096;
    return answers_in_words(talk($door, $request), $request =~ /\A(?:\r\n)?HEAD /);
});

table('json', 60, sub {
    my ($row) = @_;
    my $body = unescape($row->{given}, {});
    my $method = $row->{section} eq 'patch' ? 'PATCH' : 'PUT';
    my $below = { observation => '/observations/lb', override => '/override' }->{ $row->{section} } // '';
    my $path = "/v1/services/abuse/instances/one$below";
    my $type = $method eq 'PATCH' ? 'application/merge-patch+json' : 'application/json';
    my $head = "$method $path HTTP/1.1\r\nHost: 127.0.0.1:$open->{port}\r\nContent-Type: $type\r\n";
    return answers_in_words(
        talk($open->{port}, $head . 'Content-Length: ' . length($body) . "\r\n\r\n$body"), 0);
});

is(scalar(grep { !/ 200$/ } @{ honest_lines() }), 0, 'every honest request was answered');
is($open->digest->{digest}, $digest, 'the digest is what it was before');
ok(eventually(5, sub { descriptors($open) <= $descriptors + 2 }), 'and the tables have left no descriptor');

# --- connections that cost time

# Sends the bytes of `$text` one by one; how long the daemon bears it, in seconds.
sub drip {
    my ($text, $every) = @_;
    my $conn = connect_to($open->{port});
    my $start = time;
    for my $byte (split //, $text) {
        last if IO::Select->new($conn)->can_read($every) && !sysread $conn, my $answer, 4096;
        last if time - $start > 14 || !defined syswrite $conn, $byte;
    }
    return time - $start;
}

# A child that opens `$count` silent connections, says so, and waits until the daemon has ended them all.
sub silent {
    my ($count) = @_;
    pipe my $from, my $to or die "pipe: $!";
    my $pid = fork // die "fork: $!";
    if ($pid == 0) {
        my @conns = map { connect_to($open->{port}) } 1 .. $count;
        syswrite $to, 'o';
        my $end = time + 12 * ($ENV{MESH_PATIENCE} // 1);
        for my $conn (@conns) {
            while (IO::Select->new($conn)->can_read($end - time > 0 ? $end - time : 0)) {
                last if !sysread $conn, my $answer, 4096;
            }
        }
        POSIX::_exit(time < $end ? 0 : 1);
    }
    sysread $from, my $opened, 1;
    return $pid;
}

# Runs `$run` in a child; its exit status is that the answer is true.
sub beside {
    my ($run) = @_;
    my $pid = fork // die "fork: $!";
    POSIX::_exit($run->() ? 0 : 1) if $pid == 0;
    return $pid;
}

sub ended_well { my ($pid) = @_; return waitpid($pid, 0) == $pid && $? == 0 }

subtest 'slow and silent connections' => sub {
    my $head = "PUT /v1/services/abuse/instances/two HTTP/1.1\r\nHost: 127.0.0.1:$open->{port}\r\n";
    my $in_time = sub { my ($seconds, $min, $max) = @_; return $seconds > $min && $seconds < $max };
    my @drips = (
        ['header, a byte each 200 ms', beside(sub { $in_time->(drip($head . 'x' x 99, 0.2), 4, 8) })],
        ['header, a byte each second', beside(sub { $in_time->(drip($head, 1), 4, 8) })],
        ['body', beside(sub {
            my $start = "Content-Type: application/json\r\nContent-Length: 999\r\n\r\n";
            my $conn = connect_to($open->{port});
            syswrite $conn, $head . $start;
            my $began = time;
            while (time - $began < 14) {
                last if IO::Select->new($conn)->can_read(0.2) && !sysread $conn, my $answer, 4096;
                last if !defined syswrite $conn, ' ';
            }
            return $in_time->(time - $began, 9, 13);
        })],
    );
    my @silent = (silent(500), silent(450));
    is($open->status('GET', '/v1/services'), 200, 'over 950 silent connections an honest request is answered');
    push @silent, silent(100); # beyond 64 that are being refused others just end
    my $over = talk($open->{port}, "GET /livez HTTP/1.1\r\n\r\n");
    is(answers_in_words($over, 0), '503 queue_full close', 'over the ceiling: a problem of the list');
    my ($status) = run_program(program(), 'get', '--server', "unix:$open->{unix}");
    is($status, 0, 'the unix socket keeps its reserve');
    ok(ended_well($_), 'the silent are cut in time') for @silent;
    ok(ended_well($_->[1]), "cut in time although it drips: $_->[0]") for @drips;
    ok(eventually(10, sub { $open->status('GET', '/v1/services') == 200 }), 'and all is as before');
};

subtest 'readers that never read' => sub {
    my $before = resident($open);
    my $ask = "GET /metrics HTTP/1.1\r\nHost: 127.0.0.1:$open->{port}\r\n\r\n";
    my @greedy = map { connect_to($open->{port}) } 1 .. 40;
    for my $conn (@greedy) {
        $conn->blocking(0);
        syswrite $conn, $ask x 1000;
    }
    is_deeply([map { $open->status('GET', '/v1/services') } 1 .. 20], [(200) x 20], 'honest requests are answered');
    my $grown = resident($open) - $before;
    cmp_ok($grown, '<', 40 * 1024 * ($ENV{MESH_PATIENCE} // 1), "40 of them have cost $grown kB, less than 1 MiB each");
};

# One good measure is enough: a machine that is busy with other things spoils many, a daemon that makes honest
# clients wait spoils all.
sub unnoticed {
    my ($what, $before, $abused) = @_;
    my $after = honest_window(300);
    my $base = $before > $after ? $before : $after;
    diag sprintf 'honest p99 %s: %.2f ms idle before, %.2f ms idle after, %.2f ms abused (ratio %.2f)', $what, $before,
        $after, $abused, $abused / $base;
    return $abused <= (2 * $base + 5) * ($ENV{MESH_PATIENCE} // 1);
}

sub abused_again {
    my $before = honest_window(300);
    my $from = honest_count();
    my $end = time + 5;
    while (honest_count() < $from + 300 && time < $end) {
        talk($open->{port}, $_) for @asked;
    }
    return unnoticed('once more', $before, p99($from));
}

ok(unnoticed('over all', $idle, p99($abuse_starts)) || abused_again() || abused_again(),
    'honest clients have not noticed');
kill 'KILL', $honest;
waitpid $honest, 0;
undef $honest;

# --- files and command lines: no daemon takes part

sub run { return capture(work_dir() . '/out', work_dir() . '/err', program(), @_) }

sub of_set_or_environment {
    my ($row) = @_;
    my ($name, $value) = split /=/, $row->{given}, 2;
    local $ENV{$name} = $value if $row->{section} eq 'environment';
    my @set = $row->{section} eq 'set' ? ('--set', $row->{given}) : ();
    my ($status, undef, $errors) = run('serve', '--print-config', @set);
    my ($key) = $errors =~ /^(--set|MESHPULSE_)(?:(?<=_)| )\S+: \S/m;
    return join ' ', $status, $status == 78 ? $key // 'without a key' : ();
}

table('config', 60, sub {
    my ($row) = @_;
    return of_set_or_environment($row) if $row->{section} ne 'file';
    my $file = write_file(work_dir() . '/abuse.yaml', unescape($row->{given}, {}));
    my ($status, undef, $errors) = run('check-config', $file);
    my @where = $errors =~ /^\Q$file\E:(\d+:\d+): \S/mg;
    return join ' ', $status, @where;
});

table('command', 40, sub {
    my ($row) = @_;
    my @arguments = map { $_ eq "''" ? '' : unescape($_, {}) } split / /, $row->{given} =~ s{\\s}{ }gr;
    my ($status, $out, $errors) = run(@arguments);
    return $status . ($out ne '' ? ' and prints' : '') . ($errors eq '' ? ' and is silent' : '');
});

is($open->digest->{digest}, $digest, 'the digest is what it was before');
ok(eventually(10, sub { descriptors($open) <= $descriptors }), 'and so are the descriptors')
    or diag descriptors($open) . " for $descriptors";
is($_->stop, 0, "$_->{id} ends well") for $open, $guarded;
unlike(read_file($_->{log}), qr/assert|Sanitizer|runtime error/i, "$_->{id} has nothing to report") for $open, $guarded;
done_testing;
