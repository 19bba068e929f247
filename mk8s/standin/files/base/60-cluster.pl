# ---- cluster: the document that stands for the datastore -------------------------------------------
# One document holds members, nodes, node passwords, and a revision. With etcd, every server has a copy of
# it. It is not Raft: the first living voter, in the order of joining, takes the writes; the others forward
# to it and fetch its document when they hear of a higher revision. With SQLite the one server has it in
# its file. With an external datastore (kine) it lies there, and servers keep what they last saw of it.

our $STORE = 'etcd';    # etcd, sqlite, kine
our $NEEDS_QUORUM = 0;   # k0s: nothing is written or read without a majority of etcd's voters
our $STATE = {};        # the newest document that this process has seen
our $STATE_SEEN = '';
our $LEASE_FRESH = 8;   # seconds without a heartbeat after which a server counts as away

sub has_data () { return -e state_file() }

sub state_now () {
    my @stat = stat state_file() or return $STATE;
    my $seen = join ':', @stat[1, 7, 9];
    return $STATE if $seen eq $STATE_SEEN;
    my $state = decode(slurp(state_file()) // '') // return $STATE;
    ($STATE, $STATE_SEEN) = ($state, $seen);
    return $STATE;
}

# Change the document under a lock. $change gets it and returns the answer; it dies with [status, words]
# to change nothing.
sub change_state ($change) {
    return change_in_datastore($change) if $STORE eq 'kine';
    make_folder(state_file() =~ s{/[^/]+$}{}r, 0700);
    open my $lock, '>', "$RUN/state.lock" or fatal('open lock: ' . lc $!);
    flock $lock, LOCK_EX;
    $STATE_SEEN = '';
    my $state = state_now();
    my $before = encode($state);
    my $answer = eval { $change->($state) };
    if ($@) {
        $STATE_SEEN = '';
        return ref $@ ? @{$@} : (500, $@);
    }
    if (encode($state) ne $before) {
        $state->{rev}++;
        spew(state_file(), encode($state));
        $STATE_SEEN = '';
    }
    close $lock;
    return (200, ref $answer ? encode($answer) : $answer // 'ok');
}

sub adopt ($state) {
    my ($status) = change_state(sub ($mine) {
        die [200, 'older'] if ($mine->{rev} // -1) >= $state->{rev};
        %$mine = (%$state, rev => $state->{rev} - 1);    # change_state adds one
        return 'adopted';
    });
    return $status;
}

sub members () { return members_of(state_now()) }
sub members_of ($state) { return sort { $a->{order} <=> $b->{order} } values %{$state->{members} // {}} }
sub member ($name) { return (state_now()->{members} // {})->{$name} }
sub servers_of ($state) { return [map { $_->{ip} } grep { !$_->{learner} } members_of($state)] }

# ---- leases: who was heard lately; a file each, so that request handlers see them
sub touch_lease ($name) { open my $file, '>', "$RUN/leases/$name" or return; utime undef, undef, $file }
sub lease_age ($name) { my @stat = stat "$RUN/leases/$name"; return @stat ? time - $stat[9] : undef }

sub is_away ($name) {
    my $age = lease_age($name);
    return (defined $age and $age > $LEASE_FRESH);
}

sub leads () {
    for my $member (members()) {
        next if $member->{learner};
        return 1 if $member->{name} eq $NODE;
        return 0 unless is_away($member->{name});
    }
    return 0;
}

# A write goes to the first living voter; the answer is (status, body).
sub cluster_write ($path, $body, $forwarded = 0) {
    for my $member ($forwarded || $STORE ne 'etcd' ? () : members()) {
        last if $member->{name} eq $NODE;
        next if $member->{learner} or is_away($member->{name});
        my ($status, $answer) = ask_server($member->{ip}, POST => $path, body => $body, timeout => 3,
            headers => ['X-Standin-Forwarded: 1']);
        return ($status, $answer) if $status;
    }
    my ($status, $answer) = apply_write($path, decode($body));
    heartbeat('rev');
    return ($status, $answer);
}

sub ask_server ($ip, $method, $path, %more) {
    my $auth = 'server:' . password();
    return ask($method, $ip, $PORT, $path, ca => tls("$SERVER_CA.crt"), auth => $auth, timeout => 2, %more);
}

# ---- the writes
our %MORE_WRITES;       # path -> sub ($state, $input); k0s' own

sub apply_write ($path, $input) {
    my $starts = $path eq '/v1-standin/member-started';
    my $ungated = $starts || $path eq '/v1-standin/member';    # a new member is judged before it is voted on
    return (503, 'etcdserver: request timed out') unless $ungated or has_quorum();
    return (400, 'no JSON') unless ref $input eq 'HASH' and ($input->{name} // '') =~ /^[a-z0-9][a-z0-9.-]*$/;
    return change_state(sub ($state) { add_member($state, $input) }) if $path eq '/v1-standin/member';
    return change_state(sub ($state) { add_node($state, $input) }) if $path eq '/v1-standin/node';
    return change_state(sub ($state) { node_is_ready($state, $input) }) if $path eq '/v1-standin/node-ready';
    return change_state(sub ($state) { delete_node($state, $input) }) if $path eq '/v1-standin/node-delete';
    return change_state(sub ($state) { start_member($state, $input) }) if $starts;
    my $more = $MORE_WRITES{$path} or return (404, 'no such write');
    return change_state(sub ($state) { $more->($state, $input) });
}

sub add_member ($state, $input) {
    return add_voter($state, $input) if $DISTRO eq 'k0s' and !joins_as_learner();
    my $members = $state->{members};
    my $known = $members->{$input->{name}};
    if ($known) {
        return $state if $known->{id} eq $input->{id};
        die [409, 'duplicate node name found, please use a unique name for this node'];
    }
    die [400, "the datastore of this cluster is not etcd but $state->{store} (stand-in's own words)"]
        if $state->{store} ne 'etcd';
    die [409, 'etcdserver: too many learner members in cluster'] if grep { $_->{learner} } values %$members;
    die [503, 'etcdserver: request timed out'] unless has_quorum();
    $members->{$input->{name}} = {
        id => $input->{id}, name => $input->{name}, ip => $input->{ip},
        learner => 1, order => ++$state->{joins}, since => time,
    };
    touch_lease($input->{name});
    return $state;
}

sub start_member ($state, $input) {
    my $member = $state->{members}{$input->{name}} or die [404, 'etcdserver: member not found'];
    $member->{started} ||= time;
    touch_lease($input->{name});
    return $state;
}

# Voters that run, by what this process has heard.
sub has_quorum () {
    return 1 unless $NEEDS_QUORUM and $STORE eq 'etcd';
    my @voters = grep { !$_->{learner} } members();
    my @alive = grep { $_->{started} and $_->{name} eq $NODE || (lease_age($_->{name}) // 99) <= $LEASE_FRESH } @voters;
    return 2 * @alive > @voters;
}

sub check_password ($state, $input) {
    my $hash = $state->{passwords}{$input->{name}} //= $input->{password};
    return if $hash eq $input->{password};
    die [403, "Node password rejected, duplicate hostname or contents of '/etc/rancher/node/password' may not "
        . 'match server node-passwd entry, try enabling a unique node name with the --with-node-id flag'];
}

sub add_node ($state, $input) {
    check_password($state, $input) if defined $input->{password};    # k0s has none
    my $node = $state->{nodes}{$input->{name}} //= {
        created => time, uid => random_hex(16), labels => $input->{labels}, taints => $input->{taints}, ready => '',
    };
    $node->{$_} = $input->{$_} for qw(name ip role version arch os kernel roles);
    touch_lease($input->{name});
    return agent_view($state);
}

# What an agent has to know of its cluster.
sub agent_view ($state) {
    return {servers => servers_of($state), map { $_ => $state->{$_} } qw(cluster rev cni)};
}

sub node_is_ready ($state, $input) {
    check_password($state, $input) if defined $input->{password};
    my $node = $state->{nodes}{$input->{name}} or die [404, 'node not found'];
    return 'ok' if $node->{ready};
    $node->{ready} = time;
    return 'ok';
}

# As in Rancher's engine, a server's member leaves with its node.
sub delete_node ($state, $input) {
    my $name = $input->{name};
    delete $state->{nodes}{$name} or die [404, 'node not found'];
    delete $state->{passwords}{$name};
    delete $state->{members}{$name} unless $DISTRO eq 'k0s';
    return 'ok';
}

# The leader's look at learners, a few times a second. Progress is a fresh heartbeat.
our %HEARD;             # node -> when this process heard it last, by uptime()
our %LEARNER_SINCE;
sub tend_learners () {
    my @learners = grep { $_->{learner} } members();
    %LEARNER_SINCE = () unless @learners;
    return unless @learners and leads();
    for my $learner (@learners) {
        my $name = $learner->{name};
        my $age = lease_age($name) // 0;
        if ($age > setting('LEARNER_TIMEOUT', 300)) {
            change_state(sub ($state) { delete $state->{members}{$name} });
            warning("Removing etcd learner $name: no progress for ${age}s");
            event('learner-removed', learner => $name);
        } elsif (defined $HEARD{$name} and uptime() - $HEARD{$name} < 1.2) {
            $LEARNER_SINCE{$name} //= uptime();
            next if uptime() - $LEARNER_SINCE{$name} < setting('PROMOTE_SECONDS', 1.5);
            change_state(sub ($state) { $state->{members}{$name}{learner} = '' if $state->{members}{$name} });
            info("Promoted learner $name to voting member");
            event('promote', learner => $name);
        } else {
            next;
        }
        heartbeat('rev');
    }
}
