# ---- k0s.yaml: a subset of YAML with nested maps and lists, or JSON ----------------------------------

our %SPEC = map { $_ => 1 } qw(api controllerManager scheduler storage network images workerProfiles telemetry
    installConfig konnectivity extensions featureGates podSecurityPolicy);

sub yaml_tree ($text) {
    return decode($text) // yaml_flow(\$text) if $text =~ /^\s*\{/;    # JSON, or one map in braces
    my @lines = map { [/^( *)/ ? length $1 : 0, $_] } grep { !/^\s*(?:#.*)?$/ && !/^(?:---|\.\.\.)\s*$/ } split /\r?\n/, $text;
    my $value = @lines ? yaml_block(\@lines, $lines[0][0]) : {};
    die "yaml: could not understand: $lines[0][1]\n" if @lines;
    return $value;
}

sub yaml_block ($lines, $indent) {
    return yaml_list($lines, $indent) if $lines->[0][1] =~ /^ *-(?: |$)/;
    my %map;
    while (@$lines and $lines->[0][0] == $indent and $lines->[0][1] !~ /^ *-(?: |$)/) {
        my $line = shift @$lines;
        $line->[1] =~ /^ *("(?:[^"\\]|\\.)*"|'[^']*'|[^\s"'\[{][^:]*?)\s*:(?:\s+(.*))?$/s
            or die "yaml: could not understand: $line->[1]\n";
        my ($key, $rest) = (scalar_of($1), without_comment($2 // ''));
        $map{$key} = yaml_value($lines, $indent, $rest, 0);
    }
    die "yaml: bad indentation: $lines->[0][1]\n" if @$lines and $lines->[0][0] > $indent;
    return \%map;
}

sub yaml_list ($lines, $indent) {
    my @list;
    while (@$lines and $lines->[0][0] == $indent and $lines->[0][1] =~ /^ *-(?: +(.*)|)$/) {
        my $rest = $1 // '';
        if ($rest =~ /^(?:"[^"]*"|'[^']*'|[\w.\/-]+)\s*:(?:\s|$)/) {    # a map that begins beside the dash
            my $deeper = $indent + length(($lines->[0][1] =~ /^ *(- +)/)[0]);
            $lines->[0] = [$deeper, ' ' x $deeper . $rest];
            push @list, yaml_block($lines, $deeper);
        } else {
            shift @$lines;
            push @list, yaml_value($lines, $indent, without_comment($rest), 1);
        }
    }
    return \@list;
}

sub yaml_value ($lines, $indent, $rest, $in_list) {
    if ($rest =~ /^[|>][+-]?$/) {
        my @text;
        push @text, (shift @$lines)->[1] =~ s/^ +//r while @$lines and $lines->[0][0] > $indent;
        return join "\n", @text, '';
    }
    return yaml_flow(\$rest) if $rest =~ /^[\[{]/;
    return $rest =~ /^(?:~|null)$/ ? undef : scalar_of($rest) if length $rest;
    return undef unless @$lines;
    my $next = $lines->[0];
    my $dash = $next->[1] =~ /^ *-(?: |$)/;
    return yaml_block($lines, $next->[0]) if $next->[0] > $indent or !$in_list && $dash && $next->[0] == $indent;
    return undef;
}

sub yaml_flow ($text) {
    if ($$text =~ /\G\s*\[/gc) {
        my @items;
        until ($$text =~ /\G\s*\]/gc) {
            push @items, yaml_flow($text);
            $$text =~ /\G\s*(?:,|(?=\]))/gc or die "yaml: bad list: $$text\n";
        }
        return \@items;
    }
    if ($$text =~ /\G\s*\{/gc) {
        my %map;
        until ($$text =~ /\G\s*\}/gc) {
            $$text =~ /\G\s*("[^"]*"|'[^']*'|[^:,}\s]+)\s*:/gc or die "yaml: bad map: $$text\n";
            my $key = scalar_of($1);
            $map{$key} = yaml_flow($text);
            $$text =~ /\G\s*(?:,|(?=\}))/gc or die "yaml: bad map: $$text\n";
        }
        return \%map;
    }
    $$text =~ /\G\s*("(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|[^,\]\}]*)/gc or die "yaml: bad value: $$text\n";
    return scalar_of($1 =~ s/\s+$//r);
}

sub at ($tree, @path) {
    for my $key (@path) {
        $tree = ref $tree eq 'HASH' ? $tree->{$key} : undef;
    }
    return $tree;
}

sub truth ($value) { return ($value // '') =~ /^(?:true|yes|on|1)$/i }

# The config and its faults, in words like k0s'.
sub read_cluster_config ($path, $must_exist = 0) {
    my $text = slurp($path);
    return ({}, $must_exist ? "failed to open config file: open $path: no such file or directory" : ()) unless defined $text;
    my $tree = eval { yaml_tree($text) };
    return ({}, 'failed to parse config: ' . ($@ =~ s/\n//r)) if $@;
    return ({}, 'failed to parse config: it is no mapping') unless ref $tree eq 'HASH';
    return ($tree, config_faults($tree));
}

sub config_faults ($tree) {
    my @faults = map { qq(error unmarshaling JSON: while decoding JSON: json: unknown field "$_") }
        grep { !/^(?:apiVersion|kind|metadata|spec|status)$/ } sort keys %$tree;
    push @faults, map { qq(error unmarshaling JSON: while decoding JSON: json: unknown field "spec.$_") }
        grep { !$SPEC{$_} } sort keys %{at($tree, 'spec') // {}};
    my $storage = at($tree, qw(spec storage type)) // 'etcd';
    push @faults, "spec: storage: type: Unsupported value: \"$storage\": supported values: \"etcd\", \"kine\""
        unless $storage =~ /^(?:etcd|kine)$/;
    my $provider = at($tree, qw(spec network provider)) // 'kuberouter';
    push @faults, "spec: network: provider: Unsupported value: \"$provider\"" unless $provider =~ /^(?:kuberouter|calico|custom)$/;
    push @faults, 'spec: network: nodeLocalLoadBalancing: enabled: Forbidden: cannot be used in conjunction with spec.api.externalAddress'
        if truth(at($tree, qw(spec network nodeLocalLoadBalancing enabled))) and at($tree, qw(spec api externalAddress));
    return @faults;
}

# ---- flags: what each kind of service takes; 1: with a value
our %BOTH = ('data-dir' => 1, 'status-socket' => 1, 'kubelet-root-dir' => 1, 'cri-socket' => 1, 'token-file' => 1,
    debug => 0, verbose => 0, config => 1);
our %WORKER_FLAGS = (profile => 1, labels => 1, taints => 1, 'kubelet-extra-args' => 1, 'iptables-mode' => 1,
    'enable-cloud-provider' => 0, 'ignore-pre-flight-checks' => 0);
our %CONTROLLER_FLAGS = ('enable-worker' => 0, 'no-taints' => 0, single => 0, 'disable-components' => 1,
    'enable-dynamic-config' => 0, 'enable-metrics-scraper' => 0, 'feature-gates' => 1, 'init-only' => 0,
    'kube-controller-manager-extra-args' => 1, 'enable-k0s-cloud-provider' => 0,
    'k0s-cloud-provider-port' => 1, 'k0s-cloud-provider-update-frequency' => 1);

sub flags_of_service ($kind) {
    my %known = (%BOTH, %WORKER_FLAGS, $kind eq 'controller' ? %CONTROLLER_FLAGS : ());
    delete $known{config} if $kind eq 'worker';
    delete $known{'no-taints'} unless has_since(23 => 1);
    return %known;
}

# --key=value, --key value, --key, -c FILE, -e NAME=VALUE. Returns flags and the words that are none.
sub parse_words ($known, @words) {
    my (%flags, @rest);
    while (@words) {
        my $word = shift @words;
        $word =~ s/^-c(?==|$)/--config/;
        $word =~ s/^-e(?==|$)/--env/;
        $word =~ s/^-o(?=\w)/--output=/;
        $word =~ s/^-o(?==|$)/--output/;
        if ($word !~ /^--([\w-]+)(?:=(.*))?$/s) {
            push @rest, $word;
            next;
        }
        my ($key, $value) = ($1, $2);
        plain_fatal("unknown flag: --$key") unless exists $known->{$key};
        $value //= $known->{$key} ? shift @words // plain_fatal("flag needs an argument: --$key") : 'true';
        $flags{$key} = $key eq 'env' && $flags{env} ? [words($flags{env}), $value] : $value;
    }
    return (\%flags, @rest);
}

sub plain_fatal ($message) {
    print STDERR "Error: $message\n";
    event('fatal', message => $message) if $ROLE;
    exit 1;
}
