# ---- the agent --------------------------------------------------------------------------------------

our @ADDRESSES;         # where to ask: the config's server first, then what is known from before
our $PASSWORD = '';

sub servers_file () { return "$DATA/agent/etc/$DISTRO-agent-load-balancer.json" }
sub agent_ca () { return "$DATA/agent/server-ca.crt" }

sub agent (@arguments) {
    my ($config, $me) = begin('agent', @arguments);
    my $url = word($config, 'server');
    fatal('--server is required') unless length $url;
    my $token = token_of($config);
    fatal('--token is required') unless length $token;
    make_folder("$DATA/agent/etc", 0700);
    my ($host, $port) = address_of($url);
    @ADDRESSES = ([$host, $port], map { [$_, $PORT] } grep { $_ ne $host } known_servers());
    find_cluster($token);
    load_images();
    unpack_runtime();
    pump(setting('START_SECONDS', 1.5) / 2);
    my $answer = register_agent($me);
    know($answer);
    write_kubelet_files($answer->{kubelet});
    event('agent-join', cluster => $answer->{cluster});
    event('ready', cluster => $answer->{cluster});
    notify_systemd("READY=1\nSTATUS=stand-in for $TITLE $VERSION: agent is ready");
    live($me, sub { ask_any(POST => '/v1-standin/node-ready', encode(who($me))) });
}

sub known_servers () {
    my $known = decode(slurp(servers_file()) // '');
    return $known ? @{$known->{ServerAddresses} // []} : ();
}

# As the real agent: every 2 s, without end.
sub find_cluster ($token) {
    while (1) {
        for my $address (@ADDRESSES) {
            my ($host, $port) = @$address;
            eval { validate($host, $port, $token); 1 } and return prefer($address);
            complain("Failed to validate connection to cluster at https://$host:$port: " . ($@ =~ s/\n//r));
        }
        pump(2);
    }
}

sub validate ($host, $port, $token) {
    my ($pem, $password) = fetch_authority($host, $port, $token);
    spew(agent_ca(), $pem, 0644);
    my ($status, undef, $why) = ask(GET => $host, $port, "/v1-$DISTRO/config", ca => agent_ca(), auth => "node:$password");
    die "https://$host:$port/v1-$DISTRO/config: " . ($status ? "$status $REASON{$status}" : $why) . "\n" if $status != 200;
    $PASSWORD = $password;
}

# Whoever answered last is asked first.
sub prefer ($address) {
    @ADDRESSES = ($address, grep { $_->[0] ne $address->[0] } @ADDRESSES);
}

# The first server that answers. (status, body)
sub ask_any ($method, $path, $body = undef) {
    my $why = 'no server known';
    my %asked;
    for my $address (@ADDRESSES, map { [$_, $PORT] } @{$AGENT->{servers}}) {
        next if $asked{$address->[0]}++;
        my ($status, $answer, $reason) = ask($method, @$address, $path, ca => agent_ca(),
            auth => "node:$PASSWORD", body => $body, timeout => 4);
        if ($status and $status != 503) {
            prefer($address);
            return ($status, $answer);
        }
        $why = $status ? $answer : $reason;
    }
    return (0, $why);
}

sub register_agent ($me) {
    while (1) {
        my ($status, $answer) = ask_any(POST => '/v1-standin/node', encode($me));
        return decode($answer) if $status == 200;
        info("Waiting to retrieve agent configuration; server is not ready: $answer");
        pump(2);
    }
}

sub know ($answer) {
    $AGENT = {%$AGENT, map { $_ => $answer->{$_} } qw(servers cluster rev cni)};
    spew(servers_file(), encode({ServerAddresses => $AGENT->{servers}}));
}

sub refresh_agent ($ip) {
    my ($status, $body) = ask(GET => $ip, $PORT, '/v1-standin/servers', ca => agent_ca(),
        auth => "node:$PASSWORD", timeout => 2);
    my $answer = $status == 200 ? decode($body) : undef;
    know($answer) if $answer and $answer->{cluster} eq $AGENT->{cluster};
}

sub write_kubelet_files ($kubelet) {
    spew("$DATA/agent/client-kubelet.crt", $kubelet->{crt}, 0644);
    spew("$DATA/agent/client-kubelet.key", $kubelet->{key});
    my $text = kubeconfig("https://$AGENT->{servers}[0]:6443", slurp(agent_ca()), $kubelet->{crt}, $kubelet->{key});
    spew("$DATA/agent/kubelet.kubeconfig", $text);
}
