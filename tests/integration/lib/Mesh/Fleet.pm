# SPDX-License-Identifier: Apache-2.0
# A few daemons on one Redis, and what must hold for them after every fault:
#
#     equal digests, nothing pending, and the server's rolling digest is theirs
#     no acknowledged write is lost, on no node
#     no version ever goes back on any node (looked at in every turn of every wait)
package Mesh::Fleet;
use strict;
use warnings;
use Mesh;
use Mesh::Node;
use Mesh::Redis;
use Test::More;

# Options: ids, services, set, set_of (id -> more of set); and name (of a Redis to be started) or redis and url.
sub new {
    my ($class, %options) = @_;
    my $self = bless { redis => $options{redis} // Mesh::Redis->new($options{name}), acked => {}, seen => {}, wrong => [] }, $class;
    for my $id (@{ $options{ids} }) {
        my $node = Mesh::Node->new(id => $id, url => $options{url} // $self->{redis}->url, services => $options{services},
            set => [qw(stream.lease=2s stream.resync_min=1s stream.backoff_max=200ms stream.reply_timeout=1s
                stream.connect_timeout=1s), @{ $options{set} // [] }, @{ $options{set_of}{$id} // [] }]);
        push @{ $self->{nodes} }, $node;
    }
    $_->start for @{ $self->{nodes} };
    $_->ready(20) or die "$_->{id} does not become ready: " . read_file($_->{log}) for @{ $self->{nodes} };
    return $self;
}

sub nodes { my ($self) = @_; return @{ $self->{nodes} } }
sub redis { my ($self) = @_; return $self->{redis} }

# Writes through one node; what is answered must be there for ever after.
sub put {
    my ($self, $node, $id, $weight, $query) = @_;
    my $answer = $node->put('pay', $id, { weight => $weight }, $query);
    $self->{acked}{$id} = $weight if $answer->{success};
    return $answer;
}

# A restarted node begins with an empty map.
sub restarted { my ($self, $node) = @_; delete $self->{seen}{ $node->{id} }; return }

# One look at every node that answers: versions only grow, and what was there stays.
sub observe {
    my ($self) = @_;
    for my $node (grep { !$_->{away} } $self->nodes) {
        my $seen = $self->{seen}{ $node->{id} } //= {};
        my $now = $node->versions('pay');
        for my $id (keys %$seen) {
            next if defined $now->{$id} && $now->{$id} >= $seen->{$id};
            push @{ $self->{wrong} }, "$node->{id}: $id went from $seen->{$id} to " . ($now->{$id} // 'nothing');
        }
        %$seen = %$now;
    }
    return;
}

# As Mesh::eventually, looking at the versions in each turn.
sub eventually_seen {
    my ($self, $seconds, $ask) = @_;
    return eventually($seconds, sub { $self->observe; return $ask->() });
}

# The server's rolling digests, as the API writes them.
sub server_digests {
    my ($self, $count) = @_;
    return map {
        my $text = $self->redis->call('HGET', "{mp:$_}s", '%') // '';
        my ($records, $sum) = $text =~ /^(\d+)-([0-9a-f]+)$/ ? ($1, $2) : (0, 0);
        $records . '-' . substr('0' x 12 . $sum, -12);
    } 0 .. $count - 1;
}

sub agree {
    my ($self, %options) = @_;
    my @digests = map { $_->digest } $self->nodes;
    return 0 if grep { !$_ || $_->{pending} ne '0' || $_->{digest} ne $digests[0]{digest} } @digests;
    my @own = @{ $digests[0]{partitions} };
    return 1 if $options{stranger};
    return join(' ', @own) eq join(' ', $self->server_digests(scalar @own));
}

sub lost {
    my ($self) = @_;
    my @lost;
    for my $node ($self->nodes) {
        my %shown = map { ($_->{id} => $_->{weight}) } @{ $node->json('/v1/services/pay/instances')->{items} };
        for my $id (sort keys %{ $self->{acked} }) {
            my $shown = $shown{$id} // 'nothing';
            push @lost, "$node->{id}: $id shows $shown, not $self->{acked}{$id}" if $shown ne $self->{acked}{$id};
        }
    }
    return @lost;
}

# The three promises, as tests.
sub converged {
    my ($self, $seconds, %options) = @_;
    ok($self->eventually_seen($seconds, sub { $self->agree(%options) }), 'all nodes and the server agree')
        or diag explain [map { [$_->{id}, $_->digest] } $self->nodes], [$self->server_digests(16)];
    is_deeply([$self->lost], [], 'no acknowledged write is lost');
    is_deeply($self->{wrong}, [], 'no version went back');
    $self->{wrong} = [];
    return;
}

# field -> value of everything that the server holds, but for what nodes say of themselves and meta fields
sub server_records {
    my ($self) = @_;
    my %records;
    for my $key ($self->redis->keys_of('s')) {
        my %hash = @{ $self->redis->call('HGETALL', $key) };
        $records{$_} = $hash{$_} for grep { /\0/ && !/\A_mesh\0/ } keys %hash;
    }
    return \%records;
}

1;
