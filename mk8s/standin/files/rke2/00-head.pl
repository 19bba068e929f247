#!/usr/bin/perl
# STAND-IN FOR RKE2: for tests and rehearsal of mk8s. It runs no container and no Kubernetes.
#
# One program made of mk8s/standin/files/{base,kine,rancher,rke2}/*.pl, in the order of their names. It needs only
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
our $DISTRO = 'rke2';
our $TITLE = 'RKE2';
our $PORT = 9345;    # the supervisor's
our $HAS_SQLITE = 0;
our $DATA = '/var/lib/rancher/rke2';
our $ETC = '/etc/rancher';
our $RUN = '/run/standin-rke2';
our $LOG = '/var/lib/rancher/rke2/standin-log.jsonl';
our $KUBECONFIG = ($ENV{HOME} // '/root') . '/.kube/config';    # kubectl's own default
our $ROLE = '';      # server, agent; empty in the other commands
our $NODE = '';      # this node's name

# Keys of K3s that RKE2 drops; it says so and goes on.
our $DROPPED = qr/^(?:cluster-init|https-listen-port|supervisor-port|flannel-.*|docker|rootless|
    prefer-bundled-bin|disable-network-policy|disable-helm-controller|no-deploy|secrets-encryption)$/x;
our @CRITICAL = qw(agent-token cluster-cidr cluster-dns cluster-domain disable-cloud-controller
    disable-kube-proxy egress-selector-mode service-cidr);

sub network_plugin ($config) { return word($config, 'cni', 'canal') }
