# ---- certificates: one authority for servers, one for clients, as in the real tree -----------------

our ($TLS, $SERVER_CA, $CLIENT_CA) = ('server/tls', 'server-ca', 'client-ca');    # k0s has others

sub tls ($name) { return "$DATA/$TLS/$name" }

sub openssl (@arguments) {
    my $pid = fork // fatal("fork: " . lc $!);
    if (!$pid) {
        open STDERR, '>', "$RUN/openssl.err";
        open STDOUT, '>', '/dev/null';
        exec 'openssl', @arguments or POSIX::_exit(127);
    }
    waitpid $pid, 0;
    fatal("openssl $arguments[0]: " . (slurp("$RUN/openssl.err") // 'failed')) if $?;
}

sub new_certificate ($path, $subject, $extensions, @signer) {
    spew("$RUN/openssl.cnf", "[req]\ndistinguished_name=dn\nprompt=no\n[dn]\n[ext]\n$extensions\n");
    openssl(
        qw(req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -sha256 -days 3650),
        '-config', "$RUN/openssl.cnf", '-extensions', 'ext', '-subj', $subject,
        '-keyout', "$path.key", '-out', "$path.crt", @signer,
    );
    chmod 0600, "$path.key";
    chmod 0644, "$path.crt";
}

sub signed_by ($authority) { return ('-CA', tls("$authority.crt"), '-CAkey', tls("$authority.key")) }

sub authorities () { return $SERVER_CA eq $CLIENT_CA ? ($SERVER_CA) : ($SERVER_CA, $CLIENT_CA) }

sub make_authorities () {
    make_folder(tls(''), 0700);
    my $extensions = join "\n", 'basicConstraints=critical,CA:TRUE', 'keyUsage=critical,keyCertSign,cRLSign',
        'subjectKeyIdentifier=hash';
    new_certificate(tls($_), "/CN=$DISTRO-$_\@" . time, $extensions) for authorities();
}

sub client_certificate ($path, $subject) {
    my $extensions = "keyUsage=critical,digitalSignature\nextendedKeyUsage=clientAuth";
    new_certificate($path, $subject, $extensions, signed_by($CLIENT_CA));
}

# Certificates are made side by side by the children that answer: each in a folder of its own.
sub kubelet_certificate ($name) {
    local $RUN = "$RUN/work.$$";
    make_folder($RUN, 0700);
    client_certificate("$RUN/kubelet", "/O=system:nodes/CN=system:node:$name");
    my %files = map { $_ => slurp("$RUN/kubelet.$_") } qw(crt key);
    File::Path::remove_tree($RUN);
    return \%files;
}

# Made at every start, so that new names in tls-san count.
sub make_certificates ($config, $ip) {
    my @names = grep { length } map { split /,/ } words($config->{'tls-san'});
    my %san = map { ((/^[\d.]+$/ || /:/ ? 'IP:' : 'DNS:') . $_ => 1) }
        '127.0.0.1', '::1', '10.43.0.1', $ip, $NODE, qw(localhost kubernetes kubernetes.default.svc), @names;
    my $extensions = "extendedKeyUsage=serverAuth\nsubjectAltName=" . join ',', sort keys %san;
    new_certificate(tls('serving-kube-apiserver'), '/CN=kube-apiserver', $extensions, signed_by($SERVER_CA));
    client_certificate(tls('client-admin'), '/O=system:masters/CN=system:admin');
    client_certificate(tls('client-kube-apiserver'), '/O=system:masters/CN=system:apiserver');
}

sub kubeconfig ($server, $authority, $certificate, $key) {
    return <<"YAML";
apiVersion: v1
clusters:
- cluster:
    certificate-authority-data: @{[base64($authority)]}
    server: $server
  name: default
contexts:
- context:
    cluster: default
    user: default
  name: default
current-context: default
kind: Config
preferences: {}
users:
- name: default
  user:
    client-certificate-data: @{[base64($certificate)]}
    client-key-data: @{[base64($key)]}
YAML
}
