# SPDX-License-Identifier: Apache-2.0
# One daemon, its admin API, and a watcher of its events.
package Mesh::Node;
use strict;
use warnings;
use HTTP::Tiny;
use JSON::PP;
use Mesh;

# Options: id, url (of the stream), services (YAML lines), set (list of SECTION.KEY=VALUE), file, group (the folder of
# a control group to run in).
sub new {
    my ($class, %options) = @_;
    my $dir = work_dir();
    my $self = bless {
        %options,
        log  => "$dir/$options{id}.log",
        unix => "$dir/$options{id}.sock",
        http => HTTP::Tiny->new(timeout => 10, keep_alive => 0, proxy => undef, http_proxy => undef),
    }, $class;
    $self->{file} //= $self->write_config;
    return $self;
}

sub write_config {
    my ($self) = @_;
    return write_file(work_dir() . "/$self->{id}.yaml",
        "config_version: 1\n" . ($self->{services} ? "services:\n$self->{services}" : ''));
}

sub arguments {
    my ($self) = @_;
    # How full this machine's memory is shall decide no test.
    my @set = ('map.cgroup=' . work_dir() . '/no-cgroup', "node.id=$self->{id}", "admin.listen=127.0.0.1:" . ($self->{port} // 0), "admin.unix=$self->{unix}",
        @{ $self->{set} // [] });
    push @set, "stream.url=$self->{url}" if $self->{url};
    my @into = $self->{group} ? ('/bin/sh', '-c', 'echo $$ >"$0/cgroup.procs" && exec "$@"', $self->{group}) : ();
    return (@into, program(), 'serve', '-c', $self->{file}, map { ('--set', $_) } @set);
}

# Starts it and waits until it serves; a port that it got once it keeps, as a restarted daemon would.
sub start {
    my ($self) = @_;
    my $seen = length read_file($self->{log});
    $self->{pid} = spawn($self->{log}, $self->{log}, $self->arguments);
    my $port = eventually(15, sub {
        my $new = substr read_file($self->{log}), $seen;
        return $new =~ /\bserve\b.*\blisten="?127\.0\.0\.1:(\d+)/ ? $1 : !alive($self->{pid}) ? -1 : 0;
    });
    die "$self->{id} does not start: " . substr(read_file($self->{log}), $seen) if !$port || $port < 0;
    $self->{port} = $port;
    return $self;
}

sub ready {
    my ($self, $seconds) = @_;
    return eventually($seconds // 15, sub { $self->status('GET', '/readyz') == 200 });
}

# Returns its exit status.
sub stop {
    my ($self) = @_;
    kill 'TERM', $self->{pid};
    return reap_within(12, $self->{pid});
}

sub kill_hard {
    my ($self) = @_;
    kill 'KILL', $self->{pid};
    return reap_within(5, $self->{pid});
}

# --- HTTP

sub request {
    my ($self, $method, $path, $body, $headers) = @_;
    my %options = (headers => { %{ $headers // {} } });
    if (defined $body) {
        $options{content} = encode_json($body);
        $options{headers}{'Content-Type'} //=
            $method eq 'PATCH' ? 'application/merge-patch+json' : 'application/json';
    }
    my $answer = $self->{http}->request($method, "http://127.0.0.1:$self->{port}$path", \%options);
    $answer->{json} = eval { decode_json($answer->{content}) };
    return $answer;
}

sub status { my ($self, @request) = @_; return $self->request(@request)->{status} }
sub json { my ($self, $path) = @_; return $self->request('GET', $path)->{json} }

sub instance_path {
    my ($service, $id) = @_;
    return "/v1/services/$service/instances/$id";
}

sub put {
    my ($self, $service, $id, $fields, $query) = @_;
    return $self->request('PUT', instance_path($service, $id) . ($query // ''),
        { address => '127.0.0.1', port => 8080, %{ $fields // {} } });
}

# As put, for thousands of them: over one connection of the caller's that stays open, and with one label or more
# (the text between the braces).  True: taken.
sub put_over {
    my ($conn, $service, $id, $labels) = @_;
    my $body = qq({"address":"127.0.0.1","port":1,"labels":{$labels}});
    syswrite $conn, 'PUT ' . instance_path($service, $id) . " HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        . 'Content-Length: ' . length($body) . "\r\n\r\n$body";
    my $answer = '';
    while ($answer !~ /\r\n\r\n.*\}\s*\z/s) {
        sysread($conn, $answer, 65536, length $answer) or die 'no answer';
    }
    return $answer =~ m{^HTTP/1\.1 20[01]} ? 1 : 0;
}

sub get { my ($self, $service, $id) = @_; return $self->request('GET', instance_path($service, $id)) }

# The status that is shown, '' when there is no such instance.
sub health {
    my ($self, $service, $id) = @_;
    my $answer = $self->get($service, $id);
    return $answer->{status} == 200 ? $answer->{json}{status} : '';
}

sub digest { my ($self) = @_; return $self->json('/v1/digest') }

# instance -> counter of its version, for one service
sub versions {
    my ($self, $service) = @_;
    my $list = $self->json("/v1/services/$service/instances") or return {};
    return { map { my ($counter) = split /-/, $_->{version}; ($_->{id} => $counter) } @{ $list->{items} // [] } };
}

# The value of one metric, labels as they stand; 0 when it is not there.
sub metric {
    my ($self, $name) = @_;
    my $text = $self->request('GET', '/metrics')->{content};
    return $text =~ /^\Q$name\E (\S+)$/m ? $1 : 0;
}

# --- events

# Opens /v1/watch; events are then read by next_event.
sub watch {
    my ($self, $query, $headers) = @_;
    my $conn = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $self->{port}) or die "connect: $!";
    my $lines = join '', map { "$_: $headers->{$_}\r\n" } keys %{ $headers // {} };
    syswrite $conn, "GET /v1/watch$query HTTP/1.1\r\nHost: 127.0.0.1:$self->{port}\r\n"
        . "Accept: text/event-stream\r\n$lines\r\n";
    return bless { conn => $conn, text => '', chunks => '', head => undef }, 'Mesh::Watch';
}

package Mesh::Watch;
use strict;
use warnings;
use IO::Select;
use JSON::PP;
use Time::HiRes qw(time);

# Takes the chunks of the transfer coding apart.
sub take_chunks {
    my ($self) = @_;
    if (!defined $self->{head} && $self->{chunks} =~ s/\A(.*?\r\n\r\n)//s) {
        $self->{head} = $1;
    }
    return if !defined $self->{head};
    if ($self->{head} !~ /^transfer-encoding: *chunked/mi) {
        $self->{text} .= $self->{chunks};
        $self->{chunks} = '';
        return;
    }
    while ($self->{chunks} =~ /\A([0-9a-fA-F]+)[^\r\n]*\r\n/) {
        my ($len, $start) = (hex $1, $+[0]);
        last if length $self->{chunks} < $start + $len + 2;
        $self->{text} .= substr $self->{chunks}, $start, $len;
        substr $self->{chunks}, 0, $start + $len + 2, '';
        last if $len == 0;
    }
    return;
}

# The next event as {event, id, data}; undef when none comes in time or the stream has ended.
sub next_event {
    my ($self, $seconds) = @_;
    my $end = time + $seconds;
    while (1) {
        $self->take_chunks;
        while ($self->{text} =~ s/\A(.*?)\n\n//s) {
            my %event = map { /^(event|id|data): ?(.*)$/ ? ($1, $2) : () } split /\n/, $1;
            next if !exists $event{event} && !exists $event{data};
            $event{data} = decode_json($event{data}) if ($event{data} // '') =~ /^\{/;
            $self->{last_id} = $event{id} if defined $event{id};
            return \%event;
        }
        my $left = $end - time;
        return if $left <= 0 || $self->{ended};
        next if !IO::Select->new($self->{conn})->can_read($left);
        $self->{ended} = 1 if !sysread $self->{conn}, $self->{chunks}, 65536, length $self->{chunks};
    }
    return;
}

1;
