# ---- k0s controller ----------------------------------------------------------------------------------

our $CONFIG = {};       # k0s.yaml
our $FLAGS = {};
our $WORKS = 0;         # this process has a worker

sub state_file () {
    return "$RUN/datastore.json" if $STORE eq 'kine';
    return $STORE eq 'sqlite' ? "$DATA/db/state.db" : "$DATA/etcd/member/snap/db";
}

sub controller (@arguments) {
    ($FLAGS) = parse_words({flags_of_service('controller')}, @arguments);
    my $path = $FLAGS->{config} // '/etc/k0s/k0s.yaml';
    ($CONFIG, my @faults) = read_cluster_config($path, defined $FLAGS->{config});
    plain_fatal($faults[0]) if @faults;
    $WORKS = $FLAGS->{'enable-worker'} || $FLAGS->{single};
    my $me = begin('server', 'controller', at($CONFIG, qw(spec api address)), @arguments);
    choose_store();
    my $pause = setting('START_SECONDS', 1.5) / 3;
    pump($pause);
    my $how = bring_up($me, $pause);
    write_admin_files($me);
    listen_on('0.0.0.0', $API_PORT, \&serve_tls, \&k0s_api);
    listen_on('0.0.0.0', $PORT, \&serve_tls, \&join_api);
    listen_on('0.0.0.0', at($CONFIG, qw(spec konnectivity agentPort)) // 8132, \&serve_nothing, undef);
    pump($pause);
    pump(0.3) until has_quorum();
    event('ready', how => $how, cluster => state_now()->{cluster});    # whoever sees it ready finds it written
    spew("$RUN/ready", "ready\n");
    info('kube-apiserver (stand-in) is ready');
    $WORKS ? live_as_node($me) : eval { pump(3600) while 1 };
}

# What both kinds do first. Returns what others must know of this node.
sub begin ($role, $word, $address, @arguments) {
    plain_fatal("this command must be run as root!") if $>;
    ($ROLE, $ROLE_WORD{$role}) = ($role, $word);
    $DATA = $FLAGS->{'data-dir'} // $DATA;
    $STATUS_SOCKET = $FLAGS->{'status-socket'} // $STATUS_SOCKET;
    $LOG = "$DATA/standin-log.jsonl";
    make_folder($DATA);
    make_folder("$RUN/leases", 0700);
    hold_lock();
    unlink "$RUN/ready";
    spew("$RUN/started", time);
    my %kubelet = map { /^--([\w-]+)=(.*)$/ ? ($1 => $2) : () } split ' ', $FLAGS->{'kubelet-extra-args'} // '';
    $NODE = lc($kubelet{'hostname-override'} // (POSIX::uname())[1]);
    info("k0s $VERSION (STAND-IN for tests and rehearsal of mk8s; this is not k0s) runs as $word");
    event('start', boot => (slurp('/proc/sys/kernel/random/boot_id') // '') =~ s/\s//gr);
    $SIG{TERM} = $SIG{INT} = sub { info('Shutting down'); event('stop'); unlink $STATUS_SOCKET; POSIX::_exit(0) };
    $SIG{PIPE} = 'IGNORE';
    $NEEDS_QUORUM = 1;
    serve_status($word, @arguments);
    listen_for_heartbeats();
    return {
        name => $NODE, ip => $address // $kubelet{'node-ip'} // first_ip(), role => $role, roles => [],
        version => $VERSION =~ s/\+k0s.*/+k0s/r, arch => machine(), os => os_name(), kernel => (POSIX::uname())[2],
        labels => [labels_wanted()], taints => [taints_wanted()],
    };
}

sub first_ip () {
    my $socket = IO::Socket::INET->new(PeerHost => '192.0.2.1', PeerPort => 9, Proto => 'udp');
    return $socket->sockhost if $socket;
    my ($first) = split ' ', `hostname -I 2>/dev/null`;
    return $first // plain_fatal('failed to determine the IP address of this host');
}

sub machine () {
    my $machine = (POSIX::uname())[4];
    return {x86_64 => 'amd64', aarch64 => 'arm64'}->{$machine} // $machine;
}

sub os_name () { return (slurp('/etc/os-release') // '') =~ /^PRETTY_NAME="?([^"\n]*)/m ? $1 : 'Linux' }

sub labels_wanted () {
    my @given = split /,/, $FLAGS->{labels} // '';
    return ($ROLE eq 'server' ? 'node.k0sproject.io/role=control-plane' : (), @given);
}

sub taints_wanted () {
    my @given = split /,/, $FLAGS->{taints} // '';
    return @given if $ROLE ne 'server' or $FLAGS->{single} or $FLAGS->{'no-taints'};
    my ($minor) = $VERSION =~ /^v1\.(\d+)/;
    return ('node-role.kubernetes.io/' . ($minor >= 33 ? 'control-plane' : 'master') . ':NoSchedule', @given);
}

sub serve_status ($word, @arguments) {
    make_folder($STATUS_SOCKET =~ s{/[^/]+$}{}r);
    unlink $STATUS_SOCKET;
    my $socket = IO::Socket::UNIX->new(Local => $STATUS_SOCKET, Listen => 16) or plain_fatal("listen unix $STATUS_SOCKET: " . lc $!);
    my ($pid, $parent) = ($$, getppid);
    $LISTEN{fileno $socket} = [$socket, \&serve_plain, sub ($request) {
        return (200, '{"healthProbes":{},"events":{}}', 'application/json') if $request->{path} eq '/components';
        return (200, encode({
            Version => $VERSION, Pid => number($pid), PPid => number($parent), SysInit => 'linux-systemd',
            Role => $word . ($ROLE eq 'server' && $WORKS ? '+worker' : ''), StubFile => "/etc/systemd/system/k0s$word.service",
            Workloads => $ROLE eq 'agent' || $WORKS ? \1 : \0, SingleNode => $FLAGS->{single} ? \1 : \0, Output => '',
            Args => ['k0s', $word, @arguments], DynamicConfig => \0, ClusterConfig => undef,
            WorkerToAPIConnectionStatus => {Message => '', Success => -e "$DATA/kubelet.conf" ? \1 : \0},
            K0sVars => {DataDir => $DATA, AdminKubeConfigPath => "$DATA/pki/admin.conf"}, StandIn => \1,
        }), 'application/json');
    }];
}

# ---- where the cluster's state is
sub choose_store () {
    $PORT = at($CONFIG, qw(spec api k0sApiPort)) // $PORT;
    $API_PORT = at($CONFIG, qw(spec api port)) // $API_PORT;
    my $type = at($CONFIG, qw(spec storage type)) // ($FLAGS->{single} ? 'kine' : 'etcd');
    not_built('spec.storage.etcd.externalCluster') if at($CONFIG, qw(spec storage etcd externalCluster));
    return if $type eq 'etcd';
    my $source = at($CONFIG, qw(spec storage kine dataSource)) // 'sqlite://';
    return $STORE = 'sqlite' if $source =~ /^sqlite/;
    ($DATASTORE, my $why) = parse_endpoint($source);
    plain_fatal("failed to create kine component: $why") unless $DATASTORE;
    $STORE = 'kine';
}

sub is_joined () {
    return 0 unless -e tls('ca.key') and -e tls('ca.crt');
    return $STORE ne 'etcd' || has_data();
}

sub bring_up ($me, $pause) {
    make_folder(tls(''), 0700);
    with_kine() if $STORE eq 'kine';
    return resume($me, $pause) if is_joined();
    my $token = read_join_token('controller-bootstrap');
    return $token ? join_cluster($me, $token, $pause) : init_cluster($me);
}

sub with_kine () {
    unlink state_file(), "$RUN/datastore-seen";
    eval { with_datastore(sub ($pg) { eval { pg_query($pg, $KINE_SCHEMA) }; return 1 }) };
    plain_fatal('failed to start controller node components: failed to start kine: ' . ($@ =~ s/\n//r)) if $@;
    refresh_from_datastore();
}

sub init_cluster ($me) {
    unless (-e tls('ca.key')) {    # the user's own CA stays
        make_authorities();
        openssl('genrsa', '-out', tls('sa.key'), '2048');
        openssl('rsa', '-in', tls('sa.key'), '-pubout', '-out', tls('sa.pub'));
    }
    my $cluster = random_hex(8);
    change_state(sub ($state) {
        %$state = (
            cluster => $cluster, rev => 0, joins => 1, nodes => {}, passwords => {}, tokens => {}, store => $STORE,
            standin => 'a document of the stand-in for k0s, not etcd\'s', cni => cni_wanted(),
            repository => at($CONFIG, qw(spec images repository)) // '', single => $FLAGS->{single} ? 1 : '',
            members => {$NODE => first_member($me)},
        );
    });
    event('cluster-init', cluster => $cluster, store => $STORE);
    return 'init';
}

sub cni_wanted () { return (at($CONFIG, qw(spec network provider)) // 'kuberouter') eq 'custom' ? 'none' : 'kuberouter' }

sub first_member ($me) {
    return {
        id => random_hex(8), name => $NODE, ip => peer_ip($me), learner => '', order => 1, since => time, started => time,
    };
}

sub peer_ip ($me) { return at($CONFIG, qw(spec storage etcd peerAddress)) // $me->{ip} }

# Back after a restart; a join that was cut off after MemberAdd goes on.
sub resume ($me, $pause) {
    if ($STORE eq 'etcd') {
        for my $other (grep { $_->{name} ne $NODE } members()) {
            last if pull($other->{ip});
        }
        plain_fatal('etcdserver: the member has been permanently removed from the cluster') unless member($NODE);
        start_etcd($me, $pause) unless member($NODE)->{started};
        return 'resume';
    }
    change_state(sub ($state) { $state->{members}{$NODE} //= {%{first_member($me)}, order => ++$state->{joins}} });
    return 'resume';
}

# ---- joining
# The token's file is read only where it is needed. undef: there is none, or it is empty.
sub read_join_token ($wanted) {
    my $path = $FLAGS->{'token-file'} // return undef;
    my $text = slurp($path) // plain_fatal("failed to read token file \"$path\": open $path: no such file or directory");
    $text =~ s/\s+//g;
    return undef unless length $text;
    my $kubeconfig = filter(unbase64($text), 'sh', '-c', 'exec gzip -dc 2>/dev/null');
    my ($url) = $kubeconfig =~ /^\s*server:\s*"?(https:[^"\s]+)/m;
    my ($authority) = $kubeconfig =~ /^\s*certificate-authority-data:\s*(\S+)/m;
    my ($token) = $kubeconfig =~ /^\s*token:\s*"?([a-z0-9]{6}\.[a-z0-9]{16})/m;
    my ($type) = $kubeconfig =~ /^- name:\s*(\S+-bootstrap)/m;
    plain_fatal('failed to decode token: gzip: invalid header') unless $url and $authority and $token;
    plain_fatal("wrong token type $type, expected type: $wanted") if ($type // '') ne $wanted;
    my ($host, $port) = $url =~ m{^https://\[?([^/\]]+?)\]?(?::(\d+))?/?$};
    spew("$RUN/join-ca.crt", unbase64($authority), 0644);
    return {host => $host, port => $port // 443, token => $token, url => $url};
}

sub ask_token ($token, $method, $path, $body = undef) {
    return ask($method, $token->{host}, $token->{port}, $path, ca => "$RUN/join-ca.crt", body => $body,
        headers => ["Authorization: Bearer $token->{token}"]);
}

sub join_cluster ($me, $token, $pause) {
    event('join-begin', server => $token->{url});
    my ($status, $body, $why) = ask_token($token, GET => '/v1beta1/ca');
    plain_fatal('failed to join a cluster: ' . ($status ? "unexpected response status: $status $REASON{$status}"
        : qq(Get "$token->{url}/v1beta1/ca": $why))) if $status != 200;
    my $bootstrap = decode($body);
    spew(tls($_), $bootstrap->{files}{$_}, /key$/ ? 0600 : 0644) for keys %{$bootstrap->{files}};
    return resume($me, $pause) && 'join' if $STORE ne 'etcd';
    become_member($me, $token);
    start_etcd($me, $pause);
    event('join-promoted', cluster => $bootstrap->{cluster});
    return 'join';
}

# The etcd step. Old releases try once; later ones ten times, with pauses of one second that double.
sub become_member ($me, $token) {
    my $body = encode({name => $NODE, ip => peer_ip($me), id => random_hex(8)});
    my ($tries, $wait, $reason) = (retries_to_join() ? 10 : 1, setting('JOIN_RETRY_SECONDS', 1), '');
    for my $try (1 .. $tries) {
        my ($status, $answer, $why) = ask_token($token, POST => '/v1beta1/etcd/members', $body);
        if ($status == 200) {
            adopt(decode($answer));
            return event(joins_as_learner() ? 'join-learner' : 'join-member');
        }
        event('join-refused', reason => $status ? $answer : $why);
        $reason = $status ? "unexpected response status when trying to join etcd cluster: $status $REASON{$status}" : $why;
        complain("Failed to join etcd cluster: $reason ($answer)");
        pump($wait) if $try < $tries;
        $wait = $wait * 2 > 60 ? 60 : $wait * 2;
    }
    plain_fatal("failed to start controller node components: failed to sync etcd config: $reason");
}

# From here on the member counts; until it runs, a voter only raises the majority that is needed.
sub start_etcd ($me, $pause) {
    pump(setting('ETCD_START_SECONDS', $pause));
    while (1) {
        my ($status, $answer) = cluster_write('/v1-standin/member-started', encode({name => $NODE}));
        last if $status == 200 and ref decode($answer) and adopt(decode($answer));
        complain("etcd is not in touch with its peers: $answer");
        pump(1);
    }
    for my $other (grep { $_->{name} ne $NODE } members()) {
        pull($other->{ip}) if member($NODE)->{learner};
    }
    until (pump(3, sub () { my $member = member($NODE); return $member && !$member->{learner} })) {
        info('Waiting for this learner to be promoted to a voting member');
        pull($_->{ip}) for grep { $_->{name} ne $NODE } members();
    }
}

sub write_admin_files ($me) {
    my @names = grep { defined } @{at($CONFIG, qw(spec api sans)) // []}, at($CONFIG, qw(spec api externalAddress));
    make_certificates({'tls-san' => \@names}, $me->{ip});
    my $text = kubeconfig("https://localhost:$API_PORT", map { slurp(tls($_)) } qw(ca.crt client-admin.crt client-admin.key));
    spew("$DATA/pki/admin.conf", $text) if ($text ne (slurp("$DATA/pki/admin.conf") // ''));
    spew("$RUN/address", at($CONFIG, qw(spec api externalAddress)) // $me->{ip});
    spew("$RUN/ports", "$API_PORT $PORT");
}

# ---- a controller that is a worker, too
sub live_as_node ($me) {
    while (1) {
        my ($status, $answer) = cluster_write('/v1-standin/node', encode($me));
        last if $status == 200;
        info("Waiting for the API to register this node: $answer");
        pump(1);
    }
    wait_for_network(state_now());
    until ((cluster_write('/v1-standin/node-ready', encode({name => $NODE})))[0] == 200) { pump(1) }
    event('node-ready');
    pump(3600) while 1;
}

# A node is Ready once its network's pods run: their image has to be there, or a registry.
sub wait_for_network ($state) {
    pump(setting('READY_SECONDS', 1));
    until ($state->{cni} ne 'none' and (import_images() or has_registry($state))) {
        info('container runtime network not ready: cni plugin not initialized') unless our $said_so++;
        pump(2);
    }
}
