#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# chart_files.pl [--check] [TREE]: writes the two files of the chart that are made from others, or with
# --check only says which of them is out of date (and exits 1).  TREE: not this source tree but that one.
#
#   values.schema.json   `definitions.config` is made from replicator/config.def; the rest is kept as it
#                        stands there, its keys sorted
#   README.md            the table between the two marks is made from the comments "# --" of values.yaml
use strict;
use warnings;
use FindBin;
use JSON::PP;

my $check = @ARGV && $ARGV[0] eq '--check' ? shift @ARGV : '';
my $root = shift @ARGV // "$FindBin::Bin/../..";
my $chart = "$root/charts/meshpulse";

sub slurp {
    my ($file) = @_;
    open my $in, '<', $file or die "$file: $!\n";
    local $/;
    return <$in>;
}

# --- values.schema.json

my $string = qr/"((?:[^"\\]|\\.)*)"/;
my $duration = '^(0|[0-9]+(ms|s|m|h))$';

# What a schema can say about each form of a string; the daemon itself says the rest.
my %FORM = (
    NODE_ID      => { maxLength => 63 },
    NAME         => { maxLength => 255 },
    PREFIX       => { pattern => '^[A-Za-z0-9._:-]{1,63}$' },
    PATH         => {},
    UNIX         => { maxLength => 107 },
    LISTEN       => { pattern => '^$|:[0-9]+$' },
    MODE         => { pattern => '^0?[0-7]{3}$' },
    STREAM_URL   => { pattern => '^(memory:|unix:///.+|(redis|rediss|redis\\+sentinel|redis\\+cluster)://[^@]+)$' },
    HTTP_URL     => { pattern => '^$|^http://' },
    CLUSTER_NAME => { pattern => '\\{service\\}' },
    RATE         => { pattern => '^[0-9]+/s$' },
    CIDR         => { pattern => '^[0-9a-fA-F.:]+/[0-9]+$' },
    HOST         => { pattern => '^[A-Za-z0-9._:\\[\\]-]+$' },
);

sub form {
    my ($name) = @_;
    return { type => 'integer', minimum => 0 } if $name eq 'UID';
    return { type => 'string', %{ $FORM{$name} // die "config.def: the form $name is unknown here\n" } };
}

sub powers { my ($min, $max) = @_; return grep { $_ >= $min && $_ <= $max } map { 2**$_ } 0 .. 31 }

sub number { my ($default, $min, $max) = @_; return { type => 'integer', default => 0 + $default, minimum => 0 + $min, maximum => 0 + $max } }

# For each kind of row, what stands between the key and the step, and the schema that it gives.
my %ROW = (
    STRING => [qr/$string, (\w+)/, sub { +{ %{ form($_[1]) }, default => $_[0] } }],
    NUMBER => [qr/(\d+), (\d+), (\d+)/, \&number],
    POWER => [qr/(\d+), (\d+), (\d+)/, sub { +{ type => 'integer', default => 0 + $_[0], enum => [powers(@_[1, 2])] } }],
    DURATION => [qr/(\w+), \w+, \w+/, sub { +{ type => 'string', default => $_[0], pattern => $duration } }],
    BOOL => [qr/(true|false)/, sub { +{ type => 'boolean', default => $_[0] eq 'true' ? JSON::PP::true : JSON::PP::false } }],
    WORD => [qr/(\w+), $string/, sub { +{ type => 'string', default => $_[0], enum => [split ' ', $_[1]] } }],
    LIST => [qr/(\w+)/, sub { +{ type => 'array', items => form($_[0]) } }],
);

# The sections of config.def, each a schema that knows no other keys than its own.
sub sections {
    my ($text) = @_;
    my %sections;
    while ($text =~ /^CONFIG_(\w+)\((\w+), (.*)\)$/mg) {
        my ($kind, $section, $rest) = ($1, $2, $3);
        if ($kind eq 'SECTION' && $rest =~ /^$string$/) {
            $sections{$section} = { type => 'object', additionalProperties => JSON::PP::false, description => $1, properties => {} };
        } elsif (my $row = $ROW{$kind}) {
            my ($pattern, $schema) = @$row;
            my @groups = $rest =~ /^(\w+), $pattern, \w+, $string$/ or die "config.def: no such row is known here: $kind($section, $rest)\n";
            my ($key, $help) = (shift @groups, pop @groups);
            $sections{$section}{properties}{$key} = { %{ $schema->(@groups) }, description => $help };
        }
    }
    return \%sections;
}

sub schema {
    my ($old, $definitions) = @_;
    my $json = JSON::PP->new->canonical->pretty->indent_length(2)->space_before(0);
    my $schema = $json->decode($old);
    my $config = $schema->{definitions}{config};
    my %lists = map { ($_ => $config->{properties}{$_}) } qw(services tenants);
    $config->{properties} = { %{ sections($definitions) }, %lists };
    return $json->encode($schema);
}

# --- README.md

# The values that have a comment "# --": name, default, comment.
sub values_of {
    my ($text) = @_;
    my (@rows, @path, $comment);
    for my $line (split /\n/, $text) {
        if ($line =~ /^\s*# -- (.*)/) {
            $comment = $1;
        } elsif (defined $comment && $line =~ /^\s*# (.*)/) {
            $comment .= " $1";
        } elsif ($line =~ /^( *)([\w.]+):\s*(.*?)\s*$/) {
            my ($depth, $key, $value) = (length($1) / 2, $2, $3);
            @path = (@path[0 .. $depth - 1], $key);
            push @rows, [join('.', @path), $value, $comment] if defined $comment;
            undef $comment;
        } else {
            undef $comment;
        }
    }
    return @rows;
}

sub table {
    my ($text) = @_;
    my @lines = ('| value | default | what it is |', '|---|---|---|');
    for my $row (values_of($text)) {
        my ($name, $value, $comment) = @$row;
        my $default = $comment =~ s/\s*\@default -- (.*)// ? $1 : $value eq '' ? 'see values.yaml' : "`$value`";
        push @lines, map { s/(?<!\\)\|(?=\|)/\\|/gr } "| `$name` | $default | $comment |";
    }
    return join '', map { "$_\n" } @lines;
}

sub readme {
    my ($old, $values) = @_;
    my $table = table($values);
    $old =~ s/(<!-- values -->\n).*?(<!-- end of values -->)/$1$table$2/s or die "README.md: the marks of the table are missing\n";
    return $old;
}

# --- both

my %made = (
    "$chart/values.schema.json" => sub { schema($_[0], slurp("$root/replicator/config.def")) },
    "$chart/README.md" => sub { readme($_[0], slurp("$chart/values.yaml")) },
);
my $stale = 0;
for my $file (sort keys %made) {
    my $old = slurp($file);
    my $new = $made{$file}->($old);
    next if $new eq $old;
    if ($check) {
        (my $name = $file) =~ s{.*/charts/}{charts/};
        print "$name is out of date; run tools/kubernetes/chart_files.pl\n";
        $stale = 1;
    } else {
        open my $out, '>', $file or die "$file: $!\n";
        print {$out} $new;
        close $out or die "$file: $!\n";
    }
}
exit $stale;
