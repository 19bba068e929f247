# ---- what the two ports answer ---------------------------------------------------------------------

sub is_ready () { return -e "$RUN/ready" }

sub status_of ($code, $reason, $message) {
    my $body = encode({
        kind => 'Status', apiVersion => 'v1', metadata => {}, status => 'Failure',
        message => $message, reason => $reason, code => number($code),
    });
    return ($code, $body, 'application/json');
}

sub user_of ($request) {
    my ($kind, $encoded) = split ' ', $request->{headers}{authorization} // '';
    return ('', '') unless ($kind // '') eq 'Basic';
    return (split(/:/, unbase64($encoded // ''), 2), '', '')[0, 1];
}

# server: the server token. node: the agent token, or the server token.
sub may ($request, $as) {
    my ($user, $given) = user_of($request);
    return 0 unless length $given;
    return 1 if $given eq password() and ($user eq 'server' or $user eq 'node' && $as eq 'node');
    return ($as eq 'node' and $user eq 'node' and $given eq password('agent-token'));
}

# ---- the supervisor on 9345
sub supervisor ($request) {
    my ($method, $path) = @$request{qw(method path)};
    $path =~ s/\?.*//;
    return (200, 'pong') if $path eq '/ping';
    return (200, slurp(tls('server-ca.crt'))) if $path =~ m{^/(?:v1-rke2/)?cacerts$};
    my $wanted = $path =~ m{^/v1-rke2/(?:readyz|config)$|^/v1-standin/(?:node|node-ready|servers)$} ? 'node' : 'server';
    unless (may($request, $wanted)) {
        complain("Failed to authenticate request from $request->{peer}: invalid username/password combination");
        return (401, 'Unauthorized');
    }
    return is_ready() ? (200, 'ok') : (503, 'runtime core not ready') if $path eq '/v1-rke2/readyz';
    return configuration($request) if $path =~ m{^/v1-rke2/(?:config|server-bootstrap)$};
    return (200, encode(state_now()), 'application/json') if $path eq '/v1-standin/state';
    return (200, encode(agent_view(state_now())), 'application/json') if $path eq '/v1-standin/servers';
    return write_for_node($request) if $method eq 'POST' and $path =~ m{^/v1-standin/};
    return (404, '404 page not found');
}

sub configuration ($request) {
    return (503, 'runtime core not ready') unless has_data() and -e tls('server-ca.crt');
    my $state = state_now();
    return (200, encode({cni => $state->{cni}}), 'application/json') if $request->{path} =~ m{/config$};
    my %files = map { $_ => slurp(tls($_)) } map { ("$_.crt", "$_.key") } qw(server-ca client-ca);
    my $bootstrap = {
        files => \%files, token => slurp("$DATA/server/token"), agent_token => agent_token_given(),
        critical => $state->{critical}, cluster => $state->{cluster}, ready => is_ready() ? 1 : '',
    };
    return (200, encode($bootstrap), 'application/json');
}

sub agent_token_given () { return -l "$DATA/server/agent-token" ? '' : password('agent-token') }

# A node that registers gets its kubelet's certificate with the answer.
sub write_for_node ($request) {
    my $forwarded = defined $request->{headers}{'x-standin-forwarded'};
    my ($status, $body) = cluster_write($request->{path}, $request->{body}, $forwarded);
    return ($status, $body) if $status != 200 or $forwarded or $request->{path} ne '/v1-standin/node';
    my $answer = decode($body);
    my $name = decode($request->{body})->{name};
    $RUN .= "/work.$$";    # certificates are made side by side
    make_folder($RUN, 0700);
    client_certificate("$RUN/kubelet", "/O=system:nodes/CN=system:node:$name");
    $answer->{kubelet} = {map { $_ => slurp("$RUN/kubelet.$_") } qw(crt key)};
    File::Path::remove_tree($RUN);
    return (200, encode($answer), 'application/json');
}

# ---- the API server on 6443
sub api ($request) {
    my ($method, $path) = @$request{qw(method path)};
    $path =~ s/\?.*//;
    return status_of(401, 'Unauthorized', 'Unauthorized') unless length $request->{client};
    return is_ready() || $path eq '/livez' ? (200, 'ok') : not_ready($path) if $path =~ m{^/(?:readyz|livez|healthz)$};
    return version_answer() if $path eq '/version';
    return node_list() if $path eq '/api/v1/nodes' and $method eq 'GET';
    return one_node($method, $1) if $path =~ m{^/api/v1/nodes/([a-z0-9.-]+)$};
    return status_of(404, 'NotFound', 'the server could not find the requested resource');
}

sub not_ready ($path) {
    my $name = substr $path, 1;
    return (500, "[+]ping ok\n[+]log ok\n[-]etcd failed: reason withheld\n$name check failed\n");
}

sub version_answer () {
    my ($major, $minor) = $VERSION =~ /^v(\d+)\.(\d+)/;
    my $body = {
        major => $major, minor => $minor, gitVersion => $VERSION, gitCommit => 'standin', gitTreeState => 'clean',
        buildDate => '2025-01-01T00:00:00Z', goVersion => 'none', compiler => 'perl', platform => "linux/$BUILT_FOR",
    };
    return (200, encode($body), 'application/json');
}

sub node_list () {
    my $nodes = state_now()->{nodes} // {};
    my $list = {kind => 'NodeList', apiVersion => 'v1', metadata => {resourceVersion => state_now()->{rev}},
        items => [map { node_object($nodes->{$_}) } sort keys %$nodes]};
    return (200, encode($list), 'application/json');
}

sub one_node ($method, $name) {
    my $node = (state_now()->{nodes} // {})->{$name};
    return status_of(404, 'NotFound', qq(nodes "$name" not found)) unless $node;
    return (200, encode(node_object($node)), 'application/json') if $method eq 'GET';
    return status_of(405, 'MethodNotAllowed', "stand-in: $method of a node is not built") if $method ne 'DELETE';
    cluster_write('/v1-standin/node-delete', encode({name => $name}));
    return (200, encode({kind => 'Status', apiVersion => 'v1', status => 'Success'}), 'application/json');
}

sub node_object ($node) {
    my $name = $node->{name};
    my $object = {
        kind => 'Node', apiVersion => 'v1',
        metadata => {
            name => $name, uid => $node->{uid}, creationTimestamp => iso($node->{created}), labels => labels_of($node),
            annotations => {'rke2.io/hostname' => $name, 'mk8s.standin' => 'true'},
        },
        spec => {podCIDR => '10.42.0.0/24'},
        status => {
            addresses => [{type => 'InternalIP', address => $node->{ip}}, {type => 'Hostname', address => $name}],
            conditions => [conditions_of($node)],
            nodeInfo => {
                kubeletVersion => $node->{version}, kubeProxyVersion => $node->{version}, architecture => $node->{arch},
                operatingSystem => 'linux', osImage => $node->{os}, kernelVersion => $node->{kernel},
                containerRuntimeVersion => 'containerd://stand-in',
            },
        },
    };
    my @taints = map { taint_of($_) } words($node->{taints});
    $object->{spec}{taints} = \@taints if @taints;
    return $object;
}

sub taint_of ($text) {
    return $text =~ /^([^=:]+)(?:=([^:]*))?:(\w+)$/ ? {key => $1, value => $2 // '', effect => $3} : ();
}

sub labels_of ($node) {
    my %labels = (
        'kubernetes.io/hostname' => $node->{name}, 'kubernetes.io/arch' => $node->{arch}, 'kubernetes.io/os' => 'linux',
        'node.kubernetes.io/instance-type' => 'rke2',
    );
    if ($node->{role} eq 'server') {
        $labels{"node-role.kubernetes.io/$_"} = 'true' for qw(control-plane etcd master);
    }
    /^([^=]+)=(.*)$/ and $labels{$1} = $2 for words($node->{labels});
    return \%labels;
}

sub iso ($seconds) { return POSIX::strftime('%Y-%m-%dT%H:%M:%SZ', gmtime $seconds) }

sub conditions_of ($node) {
    my $away = seconds_away($node->{name});
    my $heard = iso(time - $away);
    my ($status, $reason, $message) = ready_words($node, $away);
    my @conditions = {
        type => 'Ready', status => $status, reason => $reason, message => $message,
        lastHeartbeatTime => $heard, lastTransitionTime => iso($node->{ready} || $node->{created}),
    };
    my $member = member($node->{name});
    push @conditions, {
        type => 'EtcdIsVoter', status => $member->{learner} ? 'False' : 'True', lastHeartbeatTime => $heard,
        lastTransitionTime => iso($node->{created}),
        reason => $member->{learner} ? 'MemberIsLearner' : 'MemberNotLearner',
        message => 'Node is ' . ($member->{learner} ? 'not ' : '') . 'a voting member of the etcd cluster',
    } if $member;
    return @conditions;
}

sub ready_words ($node, $away) {
    return ('Unknown', 'NodeStatusUnknown', 'Kubelet stopped posting node status.')
        if $away > setting('NODE_GRACE_SECONDS', 20);
    return ('True', 'KubeletReady', 'kubelet is posting ready status') if $node->{ready};
    return ('False', 'KubeletNotReady', 'container runtime network not ready: NetworkReady=false '
        . 'reason:NetworkPluginNotReady message:Network plugin returns error: cni plugin not initialized');
}

# After a boot nobody has been heard yet: then the time counts from our own start.
sub seconds_away ($name) {
    return 0 if $name eq $NODE;
    my $age = lease_age($name);
    return $age if defined $age;
    my @started = stat "$RUN/started";
    return @started ? time - $started[9] : 0;
}
