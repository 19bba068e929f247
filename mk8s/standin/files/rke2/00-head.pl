#!/usr/bin/perl
# STAND-IN FOR RKE2: for tests and rehearsal of mk8s. It runs no container and no Kubernetes.
#
# One program made of the files mk8s/standin/files/rke2/*.pl, in the order of their names. It needs only
# what every Debian host has: perl-base, openssl, coreutils, util-linux. docs/standin.md says what it
# imitates and what not. Begin reading at main() in the last part, then server() and agent().
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
our $DATA = '/var/lib/rancher/rke2';
our $ETC = '/etc/rancher';
our $RUN = '/run/standin-rke2';
our $LOG = '/var/lib/rancher/rke2/standin-log.jsonl';
our $ROLE = '';    # server, agent; empty in the other commands
our $NODE = '';    # this node's name
