# ---- the API server on 6443 -----------------------------------------------------------------------

sub is_ready () { return -e "$RUN/ready" && has_quorum() }

sub status_of ($code, $reason, $message) {
    my $body = encode({
        kind => 'Status', apiVersion => 'v1', metadata => {}, status => 'Failure',
        message => $message, reason => $reason, code => number($code),
    });
    return ($code, $body, 'application/json');
}

sub api ($request) {
    my ($method, $path) = @$request{qw(method path)};
    my $verbose = $path =~ s/\?(.*)// && $1 =~ /verbose/;
    return status_of(401, 'Unauthorized', 'Unauthorized') unless length $request->{client};
    return not_ready($path) if $STORE eq 'kine' and datastore_is_away();
    return is_ready() || $path eq '/livez' ? is_well($path, $verbose) : not_ready($path) if $path =~ m{^/(?:readyz|livez|healthz)$};
    return version_answer() if $path eq '/version';
    if (my $node = kubelet_of($request->{client})) {
        my $own = $method eq 'GET' && $path eq "/api/v1/nodes/$node";
        return forbidden($method, $path, $node) unless $own;
    }
    return status_of(500, 'InternalError', 'etcdserver: request timed out') unless has_quorum();
    return node_list() if $path eq '/api/v1/nodes' and $method eq 'GET';
    return one_node($method, $1) if $path =~ m{^/api/v1/nodes/([a-z0-9.-]+)$};
    return status_of(404, 'NotFound', 'the server could not find the requested resource');
}

# The name in a kubelet's own certificate: it may read its own Node, and no other.
sub kubelet_of ($client) { return $client =~ /\bCN ?= ?system:node:([a-z0-9.-]+)/ ? $1 : '' }

sub forbidden ($method, $path, $node) {
    my $verb = {GET => 'get', DELETE => 'delete'}->{$method} // lc $method;
    return status_of(403, 'Forbidden', qq(nodes is forbidden: User "system:node:$node" cannot $verb resource "nodes" )
        . 'in API group "" at the cluster scope: node can only read its own Node object');
}

sub is_well ($path, $verbose) {
    return (200, $verbose ? "[+]ping ok\n[+]log ok\n[+]etcd ok\n@{[substr $path, 1]} check passed\n" : 'ok');
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
            annotations => {"$DISTRO.io/hostname" => $name, 'mk8s.standin' => 'true'},
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
        $DISTRO eq 'k0s' ? () : ('node.kubernetes.io/instance-type' => $DISTRO),
    );
    for my $role (words($node->{roles})) {
        next if $role eq 'etcd' and state_now()->{store} ne 'etcd';
        $labels{"node-role.kubernetes.io/$role"} = 'true';
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
    my $member = $DISTRO ne 'k0s' && state_now()->{store} eq 'etcd' ? member($node->{name}) : undef;
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
