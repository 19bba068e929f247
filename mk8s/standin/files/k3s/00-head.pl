#!/usr/bin/perl
# STAND-IN FOR K3S: for tests and rehearsal of mk8s. It runs no container and no Kubernetes.
#
# One program made of mk8s/standin/files/{base,kine,rancher,k3s}/*.pl, in the order of their names. It needs only
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
our $DISTRO = 'k3s';
our $TITLE = 'K3s';
our $PORT = 6443;    # the supervisor's and the API server's
our $HAS_SQLITE = 1;
our $DATA = '/var/lib/rancher/k3s';
our $ETC = '/etc/rancher';
our $RUN = '/run/standin-k3s';
our $LOG = '/var/lib/rancher/k3s/standin-log.jsonl';
our $KUBECONFIG = '/etc/rancher/k3s/k3s.yaml';
our $ROLE = '';      # server, agent; empty in the other commands
our $NODE = '';      # this node's name

our $DROPPED = qr/^(?!)/;
our @CRITICAL = qw(agent-token cluster-cidr cluster-dns cluster-domain disable-cloud-controller
    disable-helm-controller disable-network-policy disable=servicelb egress-selector-mode embedded-registry
    flannel-backend flannel-external-ip flannel-ipv6-masq secrets-encryption service-cidr);

sub network_plugin ($config) { return word($config, 'flannel-backend', 'vxlan') }
