# ---- kine: the document in an external datastore ---------------------------------------------------
# The table is kine's. Two names in it are ours: /bootstrap/standin has what servers must share, encrypted
# with the token; /standin/state has the document.

our $DATASTORE;         # where it is: host, port, user, password, database
our $KINE_SCHEMA = 'CREATE TABLE IF NOT EXISTS kine (id BIGSERIAL PRIMARY KEY, name TEXT, created INTEGER, '
    . 'deleted INTEGER, create_revision BIGINT, prev_revision BIGINT, lease INTEGER, value BYTEA, old_value BYTEA)';
our $DATASTORE_FRESH = 10;    # seconds without a word from it after which readyz says so

# Returns undef and the reason for what is no endpoint of ours.
sub parse_endpoint ($text) {
    my ($scheme, $rest) = $text =~ m{^(\w+)://(.*)$}s or return (undef, "invalid datastore endpoint");
    return (undef, "stand-in: not built: datastore $scheme") unless $scheme =~ /^postgres(?:ql)?$/;
    my ($place, $options) = split /\?/, $rest, 2;
    my ($login, $host, $database) = $place =~ m{^(?:(.*)@)?([^@/]+)(?:/(.*))?$} or return (undef, 'invalid endpoint');
    return (undef, 'stand-in: not built: TLS to the datastore')
        if ($options // '') =~ /sslmode=(?:require|verify)/;
    my ($user, $password) = map { s/%([0-9a-fA-F]{2})/chr hex $1/ger } (split(/:/, $login // '', 2), '', '')[0, 1];
    my ($name, $port) = $host =~ /^\[?(.*?)\]?(?::(\d+))?$/;
    return {
        host => $name, port => $port // 5432, user => length $user ? $user : 'postgres', password => $password,
        database => length($database // '') ? $database : 'kubernetes',
    };
}

# A connection; the database is made where it is missing, as kine does.
sub open_datastore () {
    my $pg = eval { pg_connect($DATASTORE) };
    return $pg if $pg;
    my $why = $@ =~ s/\n//r;
    if ($PG_CODE eq '3D000') {
        my $other = pg_connect({%$DATASTORE, database => 'postgres'});
        eval { pg_query($other, qq(CREATE DATABASE "$DATASTORE->{database}")) };
        pg_close($other);
        return pg_connect($DATASTORE);
    }
    my $auth = $PG_CODE =~ /^28/ ? 'failed SASL auth (' : '';
    die "failed to connect to `host=$DATASTORE->{host} user=$DATASTORE->{user} database=$DATASTORE->{database}`: "
        . $auth . $why . ($auth ? ')' : '') . "\n";
}

sub kine_get ($pg, $name) {
    my ($row) = pg_query($pg, "SELECT encode(value, 'hex') FROM kine WHERE name = '$name' ORDER BY id DESC LIMIT 1");
    return $row ? pack 'H*', $row->[0] : undef;
}

sub kine_put ($pg, $name, $text) {
    my $hex = unpack 'H*', $text;
    pg_query($pg, "INSERT INTO kine (name, created, deleted, value) VALUES ('$name', 1, 0, decode('$hex', 'hex'))");
    pg_query($pg, "DELETE FROM kine WHERE name = '$name' AND id < (SELECT max(id) FROM kine WHERE name = '$name')");
}

sub with_datastore ($work) {
    my $pg = open_datastore();
    my @answer = eval { $work->($pg) };
    my $error = $@;
    pg_close($pg);
    die $error if $error;
    utime undef, undef, "$RUN/datastore-seen" or spew("$RUN/datastore-seen", "\n");
    return wantarray ? @answer : $answer[0];
}

# The document changes in one transaction; servers do it one after another.
sub change_in_datastore ($change) {
    my @answer = eval {
        with_datastore(sub ($pg) {
            pg_query($pg, 'BEGIN');
            pg_query($pg, 'LOCK TABLE kine IN EXCLUSIVE MODE');
            my $state = decode(kine_get($pg, '/standin/state') // '{}');
            my $before = encode($state);
            my $answer = eval { $change->($state) };
            if (ref $@) {
                pg_query($pg, 'ROLLBACK');
                return @{$@};
            }
            die $@ if $@;
            if (encode($state) ne $before) {
                $state->{rev}++;
                kine_put($pg, '/standin/state', encode($state));
            }
            pg_query($pg, 'COMMIT');
            keep_document($state);
            return (200, ref $answer ? encode($answer) : $answer // 'ok');
        });
    };
    return @answer if @answer;
    complain('error in txn: ' . ($@ =~ s/\n//r));
    return (500, 'error in txn');
}

sub keep_document ($state) {
    open my $lock, '>', "$RUN/state.lock" or return;
    flock $lock, LOCK_EX;
    my $known = decode(slurp(state_file()) // '');
    spew(state_file(), encode($state)) if !$known or $known->{rev} < $state->{rev};
    $STATE_SEEN = '';
}

sub refresh_from_datastore () {
    my $text = eval { with_datastore(sub ($pg) { return kine_get($pg, '/standin/state') }) };
    my $state = decode($text // '');
    keep_document($state) if $state and $state->{cluster};
    return $state;
}

sub datastore_is_away () {
    my @seen = stat "$RUN/datastore-seen";
    return (!@seen or time - $seen[9] > $DATASTORE_FRESH);
}

# ---- the bootstrap data: the first server writes them, the others read them
sub sealed ($text, $secret, @way) {
    spew("$RUN/seal.$$", $secret);
    my $answer = filter($text, 'sh', '-c', 'exec openssl enc "$@" 2>/dev/null', 'sh', qw(-aes-256-cbc -pbkdf2 -base64 -A),
        '-pass', "file:$RUN/seal.$$", @way);
    unlink "$RUN/seal.$$";
    return $answer;
}

# undef where there are none yet. Dies in K3s' words where another token made them.
sub read_bootstrap ($secret) {
    my $sealed = with_datastore(sub ($pg) {
        eval { pg_query($pg, $KINE_SCHEMA) };    # two servers at once: one of them fails, the table is there
        return kine_get($pg, '/bootstrap/standin');
    });
    return undef unless defined $sealed;
    my $bootstrap = decode(sealed($sealed, $secret, '-d'));
    die "bootstrap data already found and encrypted with different token\n" unless ref $bootstrap eq 'HASH';
    return $bootstrap;
}

# False where another server was quicker.
sub write_bootstrap ($secret, $bootstrap) {
    my $sealed = sealed(encode($bootstrap), $secret);
    return with_datastore(sub ($pg) {
        pg_query($pg, 'BEGIN');
        pg_query($pg, 'LOCK TABLE kine IN EXCLUSIVE MODE');
        my $there = defined kine_get($pg, '/bootstrap/standin');
        kine_put($pg, '/bootstrap/standin', $sealed) unless $there;
        pg_query($pg, 'COMMIT');
        return !$there;
    });
}
