# ---- HTTPS: openssl does TLS, this program does HTTP ----------------------------------------------
# A connection is one request and one answer. A request is a hash: method, path, headers, body, client
# (the subject of a verified client certificate, or '').

our %REASON = (
    200 => 'OK', 201 => 'Created', 400 => 'Bad Request', 401 => 'Unauthorized', 403 => 'Forbidden', 404 => 'Not Found',
    405 => 'Method Not Allowed', 409 => 'Conflict', 500 => 'Internal Server Error', 503 => 'Service Unavailable',
);
our $PATIENCE = 10;    # seconds for a client to finish its request

sub parse_message ($text) {
    my $end = index $text, "\r\n\r\n";
    return undef if $end < 0;
    my ($first, @lines) = split /\r\n/, substr $text, 0, $end;
    my %headers = map { /^([^:]+):\s*(.*)$/ ? (lc $1, $2) : () } @lines;
    my $body = substr $text, $end + 4;
    my $length = $headers{'content-length'};
    return undef if defined $length and length $body < $length;
    return {first => $first, headers => \%headers, body => $body, whole => defined $length};
}

sub parse_request ($text) {
    my $request = parse_message($text) or return undef;
    @$request{qw(method path)} = split ' ', $request->{first};
    return $request;
}

sub render_answer ($status, $body, $type = 'text/plain') {
    return join "\r\n", "HTTP/1.1 $status " . ($REASON{$status} // ''), "Content-Type: $type",
        'Content-Length: ' . length $body, 'Connection: close', '', $body;
}

# Serve one accepted connection in a child of its own.
sub serve_tls ($client, $answer) {
    my $path = "$RUN/tls.$$";
    pipe(my $their_in, my $to_tls);
    pipe(my $from_tls, my $their_out);
    pipe(my $notes, my $their_err);
    my $pid = fork // return;
    if (!$pid) {
        open STDIN, '<&', $their_in;
        open STDOUT, '>&', $their_out;
        open STDERR, '>&', $their_err;
        my $certificate = tls('serving-kube-apiserver');
        exec qw(openssl s_server -brief -naccept 1 -verify 3 -unix), $path, '-cert', "$certificate.crt",
            '-key', "$certificate.key", '-cert_chain', tls("$SERVER_CA.crt"), '-CAfile', tls("$CLIENT_CA.crt")
            or POSIX::_exit(127);
    }
    close $_ for $their_in, $their_out, $their_err;
    my $tls = unix_socket($path);
    relay({client => $client, tls => $tls, in => $to_tls, out => $from_tls, notes => $notes}, $answer) if $tls;
    kill KILL => $pid;
    waitpid $pid, 0;
    unlink $path;
}

sub unix_socket ($path) {
    for (1 .. 400) {
        my $socket = IO::Socket::UNIX->new(Peer => $path);
        return $socket if $socket;
        select undef, undef, undef, 0.005;
    }
    return undef;
}

# Carry bytes between the client and openssl; answer when a request is whole; leave when the client does.
sub relay ($line, $answer) {
    my ($text, $notes, $reply, $end) = ('', '', undef, uptime() + $PATIENCE);
    while ((my $left = $end - uptime()) > 0) {
        my ($read, $write) = ('', '');
        vec($read, fileno($_), 1) = 1 for @$line{qw(client tls out notes)};
        vec($write, fileno($line->{in}), 1) = 1 if defined $reply and length $reply;
        select $read, $write, undef, $left;
        if (vec $read, fileno($line->{notes}), 1) {
            sysread $line->{notes}, $notes, 65536, length $notes or return;
        }
        pass($line->{client}, $line->{tls}) or return if vec $read, fileno($line->{client}), 1;
        pass($line->{tls}, $line->{client}) or return if vec $read, fileno($line->{tls}), 1;
        if (vec $read, fileno($line->{out}), 1) {
            sysread $line->{out}, $text, 65536, length $text or return;
        }
        if (length $write and vec $write, fileno($line->{in}), 1) {
            my $sent = syswrite $line->{in}, $reply, 4096 or return;
            substr($reply, 0, $sent) = '';
        }
        next if defined $reply or $notes !~ /^(?:Verification|No peer certificate)/m;
        if (my $request = parse_request($text)) {
            $request->{client} = verified_subject($notes);
            $reply = render_answer($answer->($request));
            $end = uptime() + 3;
        }
    }
}

sub verified_subject ($notes) {
    return $notes =~ /^Verification: OK/m && $notes =~ /^Peer certificate: (.*)$/m ? $1 : '';
}

sub pass ($from, $to) {
    my $count = sysread $from, my $bytes, 65536 or return 0;
    while (length $bytes) {
        my $sent = syswrite $to, $bytes or return 0;
        substr($bytes, 0, $sent) = '';
    }
    return 1;
}

# Health without TLS, as etcd serves it on 127.0.0.1:2381.
sub serve_plain ($client, $answer) {
    my $text = '';
    while (sysread $client, $text, 65536, length $text) {
        my $request = parse_request($text) or next;
        syswrite $client, render_answer($answer->($request));
        last;
    }
}

# Ask `https://host:port/path`. Returns (status, body, why): status 0 means no answer, for the reason `why`.
# More: ca (file; none: any certificate is taken), name (check the host's name too), cert, key, auth
# ("user:password"), body, timeout, headers.
sub ask ($method, $host, $port, $path, %more) {
    my $timeout = $more{timeout} // 5;
    my $probe = IO::Socket::INET->new(PeerHost => $host, PeerPort => $port, Timeout => $timeout);
    return (0, '', dial_error($host, $port)) unless $probe;
    close $probe;
    my @headers = ("Host: $host:$port", "User-Agent: $DISTRO-standin", 'Connection: close', @{$more{headers} // []});
    push @headers, 'Authorization: Basic ' . base64($more{auth}) if defined $more{auth};
    push @headers, 'Content-Length: ' . length $more{body} if defined $more{body};
    my $request = join "\r\n", "$method $path HTTP/1.1", @headers, '', $more{body} // '';
    my ($text, $notes) = through_tls($request, $timeout, tls_options($host, $port, %more));
    my $answer = parse_message($text);
    return (0, '', tls_error($notes)) unless $answer and $answer->{first} =~ m|^HTTP/1.\d (\d+)|;
    return ($1, $answer->{body}, '');
}

sub tls_options ($host, $port, %more) {
    my @options = ('-connect', "$host:$port");
    push @options, '-CAfile', $more{ca}, '-verify_return_error' if $more{ca};
    push @options, ($host =~ /^[\d.]+$/ ? '-verify_ip' : '-verify_hostname'), $host if $more{ca} and $more{name};
    push @options, '-cert', $more{cert}, '-key', $more{key} if $more{cert};
    return @options;
}

sub through_tls ($request, $timeout, @options) {
    pipe(my $their_in, my $to_tls);
    pipe(my $from_tls, my $their_out);
    pipe(my $notes_out, my $their_err);
    my $pid = fork // return ('', 'fork');
    if (!$pid) {
        open STDIN, '<&', $their_in;
        open STDOUT, '>&', $their_out;
        open STDERR, '>&', $their_err;
        exec qw(openssl s_client -quiet), @options or POSIX::_exit(127);
    }
    close $_ for $their_in, $their_out, $their_err;
    local $SIG{PIPE} = 'IGNORE';
    my ($text, $notes, $end, $open) = ('', '', uptime() + $timeout, 1);
    while ($open and (my $left = $end - uptime()) > 0) {
        my ($read, $write) = ('', '');
        vec($read, fileno($_), 1) = 1 for $from_tls, $notes_out;
        vec($write, fileno($to_tls), 1) = 1 if length $request;
        select $read, $write, undef, $left;
        sysread $notes_out, $notes, 65536, length $notes if vec $read, fileno($notes_out), 1;
        if (length $request and vec $write, fileno($to_tls), 1) {
            my $sent = syswrite $to_tls, $request, 4096;
            $sent ? substr($request, 0, $sent) = '' : ($request = '');
        }
        if (vec $read, fileno($from_tls), 1) {
            $open = sysread $from_tls, $text, 65536, length $text;
            my $answer = parse_message($text);
            last if $answer and $answer->{whole};
        }
    }
    if (!length $text) {    # openssl says why on its other pipe
        my $read = '';
        vec($read, fileno($notes_out), 1) = 1;
        sysread $notes_out, $notes, 65536, length $notes if select $read, undef, undef, 0;
    }
    kill KILL => $pid;
    waitpid $pid, 0;
    return ($text, $notes);
}

sub dial_error ($host, $port) {
    my $where = "dial tcp $host:$port:";
    return "$where connect: " . lc $! if $!{ECONNREFUSED} or $!{EHOSTUNREACH} or $!{ENETUNREACH};
    return "$where i/o timeout" if $!{ETIMEDOUT} or $!{EINPROGRESS} or $!{EAGAIN};
    return "dial tcp: lookup $host: no such host" if $@ =~ /hostname|service/i;
    return "$where connect: " . lc $!;
}

sub tls_error ($notes) {
    my $words = 'tls: failed to verify certificate: x509: certificate';
    return "$words has expired or is not yet valid" if $notes =~ /not yet valid|has expired/;
    return "$words is not valid for any names" if $notes =~ /mismatch/;
    return "$words signed by unknown authority" if $notes =~ /verify error/;
    return 'remote error: tls: bad certificate' if $notes =~ /alert/;
    return 'net/http: request canceled (Client.Timeout exceeded while awaiting headers)';
}
