#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Each row of a table that users rely on stands in its document: settings, routes, problems, metrics,
# commands and options.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use House;
use Test::More;

# How to find the rows of a table in its text, as the words that the document must hold.
my @TABLES = (
    ['replicator/config.def', 'docs/configuration.md', sub {
        my %seen;
        return grep { !$seen{$_}++ } map { "$_->[0].$_->[1]" } rows($_[0],
            qr/^CONFIG_(?:STRING|NUMBER|POWER|DURATION|BOOL|WORD|LIST)\(\s*(\w+),\s*(\w+),/m);
    }],
    ['admin-api/routes.def', 'docs/api.md', sub {
        return map { "$_->[0] $_->[1]" } rows($_[0], qr/^ROUTE\((\w+),\s*"([^"]+)"/m);
    }],
    ['admin-api/problem.def', 'docs/api.md', sub { return map { $_->[0] } rows($_[0], qr/^PROBLEM\(\w+,\s*"(\w+)"/m) }],
    ['base/metric.def', 'docs/metrics.md', sub { return map { $_->[0] } rows($_[0], qr/^METRIC\(\w+,\s*\w+,\s*"(\w+)"/m) }],
    ['admin-api/ctl/commands.def', 'docs/command-line.md', sub {
        return map { "meshpulse $_->[0]" } rows($_[0], qr/^COMMAND\(\w+,\s*"([\w-]+)"/m);
    }],
    ['admin-api/ctl/options.def', 'docs/command-line.md', sub {
        return map { "--$_->[0]" } rows($_[0], qr/^OPTION\(\w+,\s*(?:'\w'|0),\s*"([\w-]+)"/m);
    }],
);

# All matches of a pattern, each as the list of its groups.
sub rows {
    my ($text, $pattern) = @_;
    my @rows;
    push @rows, [grep { defined } ($1, $2)] while $text =~ /$pattern/g;
    return @rows;
}

# The words that stand nowhere in the document, neither alone nor in a longer name.
sub undocumented {
    my ($document, @words) = @_;
    return grep { $document !~ /(?<![\w.-])\Q$_\E(?![\w-])/ } @words;
}

found('a setting that is not described', undocumented('`node.id` | the name', 'node.id', 'node.zone'));
found('a name that is only part of another', undocumented('`meshpulse_ready_nodes`', 'meshpulse_ready'));
clean('a setting that is described', undocumented('`node.id` | the name', 'node.id'));

for my $table (grep { -f $_->[0] } @TABLES) {
    my ($source, $document, $words) = @$table;
    my @words = $words->(slurp($source));
    ok(@words > 0, "there are rows in $source");
    my $text = -f $document ? slurp($document) : '';
    clean("every row of $source stands in $document", undocumented($text, @words));
}
done_testing();
