#!/usr/bin/perl
# STAND-IN FOR K0S: for tests and rehearsal of mk8s. It runs no container and no Kubernetes.
#
# One program made of mk8s/standin/files/{base,kine,k0s}/*.pl, in the order of their names. It needs only
# what every Debian host has: perl-base, openssl, gzip, coreutils, util-linux, systemd. docs/standin.md says
# what it imitates and what not. Begin reading at main() in the last part, then controller() and worker().
use v5.20;
use strict;
use warnings;
use feature 'signatures';
no warnings 'experimental::signatures';
use Fcntl qw(:flock :mode O_WRONLY O_CREAT O_APPEND);
use File::Path ();
use IO::Handle;
use IO::Socket::INET;
use IO::Socket::UNIX;
use IPC::Open2 ();
use POSIX ();
use Socket;

our $VERSION = '@VERSION@';
our $BUILT_FOR = '@ARCH@';
our $DISTRO = 'k0s';
our $TITLE = 'k0s';
our $PORT = 9443;        # the join API's
our $API_PORT = 6443;
our $DATA = '/var/lib/k0s';
our $RUN = '/run/standin-k0s';
our $STATUS_SOCKET = '/run/k0s/status.sock';
our $LOG = '/var/lib/k0s/standin-log.jsonl';
our $KUBECONFIG = '/var/lib/k0s/pki/admin.conf';
our $ROLE = '';          # server (a controller), agent (a worker); empty in the other commands
our $NODE = '';          # this node's name

# Minor release -> first patch release with it.
sub has_since (%since) {
    my ($minor, $patch) = $VERSION =~ /^v1\.(\d+)\.(\d+)/;
    my ($newest) = sort { $b <=> $a } keys %since;
    return 1 if $minor > $newest;
    return exists $since{$minor} && $patch >= $since{$minor};
}

sub joins_as_learner () { return has_since(35 => 5, 36 => 1) }
sub retries_to_join () { return has_since(31 => 1) }
