# ---- the server -------------------------------------------------------------------------------------

sub server (@arguments) {
    my ($config, $me) = begin('server', @arguments);
    my $pause = setting('START_SECONDS', 1.5) / 3;
    load_images();
    unpack_runtime();
    pump($pause);
    my $how = bring_up_datastore($config, $me);
    make_certificates($config, $me->{ip});
    listen_on('0.0.0.0', $PORT, \&serve_tls, $PORT == 9345 ? \&supervisor : \&one_port);
    info('Running kube-apiserver (stand-in)');
    pump($pause);
    listen_on('0.0.0.0', 6443, \&serve_tls, \&api) if $PORT == 9345;
    spew("$RUN/api", "serving\n");
    listen_on('127.0.0.1', 2381, \&serve_plain, \&etcd_health) if $STORE eq 'etcd';
    pump($pause);
    register_server($me);
    write_kubeconfig($config);
    event('ready', how => $how, cluster => state_now()->{cluster});    # whoever sees it ready finds it written
    spew("$RUN/ready", "ready\n");
    info("$DISTRO is up and running");
    notify_systemd("READY=1\nSTATUS=stand-in for $TITLE $VERSION: server is ready");
    live($me, sub { cluster_write('/v1-standin/node-ready', encode(who($me))) });
}

sub etcd_health ($request) { return (200, '{"health":"true","reason":""}', 'application/json') }

