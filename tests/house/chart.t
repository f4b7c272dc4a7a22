#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# The chart goes with the program: its version, its settings, and its table of values.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use File::Path qw(make_path);
use File::Temp qw(tempdir);
use House;
use JSON::PP;
use Test::More;

my $chart = 'charts/meshpulse';
my $schema = decode_json(slurp("$chart/values.schema.json"));
my $settings = $schema->{definitions}{config}{properties};

# --- what is made from other files

sub out_of_date {
    my ($tree) = @_;
    return split /\n/, qx($^X tools/kubernetes/chart_files.pl --check $tree);
}

# A tree with the files that matter, each changed by a function.
sub planted {
    my (%change) = @_;
    my $tree = tempdir(CLEANUP => 1);
    for my $file ('replicator/config.def', map { "$chart/$_" } qw(values.yaml values.schema.json README.md)) {
        (my $folder = "$tree/$file") =~ s{/[^/]*$}{};
        make_path($folder);
        open my $out, '>', "$tree/$file" or die "$file: $!";
        my $text = slurp($file);
        print {$out} $change{$file} ? $change{$file}->($text) : $text;
        close $out or die "$file: $!";
    }
    return $tree;
}

found('a new setting', out_of_date(planted('replicator/config.def' => sub {
    $_[0] =~ s/^(CONFIG_SECTION\(log, .*\n)/$1CONFIG_BOOL(log, colour, true, SPINE, "In colours.")\n/mr;
})));
found('another default', out_of_date(planted("$chart/values.yaml" => sub { $_[0] =~ s/IfNotPresent$/Always/mr })));
clean('the files are their own source', out_of_date(planted()));
clean('the schema and the table of values are up to date', out_of_date('.'));

# --- the lists of the configuration, which have no rows in config.def

# The keys in the table below a heading of docs/configuration.md.
sub keys_below {
    my ($heading) = @_;
    my ($section) = slurp('docs/configuration.md') =~ /^## \Q$heading\E\n(.*?)(?=^## |\z)/ms or die "no heading $heading";
    return sort $section =~ /^\| `(\w+)` \|/mg;
}

my $service = $settings->{services}{items}{properties};
for my $row (['tenants', $settings->{tenants}{items}{properties}], ['services', $service],
    ['services[].check', $service->{check}{properties}], ['services[].instances', $service->{instances}{items}{properties}]) {
    my ($heading, $properties) = @$row;
    is_deeply([sort keys %$properties], [keys_below($heading)], "the schema has the keys of $heading");
}

# --- the rest of the values

# The names of all values that the schema knows, settings of the daemon excepted.
sub names {
    my ($node, $prefix) = @_;
    return $prefix if !$node->{properties};
    return map { names($node->{properties}{$_}, "$prefix.$_") } sort keys %{ $node->{properties} };
}

my $readme = slurp("$chart/README.md");
my @names = map { s/^\.//r } names({ properties => $schema->{properties} }, '');
# A row may describe a value as a whole.
sub described {
    my ($name) = @_;
    my @parts = split /\./, $name;
    return grep { my $whole = join '.', @parts[0 .. $_]; $readme =~ /^\| `\Q$whole\E` \|/m } 0 .. $#parts;
}
found('a value that is not described', grep { !described($_) } 'redis.colour');
clean('every value is described', grep { !described($_) } grep { !/^(?:global|enabled)$/ } @names);

my ($version) = slurp('Makefile') =~ /^VERSION := (\S+)$/m;
like(slurp("$chart/Chart.yaml"), qr/^appVersion: "\Q$version\E"$/m, 'the chart installs the program of this version');
done_testing();
