# ---- what controllers answer: 6443 for kubelets and administrators, 9443 for those who join -----------

# The controllers' own secret: whoever has the CA's key is one.
sub password () { return sha256(slurp(tls('ca.key')) // return '') }

sub is_controller ($request) {
    my ($kind, $encoded) = split ' ', $request->{headers}{authorization} // '';
    return ($kind // '') eq 'Basic' && unbase64($encoded // '') eq 'server:' . password();
}

sub is_admin ($request) { return $request->{client} =~ /\bsystem:masters\b/ }

# The role of the bootstrap token that a request shows; '' for none, an unknown or an expired one.
sub bearer_role ($request) {
    my ($id, $secret) = ($request->{headers}{authorization} // '') =~ /^Bearer ([a-z0-9]{6})\.([a-z0-9]{16})$/;
    my $token = defined $id ? (state_now()->{tokens} // {})->{$id} : undef;
    return '' unless $token and $token->{secret} eq $secret;
    return $token->{expires} && $token->{expires} < time ? '' : $token->{role};
}

sub join_api ($request) {
    my ($method, $path) = @$request{qw(method path)};
    if ($path =~ m{^/v1-standin/}) {
        return (401, 'Unauthorized') unless is_controller($request);
        return (200, encode(state_now()), 'application/json') if $path eq '/v1-standin/state';
        my $forwarded = defined $request->{headers}{'x-standin-forwarded'};
        return cluster_write($path, $request->{body}, $forwarded) if $method eq 'POST';
    }
    return (401, 'Unauthorized') unless bearer_role($request) eq 'controller';
    return authority() if $path eq '/v1beta1/ca';
    return new_member($request) if $path eq '/v1beta1/etcd/members' and $method eq 'POST';
    return (404, '404 page not found');
}

sub authority () {
    my %files = map { $_ => slurp(tls($_)) } qw(ca.crt ca.key sa.key sa.pub);
    my $answer = {files => \%files, store => $STORE, cluster => state_now()->{cluster}};
    return (200, encode($answer), 'application/json');
}

sub new_member ($request) { return cluster_write('/v1-standin/member', $request->{body}) }

# MemberAdd as k0s did it before learners: a voter at once, which has no vote to give until it runs.
sub add_voter ($state, $input) {
    die [400, 'wrong storage type'] if $state->{store} ne 'etcd';
    my @members = values %{$state->{members}};
    die [500, 'etcdserver: Peer URLs already exists'] if grep { $_->{ip} eq $input->{ip} } @members;
    die [500, 'member name already exists'] if $state->{members}{$input->{name}};
    my ($started, $count) = (scalar(grep { $_->{started} } @members), @members + 1);
    die [500, 'etcdserver: re-configuration failed due to not enough started members']
        if $started <= $count / 2 and !($started == 1 and $count == 2);
    die [503, 'etcdserver: request timed out'] unless has_quorum();
    $state->{members}{$input->{name}} = {
        id => $input->{id}, name => $input->{name}, ip => $input->{ip}, learner => '', started => 0,
        order => ++$state->{joins}, since => time,
    };
    return $state;
}

%MORE_WRITES = (
    '/v1-standin/leave' => sub ($state, $input) {
        my ($member) = grep { $_->{ip} eq $input->{ip} } values %{$state->{members}};
        die [404, "etcdserver: member not found"] unless $member;
        delete $state->{members}{$member->{name}};
        return 'left';
    },
    '/v1-standin/token' => sub ($state, $input) {
        $state->{tokens}{$input->{name}} = {map { $_ => $input->{$_} } qw(secret role expires)};
        return 'created';
    },
    '/v1-standin/token-delete' => sub ($state, $input) {
        delete $state->{tokens}{$input->{name}};
        return 'deleted';
    },
);

# ---- 6443: the API, and what stands for its Secrets and certificate requests
sub k0s_api ($request) {
    my ($method, $path) = @$request{qw(method path)};
    return api($request) unless $path =~ m{^/v1-standin/(.*)$};
    my $what = $1;
    return register($request) if $what eq 'node';
    my $kubelet = kubelet_of($request->{client});
    if ($what =~ /^(?:servers|node-ready)$/ and $kubelet) {
        return (200, encode(agent_view(state_now())), 'application/json') if $what eq 'servers';
        return (403, 'Forbidden') if (decode($request->{body}) // {})->{name} ne $kubelet;
        return cluster_write($path, $request->{body});
    }
    return (401, 'Unauthorized') unless is_admin($request);
    return (500, 'etcdserver: request timed out') unless has_quorum();
    return (200, encode(state_now()), 'application/json') if $what eq 'state';
    return cluster_write($path, $request->{body}) if $method eq 'POST' and $MORE_WRITES{$path};
    return (404, 'not found');
}

# A worker comes with a bootstrap token, and later with its own certificate.
sub register ($request) {
    my $input = decode($request->{body}) // {};
    my $own = kubelet_of($request->{client});
    return (401, 'Unauthorized') unless bearer_role($request) eq 'worker' or $own eq ($input->{name} // '-');
    my ($status, $body) = cluster_write('/v1-standin/node', $request->{body});
    return ($status, $body) if $status != 200;
    my $answer = decode($body);
    $answer->{kubelet} = kubelet_certificate($input->{name}) unless length $own;
    return (200, encode($answer), 'application/json');
}

sub serve_nothing ($client, $answer) { }
