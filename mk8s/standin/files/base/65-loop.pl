# ---- the loop: one process that waits for connections, datagrams and time --------------------------

our %LISTEN;            # file number -> [socket, serving function, answering function]
our $UDP;               # heartbeats, on the supervisor's port
our $BEAT_EVERY = 2;
our $NEXT_BEAT = 0;
our ($NEXT_TICK, $NEXT_LOOK, $PULLING) = (0, 0, 0);
our $AGENT = {servers => [], cluster => '', rev => -1};    # what an agent knows of its cluster

sub listen_on ($address, $port, $serve, $answer) {
    my $socket = IO::Socket::INET->new(LocalAddr => $address, LocalPort => $port, Listen => 128, ReuseAddr => 1)
        or fatal("listen tcp $address:$port: bind: " . lc $!);
    $LISTEN{fileno $socket} = [$socket, $serve, $answer];
}

sub listen_for_heartbeats () {
    $UDP = IO::Socket::INET->new(LocalPort => $PORT, Proto => 'udp', ReuseAddr => 1)
        or fatal("listen udp :$PORT: bind: " . lc $!);
}

# Let $seconds pass, doing what comes; ends early once $done says so.
sub pump ($seconds, $done = undef) {
    my $end = uptime() + $seconds;
    while (1) {
        return 1 if $done and $done->();
        my $now = uptime();
        return 0 if $now >= $end;
        my $wait = $end - $now < 0.5 ? $end - $now : 0.5;
        my $read = '';
        vec($read, $_, 1) = 1 for keys %LISTEN;
        vec($read, fileno($UDP), 1) = 1 if $UDP;
        my $count = select $read, undef, undef, $wait;
        hear() if $UDP and $count > 0 and vec $read, fileno($UDP), 1;
        for my $number ($count > 0 ? keys %LISTEN : ()) {
            serve($LISTEN{$number}) if vec $read, $number, 1;
        }
        tick();
    }
}

sub tick () {
    1 while waitpid(-1, POSIX::WNOHANG()) > 0;
    my $now = uptime();
    return if $now < $NEXT_TICK;
    $NEXT_TICK = $now + 0.3;
    if ($now >= $NEXT_BEAT) {
        heartbeat('hb');
        my $learner = $ROLE eq 'server' && member($NODE) && member($NODE)->{learner};
        $NEXT_BEAT = $now + ($learner ? 0.5 : $BEAT_EVERY);
    }
    tend_learners() if $ROLE eq 'server' and $STORE eq 'etcd' and has_data();
    if ($STORE eq 'kine' and $now >= $NEXT_LOOK) {
        $NEXT_LOOK = $now + 1.5;
        catch_up('');
    }
}

# One process a host: the first one holds this file locked.
sub hold_lock () {
    open our $lock, '>', "$RUN/lock" or fatal("open $RUN/lock: " . lc $!);
    fcntl $lock, Fcntl::F_SETFD(), Fcntl::FD_CLOEXEC();
    flock $lock, LOCK_EX | LOCK_NB or fatal("another $DISTRO (stand-in) runs on this host");
}

# A child may outlive the process by seconds: it must not hold what the next start needs.
sub be_a_child () {
    $SIG{TERM} = 'DEFAULT';
    our $lock;
    close $lock if $lock;
    close $_->[0] for values %LISTEN;
}

sub serve ($listener) {
    my ($socket, $serve, $answer) = @$listener;
    my $client = $socket->accept or return;
    my $pid = fork;
    return if !defined $pid or $pid;
    be_a_child();
    $SIG{PIPE} = 'IGNORE';
    (my $peer = $client->can('peerhost') ? $client->peerhost // '' : '') =~ s/^::ffff://;
    $serve->($client, sub ($request) { $request->{peer} = $peer; return $answer->($request) });
    POSIX::_exit(0);
}

# ---- heartbeats: `standin1 <cluster> <kind> <node> <role> <revision>`, kind hb or rev
sub heartbeat ($kind) {
    my $state = $ROLE eq 'server' ? state_now() : $AGENT;
    return unless $UDP and $state->{cluster};
    my @targets = $ROLE eq 'server' ? map { $_->{ip} } values %{$state->{members}} : @{$AGENT->{servers}};
    push @targets, map { $_->{ip} } values %{$state->{nodes}} if $kind eq 'rev';
    my %once = map { $_ => 1 } @targets;
    send_word($kind, $state, $_) for keys %once;
    touch_lease($NODE) if $ROLE eq 'server';
}

sub send_word ($kind, $state, $ip) {
    my $packed = inet_aton($ip) or return;
    send $UDP, "standin1 $state->{cluster} $kind $NODE $ROLE $state->{rev}", 0, pack_sockaddr_in($PORT, $packed);
}

sub hear () {
    my $from = recv $UDP, my $words, 1024, 0 or return;
    my ($magic, $cluster, $kind, $node, $role, $revision) = split ' ', $words;
    return unless ($magic // '') eq 'standin1' and ($revision // '') =~ /^\d+$/;
    return unless $node =~ /^[a-z0-9][a-z0-9.-]*$/;    # it becomes the name of a file
    my $state = $ROLE eq 'server' ? state_now() : $AGENT;
    return if $cluster ne ($state->{cluster} // '') or $node eq $NODE;
    my $ip = inet_ntoa((unpack_sockaddr_in($from))[1]);
    if ($kind eq 'hb' and $ROLE eq 'server') {
        touch_lease($node);
        $HEARD{$node} = uptime();
    }
    if ($revision > $state->{rev} and $role eq 'server') {
        catch_up($ip);
    } elsif ($revision < $state->{rev} and $ROLE eq 'server' and $kind eq 'hb') {
        send_word('rev', $state, $ip);
    }
}

# Fetch what a server knows and we do not. One at a time; what is missed is heard again with the next beat.
sub catch_up ($ip) {
    return if $PULLING and kill 0, $PULLING;
    return refresh_agent($ip) if $ROLE eq 'agent';
    $PULLING = fork // return;
    return if $PULLING;
    be_a_child();
    pull($ip);
    POSIX::_exit(0);
}

sub pull ($ip) {
    return refresh_from_datastore() if $STORE eq 'kine';
    my ($status, $body) = ask_server($ip, GET => '/v1-standin/state');
    my $state = $status == 200 ? decode($body) : undef;
    adopt($state) if $state and $state->{cluster};
    return $state;
}

