# ---- a server with an external datastore: no etcd, no learners, every server has the same endpoint --

sub use_datastore ($config, $me, $endpoint) {
    ($DATASTORE, my $why) = parse_endpoint($endpoint);
    datastore_fatal($why) unless $DATASTORE;
    $STORE = 'kine';
    unlink state_file(), "$RUN/datastore-seen";
    my $secret = (split_token(token_of($config)))[0];
    $secret = password() unless length $secret;
    my $bootstrap = eval { read_bootstrap($secret) };
    datastore_fatal($@) if $@;
    my $how = $bootstrap ? 'join' : 'init';
    $bootstrap ? take_bootstrap($config, $bootstrap) : make_bootstrap($config, $me);
    change_state(sub ($state) {
        my $mine = $state->{members}{$NODE} //= {
            id => random_hex(8), name => $NODE, learner => '', order => ++$state->{joins}, since => time,
        };
        $how = 'resume' if $mine->{ip};
        $mine->{ip} = $me->{ip};
    });
    return $how;
}

sub datastore_fatal ($why) {
    chomp $why;
    my $where = $why =~ /encrypted with different token/ ? '' : 'creating storage endpoint: building kine: ';
    fatal("starting kubernetes: preparing server: $where$why");
}

sub take_bootstrap ($config, $bootstrap) {
    compare_critical($config, $bootstrap->{critical});
    make_folder(tls(''), 0700);
    spew(tls($_), $bootstrap->{files}{$_}, /key$/ ? 0600 : 0644) for keys %{$bootstrap->{files}};
    write_tokens($bootstrap->{password}, $bootstrap->{agent_token});
    refresh_from_datastore() or datastore_fatal('failed to get bootstrap data: the first server is not ready yet');
}

# The first server. Whoever finds that another one was quicker ends, and reads those data at its next start.
sub make_bootstrap ($config, $me) {
    make_cluster_files($config);
    my %files = map { $_ => slurp(tls($_)) } map { ("$_.crt", "$_.key") } authorities();
    pump(setting('START_SECONDS', 1.5) / 3);
    my $written = eval {
        write_bootstrap(password(), {
            files => \%files, password => password(), agent_token => agent_token_given(),
            critical => critical($config),
        });
    };
    datastore_fatal($@) if $@;
    unless ($written) {
        event('bootstrap-lost');
        fatal('starting kubernetes: preparing server: bootstrap key already exists');
    }
    my $state = new_state($config, $me);
    change_state(sub ($mine) { %$mine = (%$state, members => {}, joins => 0) });
    event('cluster-init', cluster => $state->{cluster}, store => $STORE);
}
