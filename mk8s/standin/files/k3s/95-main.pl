# ---- the command line -------------------------------------------------------------------------------

sub usage () {
    print "NAME:\n   k3s - a STAND-IN for K3s, for tests and rehearsal of mk8s\n\n",
        "COMMANDS:\n   server, agent, kubectl, etcd-snapshot ls, check-config, token generate, --version\n",
        "   standin-config [FLAGS]   print the config as it was understood, as JSON\n";
}

sub etcd_snapshot (@arguments) {
    my $verb = $arguments[0] // '';
    not_built("etcd-snapshot $verb") unless $verb =~ /^(?:ls|list|l)$/;
    $DATA = word(read_config(@arguments[1 .. $#arguments]), 'data-dir', $DATA);
    unless (-e joined_file()) {
        print STDERR "Error: etcd datastore disabled\n";
        exit 1;
    }
    print "Name Location Size Created\n";
}

sub check_config () {
    print "stand-in: nothing of the kernel is looked at\n\nSTATUS: pass\n";
}

sub main (@arguments) {
    my ($name) = $0 =~ m{([^/]+)$};
    return kubectl(@arguments) if $name eq 'kubectl';
    not_built("($name)") if $name =~ /^(?:crictl|ctr|containerd)$/;
    my $command = shift @arguments // 'help';
    return server(@arguments) if $command eq 'server';
    return agent(@arguments) if $command eq 'agent';
    return version() if $command =~ /^(?:--version|-v|version)$/;
    return token(@arguments) if $command eq 'token';
    return kubectl(@arguments) if $command eq 'kubectl';
    return etcd_snapshot(@arguments) if $command eq 'etcd-snapshot';
    return check_config() if $command eq 'check-config';
    return print encode(read_config(@arguments)), "\n" if $command eq 'standin-config';
    return usage() if $command =~ /^(?:help|--help|-h)$/;
    not_built($command);
}

main(@ARGV) unless caller;
