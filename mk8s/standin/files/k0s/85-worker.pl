# ---- k0s worker --------------------------------------------------------------------------------------

our $API = {};          # where the API is, and what the kubelet shows there

sub worker (@arguments) {
    ($FLAGS) = parse_words({flags_of_service('worker')}, @arguments);
    my $me = begin('agent', 'worker', undef, @arguments);
    import_images();
    my $answer = -e "$DATA/kubelet.conf" ? come_back($me) : bootstrap($me);
    know($answer);
    event('ready', cluster => $answer->{cluster});
    wait_for_network($answer);
    until ((ask_api(POST => '/v1-standin/node-ready', encode({name => $NODE})))[0] == 200) { pump(1) }
    event('node-ready');
    pump(3600) while 1;
}

sub bootstrap ($me) {
    my $token = read_join_token('kubelet-bootstrap') // plain_fatal('normal kubelet kubeconfig does not exist and no join-token given');
    make_folder("$DATA/pki", 0700);
    pump(setting('START_SECONDS', 1.5) / 2);
    while (1) {
        my ($status, $body, $why) = ask_token($token, POST => '/v1-standin/node', encode($me));
        return joined($token, decode($body)) if $status == 200;
        complain("Failed to bootstrap the kubelet's client configuration at $token->{url}: "
            . ($status ? "$status $REASON{$status}: $body" : $why));
        pump(2);
    }
}

sub joined ($token, $answer) {
    my $authority = slurp("$RUN/join-ca.crt");
    spew("$DATA/pki/ca.crt", $authority, 0644);
    spew("$DATA/pki/kubelet.$_", $answer->{kubelet}{$_}) for qw(crt key);
    event('agent-join', cluster => $answer->{cluster});
    spew("$DATA/kubelet.conf", kubeconfig($token->{url}, $authority, map { $answer->{kubelet}{$_} } qw(crt key)));
    use_kubelet_conf();
    return $answer;
}

sub use_kubelet_conf () {
    my ($host, $port) = (slurp("$DATA/kubelet.conf") // '') =~ m{server: https://\[?([^/\]\s]+?)\]?:(\d+)};
    $API = {host => $host, port => $port};
}

# With the kubelet's own certificate; the join token is not looked at.
sub come_back ($me) {
    use_kubelet_conf();
    while (1) {
        my ($status, $body) = ask_api(POST => '/v1-standin/node', encode($me));
        return decode($body) if $status == 200;
        complain("Unable to register node with API server: $body");
        pump(2);
    }
}

sub ask_api ($method, $path, $body = undef) {
    my ($status, $answer, $why) = ask($method, @$API{qw(host port)}, $path, ca => "$DATA/pki/ca.crt", body => $body,
        cert => "$DATA/pki/kubelet.crt", key => "$DATA/pki/kubelet.key", timeout => 4);
    return ($status, $status ? $answer : $why);
}

sub know ($answer) { $AGENT = {%$AGENT, map { $_ => $answer->{$_} } qw(servers cluster rev cni)} }

sub refresh_agent ($ip) {
    my ($status, $body) = ask_api(GET => '/v1-standin/servers');
    my $answer = $status == 200 ? decode($body) : undef;
    know($answer) if $answer and $answer->{cluster} eq $AGENT->{cluster};
}
