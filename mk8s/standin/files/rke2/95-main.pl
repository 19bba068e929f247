# ---- the command line -------------------------------------------------------------------------------

sub usage () {
    print "NAME:\n   rke2 - a STAND-IN for Rancher Kubernetes Engine 2, for tests and rehearsal of mk8s\n\n",
        "COMMANDS:\n   server, agent, token generate, --version\n",
        "   standin-config [FLAGS]   print the config as it was understood, as JSON\n";
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
