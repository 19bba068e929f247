# ---- kubectl: get --raw, get node(s), delete node, version ------------------------------------------

our %KUBECTL_TAKES = map { $_ => 1 } qw(kubeconfig server output o raw request-timeout namespace n s cluster context);

sub kubectl (@arguments) {
    my ($options, @words) = kubectl_words(@arguments);
    my $verb = shift @words // kubectl_fail("stand-in kubectl $VERSION: get, delete node NAME, version", 0);
    return print "Client Version: $VERSION (stand-in)\n" if $verb eq 'version' and $options->{client};
    my $access = access_of($options);
    return kubectl_version($access, $options) if $verb eq 'version';
    return print fetch($access, GET => $options->{raw}) if $verb eq 'get' and defined $options->{raw};
    my ($kind, $name) = split m{/}, shift @words // '', 2;
    $name //= shift @words;
    kubectl_fail("error: the stand-in kubectl does not know: $verb $kind")
        unless $verb =~ /^(?:get|delete)$/ and $kind =~ /^(?:no|nodes?)$/;
    return kubectl_delete($access, $name) if $verb eq 'delete';
    my $body = fetch($access, GET => '/api/v1/nodes' . (defined $name ? "/$name" : ''));
    my $output = $options->{output} // $options->{o} // '';
    return print pretty(decode($body)), "\n" if $output eq 'json';
    return print go_template($1, decode($body)) if $output =~ /^go-template=(.*)$/s;
    return print_nodes($output, defined $name ? decode($body) : @{decode($body)->{items}});
}

sub kubectl_words (@arguments) {
    my (%options, @words);
    while (@arguments) {
        my $word = shift @arguments;
        if ($word =~ /^--?([\w-]+)=(.*)$/s) { $options{$1} = $2 }
        elsif ($word =~ /^-o([\w-].*)$/s) { $options{o} = $1 }
        elsif ($word =~ /^--?([\w-]+)$/) { $options{$1} = $KUBECTL_TAKES{$1} ? shift @arguments : 1 }
        else { push @words, $word }
    }
    return (\%options, @words);
}

sub kubectl_fail ($message, $code = 1) {
    print {$code ? *STDERR : *STDOUT} "$message\n";
    exit $code;
}

# Where to ask and with which certificates, from the kubeconfig.
sub access_of ($options) {
    my $path = $options->{kubeconfig} // $ENV{KUBECONFIG} // $KUBECONFIG;
    my $text = slurp($path);
    kubectl_fail("error: stat $path: no such file or directory") if !defined $text and $options->{kubeconfig};
    my $known = ($text // '') =~ /^\s*server:\s*(\S+)/m ? $1 : 'http://localhost:8080';
    my $url = $options->{server} // $options->{s} // $known;
    my ($host, $port) = $url =~ m{^https?://([^/:]+):?(\d+)?} or kubectl_fail("error: invalid server $url");
    my $folder = `mktemp -d /tmp/standin-kubectl.XXXXXX`;
    chomp $folder;
    eval 'END { File::Path::remove_tree($folder) }';
    my $timeout = ($options->{'request-timeout'} // '') =~ /^([\d.]+)s?$/ ? $1 : 0;
    my $access = {host => $host, port => $port // 443, timeout => $timeout || 30};
    for my $name (qw(certificate-authority-data client-certificate-data client-key-data)) {
        next unless ($text // '') =~ /^\s*$name:\s*(\S+)/m;
        spew("$folder/$name", unbase64($1));
        $access->{$name} = "$folder/$name";
    }
    return $access;
}

sub fetch ($access, $method, $path) {
    my ($host, $port) = @$access{qw(host port)};
    my ($status, $body, $why) = ask($method, $host, $port, $path, name => 1, timeout => $access->{timeout},
        ca => $access->{'certificate-authority-data'} // '/dev/null',
        cert => $access->{'client-certificate-data'}, key => $access->{'client-key-data'});
    kubectl_fail("The connection to the server $host:$port was refused - did you specify the right host or port?")
        if $why =~ /refused/;
    kubectl_fail("Unable to connect to the server: $why") unless $status;
    kubectl_fail('error: You must be logged in to the server (Unauthorized)') if $status == 401;
    return $body if $status == 200;
    my $words = decode($body);
    kubectl_fail("Error from server ($words->{reason}): $words->{message}")
        if ref $words eq 'HASH' and $words->{message};
    my $quoted = quote($body) =~ s/\\u000a/\\n/gr;
    kubectl_fail("Error from server (InternalError): an error on the server ($quoted) has prevented the request "
        . 'from succeeding');
}

sub kubectl_version ($access, $options) {
    my $answer = decode(fetch($access, GET => '/version'));
    print "Client Version: $VERSION (stand-in)\nServer Version: $answer->{gitVersion} (stand-in)\n";
}

sub kubectl_delete ($access, $name) {
    kubectl_fail('error: resource(s) were provided, but no name was specified') unless defined $name;
    fetch($access, DELETE => "/api/v1/nodes/$name");
    print qq(node "$name" deleted\n);
}

sub pretty ($value, $indent = '') {
    my $deeper = "$indent    ";
    if (ref $value eq 'HASH' and %$value) {
        my @pairs = map { $deeper . quote($_) . ': ' . pretty($value->{$_}, $deeper) } sort keys %$value;
        return "{\n" . join(",\n", @pairs) . "\n$indent}";
    }
    if (ref $value eq 'ARRAY' and @$value) {
        return "[\n" . join(",\n", map { $deeper . pretty($_, $deeper) } @$value) . "\n$indent]";
    }
    return encode($value);
}

sub print_nodes ($output, @nodes) {
    return print STDERR "No resources found\n" unless @nodes;
    my @heads = (qw(NAME STATUS ROLES AGE VERSION), $output eq 'wide' ? qw(INTERNAL-IP OS-IMAGE) : ());
    if ($output eq 'name') {
        print "node/$_->{metadata}{name}\n" for @nodes;
        return;
    }
    my @rows = ([@heads], map { node_row($_, $output eq 'wide') } @nodes);
    for my $row (@rows) {
        print join('', map { sprintf '%-*s', widest($_, @rows), $row->[$_] } 0 .. $#$row) =~ s/\s+$//r, "\n";
    }
}

sub widest ($column, @rows) {
    my ($longest) = sort { $b <=> $a } map { length $_->[$column] } @rows;
    return $longest + 3;
}

sub node_row ($node, $wide) {
    my %ready = map { $_->{type} => $_->{status} } @{$node->{status}{conditions}};
    my @roles = sort map { m{^node-role\.kubernetes\.io/(.+)} ? $1 : () } keys %{$node->{metadata}{labels}};
    my $age = `date -d '$node->{metadata}{creationTimestamp}' +%s`;
    my $status = ($ready{Ready} // '') eq 'True' ? 'Ready' : 'NotReady';
    my @row = ($node->{metadata}{name}, $status, join(',', @roles) || '<none>', (time - $age) . 's',
        $node->{status}{nodeInfo}{kubeletVersion});
    push @row, $node->{status}{addresses}[0]{address}, $node->{status}{nodeInfo}{osImage} if $wide;
    return \@row;
}
