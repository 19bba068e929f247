# ---- the command line -------------------------------------------------------------------------------

($TLS, $SERVER_CA, $CLIENT_CA) = ('pki', 'ca', 'ca');

sub usage () {
    print "k0s - a STAND-IN for k0s, for tests and rehearsal of mk8s\n\nCommands:\n",
        "  controller, worker, install, start, stop, reset, status, token, etcd, config, kubeconfig, kubectl, sysinfo, version\n";
}

# What is read by machines is the version alone; what it is stands beside it.
sub version () {
    print "$VERSION\n";
    print STDERR "k0s $VERSION: STAND-IN for tests and rehearsal of mk8s; this is not k0s\n";
}

sub kubectl_of_k0s (@words) {
    my @kept;
    while (@words) {
        my $word = shift @words;
        if ($word =~ /^--data-dir(?:=(.*))?$/) {
            take_data_dir({'data-dir' => $1 // shift @words});
        } else {
            push @kept, $word;
        }
    }
    return kubectl(@kept);
}

sub not_built ($what) {
    print STDERR "k0s $what: stand-in: not built\n";
    exit 1;
}

our %VERBS = (
    controller => \&controller, worker => \&worker, install => \&install_service, start => \&start_service,
    stop => \&stop_service, reset => \&reset_host, status => \&status, token => \&token, etcd => \&etcd,
    config => \&config_verb, kubeconfig => \&kubeconfig_verb, kubectl => \&kubectl_of_k0s, sysinfo => \&sysinfo,
    version => \&version, '--version' => \&version, help => \&usage, '--help' => \&usage, '-h' => \&usage,
);

sub main (@arguments) {
    my $command = shift @arguments // 'help';
    my $verb = $VERBS{$command} or not_built($command);
    return $verb->($command =~ /^(?:start|stop|version|--version|help|--help|-h)$/ ? () : @arguments);
}

main(@ARGV) unless caller;
