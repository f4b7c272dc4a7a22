#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# tap_total.pl DIRECTORY SKIPS [BROKEN_STAGE]...: sums the TAP files below DIRECTORY and prints
# "N passed, N failed, N skipped" as its last line.  A stage that broke counts as one failure where its TAP
# shows none, and so does a skip whose reason does not stand in SKIPS.  Exits 0 only if nothing failed.
use strict;
use warnings;
use File::Find;

my ($directory, $skips, @broken) = @ARGV;
my (%count, %failed_in, @allowed);
$count{$_} = 0 for qw(passed failed skipped);

open my $list, '<', $skips or die "$skips: $!\n";
while (<$list>) {
    push @allowed, $1 if /^(?!#)(\S.*?) -- \S/;
}

sub skip {
    my ($file, $reason) = @_;
    $count{skipped}++;
    return if grep { index($reason, $_) == 0 } @allowed;
    print "skipped without leave: $file: $reason\n";
    $count{failed}++;
    return;
}

sub read_tap {
    my ($file) = @_;
    my ($planned, $seen) = (undef, 0);
    open my $in, '<', $file or die "$file: $!\n";
    while (<$in>) {
        $planned = $1 if /^1\.\.(\d+)/;
        if (/^1\.\.0\s*#\s*skip\S*\s*(.*)/i) {
            skip($file, $1);
        } elsif (/^ok\b[^#]*#\s*skip\S*\s*(.*)/i) {
            $seen++;
            skip($file, $1);
        } elsif (/^(not )?ok\b/) {
            $seen++;
            $count{$1 ? 'failed' : 'passed'}++;
            print "failed: $file: $_" if $1;
        }
    }
    my $missing = defined $planned ? $planned - $seen : 1;
    print "ended early: $file\n" if $missing;
    $count{failed} += abs $missing;
    return;
}

find({ no_chdir => 1, wanted => sub { read_tap($_) if -f } }, $directory) if -d $directory;
$count{failed} ||= @broken;
print "$count{passed} passed, $count{failed} failed, $count{skipped} skipped\n";
exit($count{failed} ? 1 : 0);
