# ---- the command line -------------------------------------------------------------------------------

sub usage () {
    print "NAME:\n   rke2 - a STAND-IN for Rancher Kubernetes Engine 2, for tests and rehearsal of mk8s\n\n",
        "COMMANDS:\n   server, agent, token generate, --version\n",
        "   standin-config [FLAGS]   print the config as it was understood, as JSON\n";
}

sub version () {
    print "rke2 version $VERSION (STAND-IN for tests and rehearsal of mk8s; this is not RKE2)\n",
        "go version none (perl $^V)\n";
}

sub token (@arguments) {
    return print random_hex(3) . '.' . random_hex(8) . "\n" if ($arguments[0] // '') eq 'generate';
    not_built('token ' . ($arguments[0] // ''));
}

sub not_built ($what) {
    print STDERR "rke2 $what: stand-in: not built\n";
    exit 1;
}

sub main (@arguments) {
    my ($name) = $0 =~ m{([^/]+)$};
    return kubectl(@arguments) if $name eq 'kubectl';
    not_built("($name)") if $name =~ /^(?:crictl|ctr)$/;
    my $command = shift @arguments // 'help';
    return server(@arguments) if $command eq 'server';
    return agent(@arguments) if $command eq 'agent';
    return version() if $command =~ /^(?:--version|-v|version)$/;
    return token(@arguments) if $command eq 'token';
    return kubectl(@arguments) if $command eq 'kubectl';
    return print encode(read_config(@arguments)), "\n" if $command eq 'standin-config';
    return usage() if $command =~ /^(?:help|--help|-h)$/;
    not_built($command);
}

main(@ARGV) unless caller;
