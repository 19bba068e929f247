# ---- what an administrator says to k0s on a host ---------------------------------------------------------

our $UNITS = '/etc/systemd/system';
our @USERS = qw(etcd kube-apiserver konnectivity-server kube-scheduler);

sub must_be_root () { plain_fatal('this command must be run as root!') if $> }

# ---- install, start, stop, reset
sub install_service (@words) {
    must_be_root();
    my $kind = shift @words // '';
    plain_fatal(qq(unknown command "$kind" for "k0s install")) unless $kind =~ /^(?:controller|worker)$/;
    my %known = (flags_of_service($kind), force => 0);
    $known{env} = 1 if has_since(24 => 2);
    $known{start} = 0 if has_since(35 => 1);
    delete $known{'ignore-pre-flight-checks'} unless has_since(35 => 7, 36 => 1);
    my ($flags, @rest) = parse_words(\%known, @words);
    plain_fatal(qq(unknown command "$rest[0]" for "k0s install $kind")) if @rest;
    plain_fatal('--token-file must be an absolute path') if ($flags->{'token-file'} // '/') !~ m{^/};
    my ($force, $start, @env) = (delete @$flags{qw(force start)}, words(delete $flags->{env}));
    if ($kind eq 'controller') {
        my (undef, @faults) = read_cluster_config($flags->{config} // '/etc/k0s/k0s.yaml', defined $flags->{config});
        plain_fatal("config is invalid: $faults[0]") if @faults;
    }
    my $unit = "$UNITS/k0s$kind.service";
    plain_fatal("failed to install k0s service: failed to install service: Init already exists: $unit") if -e $unit and !$force;
    make_users() if $kind eq 'controller';
    spew($unit, unit_text($kind, [map { "--$_=$flags->{$_}" } sort keys %$flags], @env), 0644);
    run_quietly('systemctl', 'enable', "k0s$kind.service") == 0 or plain_fatal("failed to enable k0s$kind.service");
    run_quietly('systemctl', 'daemon-reload');
    start_service() if $start;
}

# Users of the real control plane; nothing here runs as one of them.
sub make_users () {
    for my $user (@USERS) {
        next if defined getpwnam $user;
        run_quietly(qw(useradd --home /nonexistent --shell /sbin/nologin --system --no-create-home), $user) == 0
            or warning("could not create the user $user");
    }
}

sub run_quietly (@command) { return system 'sh', '-c', 'exec "$@" >/dev/null 2>&1', 'sh', @command }

sub unit_word ($word) {
    $word =~ s/%/%%/g;
    return $word unless $word =~ /[\s"'\\\$]/;
    $word =~ s/(["\\])/\\$1/g;
    $word =~ s/\$/\$\$/g;
    return qq("$word");
}

sub unit_text ($kind, $arguments, @env) {
    chomp(my $program = `readlink -f '$0'`);
    my $start = join ' ', $program, $kind, map { unit_word($_) } @$arguments;
    my $environment = join '', map { "Environment=" . unit_word($_) . "\n" } @env;
    return <<"UNIT";
# STAND-IN for k0s' unit: the same properties, for tests and rehearsal of mk8s.
[Unit]
Description=Stand-in for k0s ($kind)
ConditionFileIsExecutable=$program
After=network-online.target
Wants=network-online.target
StartLimitInterval=5
StartLimitBurst=10

[Service]
ExecStart=$start
${environment}EnvironmentFile=-/etc/default/%N
EnvironmentFile=-/etc/sysconfig/%N
SyslogIdentifier=k0s-standin
RestartSec=10
Delegate=yes
KillMode=process
LimitCORE=infinity
TasksMax=infinity
TimeoutStartSec=0
LimitNOFILE=999999
Restart=always

[Install]
WantedBy=multi-user.target
UNIT
}

sub installed_unit () {
    my ($unit) = grep { -e "$UNITS/$_" } qw(k0scontroller.service k0sworker.service);
    return $unit // plain_fatal("k0s has not been installed as a service");
}

sub start_service () { exit(run_quietly('systemctl', 'start', installed_unit()) ? 1 : 0) }
sub stop_service () { exit(run_quietly('systemctl', 'stop', installed_unit()) ? 1 : 0) }

sub reset_host (@words) {
    must_be_root();
    my ($flags) = parse_words({%BOTH}, @words);
    my $data = $flags->{'data-dir'} // $DATA;
    plain_fatal('k0s seems to be running! please stop k0s before reset') if status_of_process('/status');
    for my $unit (grep { -e "$UNITS/$_" } qw(k0scontroller.service k0sworker.service)) {
        run_quietly('systemctl', 'disable', $unit);
        run_quietly('systemctl', 'reset-failed', $unit);
        unlink "$UNITS/$unit";
        File::Path::remove_tree("$UNITS/$unit.d");
    }
    run_quietly('systemctl', 'daemon-reload');
    for my $user (grep { defined getpwnam $_ } @USERS) {
        run_quietly('userdel', $user);
    }
    File::Path::remove_tree($data, '/run/k0s', $RUN, '/var/lib/kubelet');
    info('k0s cleanup operations done. To ensure a full reset, a node reboot is recommended. (stand-in)');
}

# ---- status
sub status_of_process ($path) {
    my $socket = IO::Socket::UNIX->new(Peer => $STATUS_SOCKET) or return undef;
    print {$socket} "GET $path HTTP/1.1\r\nHost: localhost\r\n\r\n";
    $socket->flush;
    local $/;
    my $answer = parse_message(<$socket> // '') or return undef;
    return $answer->{body};
}

sub status (@words) {
    my ($flags, @rest) = parse_words({%BOTH, output => 1}, @words);
    $STATUS_SOCKET = $flags->{'status-socket'} // $STATUS_SOCKET;
    my $path = ($rest[0] // '') eq 'components' ? '/components' : '/status';
    my $body = status_of_process($path)
        // plain_fatal(qq(status: can't get "status" via "$STATUS_SOCKET": dial unix $STATUS_SOCKET: connect: no such file or directory));
    return print pretty(decode_kept($body)), "\n" if ($flags->{output} // '') eq 'json' or $path eq '/components';
    my $status = decode($body);
    print "Version: $status->{Version} (stand-in)\nProcess ID: $status->{Pid}\nRole: $status->{Role}\n",
        'Workloads: ', $status->{Workloads} ? 'true' : 'false', "\nSingleNode: ", $status->{SingleNode} ? 'true' : 'false', "\n";
}

# Numbers and truths as they were: decode makes words of them.
sub decode_kept ($text) {
    my $tree = decode($text);
    $tree->{$_} = number($tree->{$_}) for grep { defined $tree->{$_} } qw(Pid PPid);
    $tree->{$_} = $tree->{$_} ? \1 : \0 for grep { defined $tree->{$_} } qw(Workloads SingleNode DynamicConfig StandIn);
    my $worker = $tree->{WorkerToAPIConnectionStatus};
    $worker->{Success} = $worker->{Success} ? \1 : \0 if $worker;
    return $tree;
}

# ---- a running controller, asked as its administrator
sub ask_as_admin ($method, $path, $body = undef) {
    must_be_root();
    make_folder($RUN, 0700);
    plain_fatal("stat $DATA/pki/admin.conf: no such file or directory") unless -e "$DATA/pki/admin.conf";
    my ($port) = (slurp("$DATA/pki/admin.conf") // '') =~ /server: \S+:(\d+)/;
    my ($status, $answer, $why) = ask($method, 'localhost', $port, $path, ca => tls('ca.crt'), name => 1,
        cert => tls('client-admin.crt'), key => tls('client-admin.key'), body => $body, timeout => 10);
    plain_fatal(qq(Get "https://localhost:$port$path": $why)) unless $status;
    plain_fatal($answer) if $status != 200;
    return $answer;
}

sub take_data_dir ($flags) {
    $DATA = $flags->{'data-dir'} // $DATA;
    $KUBECONFIG = "$DATA/pki/admin.conf";
}

sub seconds_of ($text) {
    my %unit = (h => 3600, m => 60, s => 1);
    my $sum = 0;
    $sum += $1 * $unit{$2} while $text =~ /\G([\d.]+)([hms])/gc;
    plain_fatal(qq(invalid argument "$text" for "--expiry" flag: time: invalid duration "$text"))
        if (pos $text // 0) != length $text;
    return $sum;
}

sub token (@words) {
    my ($flags, $verb, @rest) = parse_words({%BOTH, role => 1, expiry => 1, wait => 0, cert => 1, url => 1, out => 1, valid => 1}, @words);
    take_data_dir($flags);
    $verb //= '';
    return token_create($flags) if $verb eq 'create';
    return token_list() if $verb eq 'list';
    return token_preshared($flags) if $verb eq 'pre-shared';
    not_built("token $verb") unless $verb eq 'invalidate';
    plain_fatal('requires at least one token ID to invalidate') unless @rest;
    for my $id (@rest) {
        ask_as_admin(POST => '/v1-standin/token-delete', encode({name => $id}));
        print "token $id deleted successfully\n";
    }
}

sub role_of ($flags) {
    my $role = $flags->{role} // 'worker';
    plain_fatal(qq(unsupported role "$role"; supported roles are "controller" and "worker")) unless $role =~ /^(?:controller|worker)$/;
    return $role;
}

sub token_create ($flags) {
    my $role = role_of($flags);
    my $expiry = seconds_of($flags->{expiry} // '0s');
    my $state = decode(ask_as_admin(GET => '/v1-standin/state'));
    plain_fatal('refusing to create token: cannot join into a single node cluster') if $state->{single} or $state->{store} eq 'sqlite';
    my ($id, $secret) = (substr(random_hex(3), 0, 6), random_hex(8));
    my $expires = $expiry ? int(time + $expiry) : 0;
    ask_as_admin(POST => '/v1-standin/token', encode({name => $id, secret => $secret, role => $role, expires => $expires}));
    my ($api, $join) = split ' ', slurp("$RUN/ports") // '6443 9443';
    my $host = slurp("$RUN/address") // 'localhost';
    $host = "[$host]" if $host =~ /:/;
    my $url = "https://$host:" . ($role eq 'controller' ? $join : $api);
    print packed_token($role, $url, slurp(tls('ca.crt')), "$id.$secret"), "\n";
}

sub packed_token ($role, $url, $authority, $token) {
    my $user = $role eq 'controller' ? 'controller-bootstrap' : 'kubelet-bootstrap';
    return base64(filter(<<"YAML", qw(gzip -nc)));
apiVersion: v1
clusters:
- cluster:
    certificate-authority-data: @{[base64($authority)]}
    server: $url
  name: k0s
contexts:
- context:
    cluster: k0s
    user: $user
  name: k0s
current-context: k0s
kind: Config
preferences: {}
users:
- name: $user
  user:
    token: $token
YAML
}

sub token_list () {
    my $tokens = decode(ask_as_admin(GET => '/v1-standin/state'))->{tokens} // {};
    return print STDERR "No k0s join tokens found\n" unless %$tokens;
    print "ID      ROLE        EXPIRES AT\n";
    printf "%-7s %-11s %s\n", $_, $tokens->{$_}{role}, $tokens->{$_}{expires} ? iso($tokens->{$_}{expires}) : ''
        for sort keys %$tokens;
}

# Made without a cluster: a Secret to be applied, and the token.
sub token_preshared ($flags) {
    my $role = role_of($flags);
    plain_fatal("required flag(s) \"$_\" not set") for grep { !defined $flags->{$_} } qw(cert url);
    my ($id, $secret, $out) = (substr(random_hex(3), 0, 6), random_hex(8), $flags->{out} // '.');
    my $authority = slurp($flags->{cert}) // plain_fatal("open $flags->{cert}: no such file or directory");
    my $expires = ($flags->{valid} // '0s') ne '0s' ? '  expiration: ' . iso(time + seconds_of($flags->{valid})) . "\n" : '';
    spew("$out/token_$id", packed_token($role, $flags->{url}, $authority, "$id.$secret"), 0640);
    spew("$out/bootstrap-token-$id.yaml", <<"YAML", 0640);
# of the stand-in for k0s, which does not apply it
apiVersion: v1
kind: Secret
metadata:
  name: bootstrap-token-$id
  namespace: kube-system
type: bootstrap.kubernetes.io/token
stringData:
  token-id: $id
  token-secret: $secret
$expires
YAML
}

# ---- etcd
sub etcd (@words) {
    my ($flags, $verb) = parse_words({%BOTH, 'peer-address' => 1}, @words);
    take_data_dir($flags);
    my $state = decode(ask_as_admin(GET => '/v1-standin/state'));
    plain_fatal("wrong storage type: kine") if $state->{store} ne 'etcd';
    if (($verb // '') eq 'member-list') {
        my %members = map { ($_->{started} ? $_->{name} : '') => "https://$_->{ip}:2380" } members_of($state);
        return print encode({members => \%members}), "\n";
    }
    not_built('etcd ' . ($verb // '')) unless ($verb // '') eq 'leave';
    ask_as_admin(POST => '/v1-standin/leave', encode({name => 'leave', ip => $flags->{'peer-address'} // first_ip()}));
    info('Successfully deleted etcd member');
}

# ---- the rest
sub kubeconfig_verb (@words) {
    my ($flags, $verb) = parse_words({%BOTH}, @words);
    take_data_dir($flags);
    not_built('kubeconfig ' . ($verb // '')) unless ($verb // '') eq 'admin';
    must_be_root();
    my $text = slurp("$DATA/pki/admin.conf") // plain_fatal("failed to read admin config, check if the control plane is initialized on this node: open $DATA/pki/admin.conf: no such file or directory");
    my $host = slurp("$RUN/address") // 'localhost';
    print $text =~ s{https://localhost:}{https://$host:}r;
}

sub config_verb (@words) {
    my ($flags, $verb) = parse_words({%BOTH, 'include-images' => 0}, @words);
    $verb //= '';
    return print "# written by the stand-in for k0s\n", <<'YAML' if $verb eq 'create';
apiVersion: k0s.k0sproject.io/v1beta1
kind: ClusterConfig
metadata:
  name: k0s
spec:
  storage:
    type: etcd
  network:
    provider: kuberouter
    podCIDR: 10.244.0.0/16
    serviceCIDR: 10.96.0.0/12
    clusterDomain: cluster.local
  telemetry:
    enabled: true
YAML
    not_built("config $verb") unless $verb eq 'validate' and has_since(23 => 0);
    my (undef, @faults) = read_cluster_config($flags->{config} // '/etc/k0s/k0s.yaml', 1);
    plain_fatal(join "\n", @faults) if @faults;
}

sub sysinfo (@words) {
    my ($flags) = parse_words({%BOTH, controller => 0, worker => 0, output => 1}, @words);
    return print qq([{"prop":"stand-in","category":"pass","message":"nothing of the host is looked at"}]\n) if ($flags->{output} // '') eq 'json';
    print "stand-in: nothing of the host is looked at (pass)\n";
}