# What both roles do first. Returns the config and what others must know of this node.
sub begin ($role, @arguments) {
    fatal("must run as root: $DISTRO $role") if $>;
    my $config = read_config(@arguments);
    $ROLE = $role;
    $PORT = word($config, 'https-listen-port', $PORT);
    $DATA = word($config, 'data-dir', $DATA);
    make_folder("/var/lib/rancher/$DISTRO");
    make_folder($DATA);
    make_folder("$RUN/leases", 0700);
    hold_lock();
    unlink "$RUN/ready", "$RUN/api";
    spew("$RUN/started", time);
    $NODE = node_name($config);
    info("Starting $DISTRO $VERSION (STAND-IN for tests and rehearsal of mk8s; this is not $TITLE)");
    warning('not running in CIS mode') unless word($config, 'profile');
    event('start', boot => (slurp('/proc/sys/kernel/random/boot_id') // '') =~ s/\s//gr);
    $SIG{TERM} = $SIG{INT} = sub { info('Shutting down'); event('stop'); POSIX::_exit(0) };
    $SIG{PIPE} = 'IGNORE';
    my $me = {
        name => $NODE, role => $role, ip => node_ip($config), version => $VERSION,
        password => sha256(node_password()), arch => machine(), os => os_name(), kernel => (POSIX::uname())[2],
        labels => [words($config->{'node-label'})], taints => [words($config->{'node-taint'})],
        roles => $role eq 'server' ? roles_of($config) : [],
    };
    listen_for_heartbeats();
    return ($config, $me);
}

sub node_name ($config) {
    my $name = lc word($config, 'node-name', (POSIX::uname())[1]);
    $name .= '-' . substr sha256(node_password()), 0, 8 if is_true($config, 'with-node-id');
    $name =~ /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/ or fatal("invalid node name $name");
    return $name;
}

sub node_ip ($config) {
    my ($given) = split /,/, word($config, 'node-ip');
    return $given if defined $given and length $given;
    my $socket = IO::Socket::INET->new(PeerHost => '192.0.2.1', PeerPort => 9, Proto => 'udp');
    return $socket->sockhost if $socket;
    my ($first) = split ' ', `hostname -I 2>/dev/null`;
    return $first // fatal('failed to find a node IP: no default routes found');
}

sub node_password () {
    my $path = "$ETC/node/password";
    make_folder("$ETC/node");
    spew($path, random_hex(16) . "\n") unless -e $path;
    chomp(my $password = slurp($path));
    return $password;
}

sub machine () {
    my $machine = (POSIX::uname())[4];
    return {x86_64 => 'amd64', aarch64 => 'arm64'}->{$machine} // $machine;
}

sub os_name () { return (slurp('/etc/os-release') // '') =~ /^PRETTY_NAME="?([^"\n]*)/m ? $1 : 'Linux' }

sub who ($me) { return {name => $me->{name}, password => $me->{password}} }

# The labels node-role.kubernetes.io/... of a server; etcd only where it runs one.
sub roles_of ($config) {
    my @roles = is_true($config, 'disable-apiserver') ? () : qw(control-plane master);
    return [@roles, is_true($config, 'disable-etcd') ? () : 'etcd'];
}

# ---- the ways to have a datastore: it is on the disk, another server has it, it is made, it is outside
sub state_file () {
    return "$RUN/datastore.json" if $STORE eq 'kine';
    return "$DATA/server/db/" . ($STORE eq 'sqlite' ? 'state.db' : 'etcd/state.json');
}

sub sqlite_file () { return "$DATA/server/db/state.db" }
sub joined_file () { return "$DATA/server/db/etcd/joined" }

sub bring_up_datastore ($config, $me) {
    my ($url, $endpoint) = (word($config, 'server'), word($config, 'datastore-endpoint'));
    if (has_data() and -e joined_file()) {
        warning('datastore-endpoint is not used: etcd data exist on disk') if length $endpoint;
        return resume($config, $me);
    }
    unlink state_file();
    return use_datastore($config, $me, $endpoint) if length $endpoint;
    return convert($config, $me) if is_true($config, 'cluster-init') and -e sqlite_file();
    return join_cluster($config, $me, $url) if length $url;
    $STORE = 'sqlite' if $HAS_SQLITE and !is_true($config, 'cluster-init');
    return $STORE eq 'sqlite' && has_data() ? resume($config, $me) : init_cluster($config, $me);
}

sub critical ($config) {
    my %all = map { $_ => word($config, $_) } grep { !/=/ } @CRITICAL;
    for my $pair (grep { /=/ } @CRITICAL) {
        my ($key, $item) = split /=/, $pair;
        $all{$pair} = (grep { $_ eq $item } words($config->{$key})) ? 'true' : '';
    }
    return \%all;
}

sub init_cluster ($config, $me) {
    make_cluster_files($config);
    my $state = new_state($config, $me);
    change_state(sub ($mine) { %$mine = %$state });
    if ($STORE eq 'etcd') {
        spew(joined_file(), "$state->{cluster}\n");
        info('Starting etcd for new cluster, cluster-reset=false');
    } else {
        info('Configuring sqlite3 database connection pooling (stand-in)');
    }
    event('cluster-init', cluster => $state->{cluster}, store => $STORE);
    return 'init';
}

sub make_cluster_files ($config) {
    my $token = token_of($config);
    fatal('starting kubernetes: preparing server: token CA hash does not match the Cluster CA certificate hash: '
        . 'a first server takes the short form of a token') if $token =~ /^K10/;
    make_authorities();
    write_tokens(length $token ? $token : random_hex(16), token_of($config, 'agent-token'));
}

sub new_state ($config, $me) {
    return {
        cluster => random_hex(8), rev => 0, joins => 1, nodes => {}, passwords => {}, critical => critical($config),
        cni => network_plugin($config), store => $STORE, members => {$NODE => first_member($me)},
    };
}

sub first_member ($me) {
    return {id => random_hex(8), name => $NODE, ip => $me->{ip}, learner => '', order => 1, since => time};
}

# K3s' way from SQLite to etcd: cluster-init is added to a server that has data.
sub convert ($config, $me) {
    my $state = decode(slurp(sqlite_file()) // '') // fatal('starting kubernetes: preparing server: '
        . 'cannot read ' . sqlite_file() . ' (stand-in)');
    info('Migrating content from sqlite to etcd');
    @$state{qw(store members)} = ('etcd', {$NODE => first_member($me)});
    change_state(sub ($mine) { %$mine = %$state });
    spew(joined_file(), "$state->{cluster}\n");
    rename sqlite_file(), sqlite_file() . '.migrated';
    event('converted', cluster => $state->{cluster}, from => 'sqlite');
    return 'convert';
}

sub write_tokens ($password, $agent_password) {
    make_folder("$DATA/server", 0700);
    my $hash = sha256(slurp(tls('server-ca.crt')));
    spew("$DATA/server/token", "K10${hash}::server:$password\n");
    unlink "$DATA/server/agent-token", "$DATA/server/node-token";
    symlink "$DATA/server/token", "$DATA/server/node-token";
    if (length $agent_password and $agent_password ne $password) {
        spew("$DATA/server/agent-token", "K10${hash}::node:$agent_password\n");
    } else {
        symlink "$DATA/server/token", "$DATA/server/agent-token";
    }
}

sub resume ($config, $me) {
    my $token = token_of($config);
    fatal('starting kubernetes: preparing server: bootstrap data already found and encrypted with different token')
        if length $token and (split_token($token))[0] ne password();
    info('Managed etcd cluster is already initialized; the server address in the config is not used')
        if word($config, 'server');
    for my $other (grep { $_->{name} ne $NODE } members()) {
        last if pull($other->{ip});
    }
    return 'resume' if member($NODE) or is_true($config, 'disable-etcd');
    my $found = join ' ', map { "$_->{name}=https://$_->{ip}:2380" } members();
    fatal("this server is not a member of the etcd cluster. Found [$found], expect: $NODE=https://$me->{ip}:2380");
}

sub address_of ($url) {
    my ($host, $port) = $url =~ m{^https://([^/:]+)(?::(\d+))?/?$};
    fatal("invalid server url, need an https:// address: $url") unless $host;
    return ($host, $port // 443);
}

# Returns the CA certificate of the cluster at $host, or dies with what the engine says.
sub fetch_authority ($host, $port, $token) {
    my ($status, $pem, $why) = ask(GET => $host, $port, '/cacerts', timeout => 3);
    die qq(failed to get CA certs: Get "https://$host:$port/cacerts": $why\n) unless $status;
    die "failed to get CA certs: https://$host:$port/cacerts: $status $REASON{$status}\n" if $status != 200;
    my ($password, $expected) = split_token($token);
    my $hash = sha256($pem);
    return ($pem, $password) if $expected eq '' or $expected eq $hash;
    die "token CA hash does not match the Cluster CA certificate hash: $expected != $hash\n";
}

sub join_cluster ($config, $me, $url) {
    my $token = token_of($config);
    fatal('--token is required to join a cluster') unless length $token;
    my ($host, $port) = address_of($url);
    event('join-begin', server => $url);
    my ($pem, $password) = eval { fetch_authority($host, $port, $token) };
    fatal('starting kubernetes: preparing server: ' . ($@ =~ s/\n//r)) if $@;
    make_folder(tls(''), 0700);
    spew(tls('server-ca.crt'), $pem, 0644);
    my $bootstrap = fetch_bootstrap($host, $port, $password);
    compare_critical($config, $bootstrap->{critical});
    spew(tls($_), $bootstrap->{files}{$_}, /key$/ ? 0600 : 0644) for keys %{$bootstrap->{files}};
    write_tokens($password, $bootstrap->{agent_token});
    if (is_true($config, 'disable-etcd')) {
        pump(2) until pull($host);
    } else {
        become_learner($me, $host, $port);
        wait_for_promotion($host, $port);
    }
    spew(joined_file(), "$bootstrap->{cluster}\n");
    event('join-promoted', cluster => $bootstrap->{cluster});
    return 'join';
}

sub fetch_bootstrap ($host, $port, $password) {
    my $path = "/v1-$DISTRO/server-bootstrap";
    my ($status, $body, $why) = ask(GET => $host, $port, $path, ca => tls('server-ca.crt'), auth => "server:$password");
    fatal("starting kubernetes: preparing server: https://$host:$port$path: "
        . ($status ? "$status $REASON{$status}" : $why)) if $status != 200;
    my $bootstrap = decode($body);
    return $bootstrap if $bootstrap and $bootstrap->{ready};
    fatal("starting kubernetes: preparing server: https://$host:$port$path: 503 Service Unavailable");
}

sub compare_critical ($config, $theirs) {
    my $mine = critical($config);
    my @different = grep { $mine->{$_} ne ($theirs->{$_} // '') } sort keys %$mine;
    return unless @different;
    fatal('starting kubernetes: preparing server: failed to validate server configuration: '
        . "critical configuration value mismatch between servers: @different");
}

# Ask until the cluster takes this server as a learner: it takes one at a time.
sub become_learner ($me, $host, $port) {
    my $body = encode({name => $NODE, ip => $me->{ip}, id => substr $me->{password}, 0, 16});
    my $refused = 0;
    while (1) {
        my ($status, $answer, $why) = ask(POST => $host, $port, '/v1-standin/member', ca => tls('server-ca.crt'),
            auth => 'server:' . password(), body => $body);
        if ($status == 200) {
            adopt(decode($answer));
            info("Adding member $NODE=https://$me->{ip}:2380 to etcd cluster as learner");
            return event('join-learner');
        }
        my $reason = $status ? $answer : $why;
        event('join-refused', reason => $reason) unless $refused++;
        my $tries_again = $reason !~ /duplicate node name|not etcd but/ && setting('LEARNER_CONFLICT', 'retry') eq 'retry';
        fatal("ETCD join failed: $reason") unless $tries_again;
        info("Waiting for other members to finish joining etcd cluster: $reason");
        pump(1);
    }
}

sub wait_for_promotion ($host, $port) {
    my $is_voter = sub { my $member = member($NODE); return $member && !$member->{learner} };
    until (pump(3, $is_voter)) {    # the leader tells; this is for the case that nobody does
        my $state = pull($host);
        next unless $state;
        fatal('etcdserver: the member has been removed from the cluster') unless $state->{members}{$NODE};
        info('Waiting for this learner to be promoted to a voting member');
    }
}

sub register_server ($me) {
    while (1) {
        my ($status, $answer) = cluster_write('/v1-standin/node', encode($me));
        return info("Node $NODE registered") if $status == 200;
        info("Waiting to retrieve agent configuration; server is not ready: $answer");
        pump(2);
    }
}

# From READY on: the node becomes Ready once its network is there, then only time passes.
sub live ($me, $report) {
    pump(setting('READY_SECONDS', 1));
    my $cni = $ROLE eq 'server' ? state_now()->{cni} : $AGENT->{cni};
    if (($cni // '') ne 'none') {
        while (1) {
            my ($status, $answer) = $report->();
            last if $status == 200;
            complain("Unable to update node status: $answer");
            pump(2);
        }
        event('node-ready');
    }
    pump(3600) while 1;
}

sub write_kubeconfig ($config) {
    my $path = word($config, 'write-kubeconfig', "$ETC/$DISTRO/$DISTRO.yaml");
    my $mode = word($config, 'write-kubeconfig-mode', '0600');
    $path =~ m|^(.*)/| and make_folder($1);
    my $port = $PORT == 9345 ? 6443 : $PORT;
    my $text = kubeconfig("https://127.0.0.1:$port", map { slurp(tls($_)) }
        "$SERVER_CA.crt", qw(client-admin.crt client-admin.key));
    spew($path, $text, $mode =~ /^0?[0-7]{3,4}$/ ? oct $mode : 0600);
    info("Wrote kubeconfig $path");
}
