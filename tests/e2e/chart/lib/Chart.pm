# SPDX-License-Identifier: Apache-2.0
# What the tests of the chart share: the programs of tools/kubernetes/provide.sh, and how they are run.
package Chart;
use strict;
use warnings;
use Cwd qw(abs_path);
use Exporter 'import';
use File::Basename qw(dirname);
use JSON::PP;
use Mesh;
use Time::HiRes qw(time);

our @EXPORT = qw(top tool have run run_ok json_of examples config_of);

my $top = abs_path(dirname(__FILE__) . '/../../../..');
# Neither another cluster nor another user's repositories and plugins may have a part in this.
$ENV{KUBECONFIG} = '/dev/null';
$ENV{"HELM_$_"} = work_dir() . '/helm' for qw(CACHE_HOME CONFIG_HOME DATA_HOME);

sub top { return $top }
sub tool { my ($name) = @_; return "$top/build/kubernetes/$name" }
sub have { my ($name) = @_; return -x tool($name) }

# Runs a program for at most a minute and a half.  Returns {status, out, err, seconds}.
my $runs = 0;
sub run {
    my (@command) = @_;
    $runs++;
    my ($out, $err) = map { work_dir() . "/command$runs.$_" } qw(out err);
    my $began = time;
    my $status = reap_within(90, spawn($out, $err, @command));
    return { status => $status // 'hangs', out => read_file($out), err => read_file($err), seconds => time - $began,
        command => "@command" };
}

# The output of a program that must succeed.
sub run_ok {
    my $run = run(@_);
    die "$run->{command}: status $run->{status}: $run->{err}" if $run->{status} ne '0';
    return $run->{out};
}

sub json_of { return decode_json(run_ok(@_)) }

# The values that we show to users: name -> file.
sub examples {
    my %files = map { m{([^/]+)\.yaml$} ? ($1 => $_) : () } glob "$top/examples/kubernetes/*.yaml";
    return %files;
}

# The daemon's configuration in a rendered chart.
sub config_of {
    my ($manifests) = @_;
    my ($block) = $manifests =~ /^  meshpulse\.yaml: \|\n((?:    .*\n|\n)+)/m or die "no configuration in $manifests";
    $block =~ s/^    //mg;
    return $block;
}

1;
