# ---- what the supervisor's port answers ---------------------------------------------------------------------

sub password ($file = 'token') {
    my $token = slurp("$DATA/server/$file") // return '';
    chomp $token;
    return (split_token($token))[0];
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

sub supervisor ($request) {
    my ($method, $path) = @$request{qw(method path)};
    $path =~ s/\?.*//;
    return (200, 'pong') if $path eq '/ping';
    return (200, slurp(tls('server-ca.crt'))) if $path =~ m{^/(?:v1-$DISTRO/)?cacerts$};
    my $wanted = $path =~ m{^/v1-$DISTRO/(?:readyz|config)$|^/v1-standin/(?:node|node-ready|servers)$} ? 'node' : 'server';
    unless (may($request, $wanted)) {
        complain("Failed to authenticate request from $request->{peer}: invalid username/password combination");
        return (401, 'Unauthorized');
    }
    return is_ready() ? (200, 'ok') : (503, 'runtime core not ready') if $path eq "/v1-$DISTRO/readyz";
    return configuration($request) if $path =~ m{^/v1-$DISTRO/(?:config|server-bootstrap)$};
    return (200, encode(state_now()), 'application/json') if $path eq '/v1-standin/state';
    return (200, encode(agent_view(state_now())), 'application/json') if $path eq '/v1-standin/servers';
    return write_for_node($request) if $method eq 'POST' and $path =~ m{^/v1-standin/};
    return (404, '404 page not found');
}

# Where the supervisor and the API server share a port, as in K3s.
sub one_port ($request) {
    return supervisor($request) if $request->{path} =~ m{^/(?:ping|cacerts|v1-$DISTRO/|v1-standin/)};
    return api($request) if -e "$RUN/api";
    return (503, 'apiserver not ready');
}

sub configuration ($request) {
    return (503, 'runtime core not ready') unless has_data() and -e tls('server-ca.crt');
    my $state = state_now();
    return (200, encode({cni => $state->{cni}}), 'application/json') if $request->{path} =~ m{/config$};
    my %files = map { $_ => slurp(tls($_)) } map { ("$_.crt", "$_.key") } authorities();
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
    $answer->{kubelet} = kubelet_certificate(decode($request->{body})->{name});
    return (200, encode($answer), 'application/json');
}

