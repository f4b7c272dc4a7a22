#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# The systemd unit as it is installed: systemd knows every word of it, and finds it locked down.
use strict;
use warnings;
use Cwd qw(abs_path);
use File::Basename qw(dirname);
use FindBin;
use lib "$FindBin::Bin/../integration/lib";
use Mesh;
use Test::More;

chdir abs_path(dirname(__FILE__) . '/../..') or die "chdir: $!";
system('tools/apt.sh systemd >&2') == 0 or die 'apt.sh';

# verify looks for the program that the unit names: it is installed under a prefix of the test's own.
my $prefix = work_dir() . '/prefix';
delete @ENV{qw(MAKEFLAGS MFLAGS MAKELEVEL)}; # the test may run below a make whose job server is not for ours
my ($status, $out, $err) = run_program('make', '-s', 'install', "PREFIX=$prefix", "SYSCONFDIR=$prefix/etc", "UNITDIR=$prefix/unit", 'MAKEFLAGS=');
is($status, 0, 'it is installed') or diag $out, $err;
my $unit = "$prefix/unit/meshpulse.service";

# An unknown word is told, yet the status is 0.
sub verify {
    my (undef, $told, $complaint) = run_program('systemd-analyze', 'verify', $_[0]);
    return $told . $complaint;
}

is(verify($unit), '', 'systemd has nothing to say about it');
mkdir work_dir() . '/wrong' or die "mkdir: $!";
my $wrong = write_file(work_dir() . '/wrong/meshpulse.service', read_file($unit) =~ s/^WatchdogSec=/WatchDog=/mr);
like(verify($wrong), qr/Unknown key.* 'WatchDog'/, 'but it would');

# In tenths; whoever adds a setting that gives rights must take others away.
sub exposure {
    return run_program('systemd-analyze', 'security', '--offline=true', '--no-pager', '--threshold=20', $_[0]);
}

($status, $out, $err) = exposure($unit);
is($status, 0, 'its exposure is at most 2.0') or diag $out, $err;
like($out, qr/Overall exposure level for meshpulse\.service: [01]\.\d /, 'and it is told');
note $out =~ /(Overall.*)/;
write_file($wrong, read_file($unit) =~ s/^(?:DynamicUser|CapabilityBoundingSet|SystemCallFilter)=.*\n//mgr);
isnt((exposure($wrong))[0], 0, 'with less it would be more');
done_testing();
