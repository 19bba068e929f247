# ---- config: config.yaml, config.yaml.d, environment, flags; a flat subset of YAML -----------------

our @FROM_ENVIRONMENT = qw(token token-file agent-token server cluster-init node-name datastore-endpoint
    datastore-cafile datastore-certfile datastore-keyfile);

# key -> word or list of words. Nested maps are passed over.
sub parse_yaml ($text) {
    my (%config, $list);
    for my $line (split /\r?\n/, $text) {
        next if $line =~ /^\s*(?:#.*)?$/ or $line =~ /^(?:---|\.\.\.)\s*$/;
        if ($line =~ /^\s*-\s+(.*)$/ or $line =~ /^\s*-()$/) {
            push @{$config{$list}}, scalar_of($1) if defined $list;
        } elsif ($line =~ /^(["']?)([\w.-]+\+?)\1\s*:(?:\s+(.*))?$/) {
            my ($key, $value) = ($2, without_comment($3 // ''));
            $list = $value eq '' ? $key : undef;
            $config{$key} = $value eq '' ? [] : $value =~ /^\[(.*)\]$/s ? [flow_items($1)] : scalar_of($value);
        } elsif ($line =~ /^\S/) {
            fatal("yaml: could not understand: $line");
        }
    }
    return \%config;
}

# A later value wins; a key that ends in + adds to the list.
sub merge ($config, $more) {
    for my $key (sort keys %$more) {
        my $value = $more->{$key};
        if ($key =~ /^(.*)\+$/) {
            $config->{$1} = [words($config->{$1}), words($value)];
        } else {
            $config->{$key} = $value;
        }
    }
    return $config;
}

# --key value, --key=value, --key; a repeated flag is a list.
sub parse_flags (@words) {
    my %flags;
    while (@words) {
        my $flag = shift @words;
        $flag =~ /^--?([\w-]+)(?:=(.*))?$/s or fatal("unexpected argument: $flag");
        my ($key, $value) = ($1, $2);
        $value //= @words && $words[0] !~ /^-/ ? shift @words : 'true';
        $flags{$key} = exists $flags{$key} ? [words($flags{$key}), $value] : $value;
    }
    return \%flags;
}

sub read_config (@arguments) {
    my $flags = parse_flags(@arguments);
    my $prefix = uc $DISTRO;
    my $path = delete $flags->{config} // $ENV{"${prefix}_CONFIG_FILE"} // "$ETC/$DISTRO/config.yaml";
    my $config = {};
    for my $file ($path, sort glob "$path.d/*.yaml") {
        my $text = slurp($file);
        merge($config, parse_yaml($text)) if defined $text;
    }
    for my $key (@FROM_ENVIRONMENT) {
        my $name = $key eq 'server' ? 'URL' : uc $key =~ tr/-/_/r;
        $config->{$key} //= $ENV{"${prefix}_$name"} if length($ENV{"${prefix}_$name"} // '');
    }
    merge($config, $flags);
    for my $key (grep { /$DROPPED/ } sort keys %$config) {
        warning("Unknown flag --$key found in config.yaml, skipping");
        delete $config->{$key};
    }
    return $config;
}

# The password part of a token, and the CA hash that it was given with ('' for the short form).
sub split_token ($token) {
    return ($2, $1) if $token =~ /^K10([0-9a-f]{64})::(?:\w+):(.+)$/;
    fatal('failed to normalize token; must be in format K10<CA-HASH>::<USERNAME>:<PASSWORD> or <PASSWORD>')
        if $token =~ /^K10.*::/;
    return ($token, '');
}

sub token_of ($config, $key = 'token') {
    my $token = word($config, $key);
    my $file = word($config, "$key-file");
    if ($token eq '' and $file ne '') {
        $token = slurp($file) // fatal("open $file: " . lc $!);
    }
    $token =~ s/\s+//g;
    return $token;
}
