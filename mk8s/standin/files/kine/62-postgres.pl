# ---- PostgreSQL's wire protocol: one connection, simple queries, the ways to show a password --------
# Protocol 3.0 without TLS. A failure dies with a word for the journal; `pg_error` keeps the server's code.

our $PG_CODE = '';      # SQLSTATE of the last error

sub pg_connect ($d) {
    my $socket = IO::Socket::INET->new(PeerHost => $d->{host}, PeerPort => $d->{port}, Timeout => 5)
        or die "dial error (" . dial_error($d->{host}, $d->{port}) . ")\n";
    my $pg = {socket => $socket, %$d};
    my $words = join "\0", user => $d->{user}, database => $d->{database}, application_name => "$DISTRO-standin", '';
    pg_write($pg, pack('N N', 9 + length $words, 196608) . "$words\0");
    pg_until($pg, 'Z');
    return $pg;
}

sub pg_write ($pg, $bytes) {
    while (length $bytes) {
        my $sent = syswrite $pg->{socket}, $bytes or die "the connection was lost\n";
        substr($bytes, 0, $sent) = '';
    }
}

sub pg_send ($pg, $type, $payload) { pg_write($pg, $type . pack('N', 4 + length $payload) . $payload) }

sub pg_read ($pg, $size) {
    my $bytes = '';
    while (length $bytes < $size) {
        my $read = '';
        vec($read, fileno($pg->{socket}), 1) = 1;
        select $read, undef, undef, 10 or die "i/o timeout\n";
        sysread $pg->{socket}, $bytes, $size - length $bytes, length $bytes or die "unexpected EOF\n";
    }
    return $bytes;
}

# Read messages until one of $type; the rows on the way are returned. Dies with the server's error.
sub pg_until ($pg, $type) {
    my (@rows, $error);
    while (1) {
        my ($kind, $size) = unpack 'a N', pg_read($pg, 5);
        my $payload = pg_read($pg, $size - 4);
        pg_authenticate($pg, $payload) if $kind eq 'R';
        push @rows, pg_row($payload) if $kind eq 'D';
        $error = pg_error($payload) if $kind eq 'E';
        die "$error\n" if defined $error and ($kind eq 'Z' or !$pg->{open});
        next unless $kind eq $type;
        $pg->{open} = 1;
        return @rows;
    }
}

sub pg_row ($payload) {
    my ($count, $rest) = unpack 'n a*', $payload;
    my @row;
    for (1 .. $count) {
        (my $size, $rest) = unpack 'N a*', $rest;
        push @row, $size == 0xffffffff ? undef : substr $rest, 0, $size, '';
    }
    return \@row;
}

sub pg_error ($payload) {
    my %field = map { substr($_, 0, 1) => substr $_, 1 } grep { length } split /\0/, $payload;
    $PG_CODE = $field{C} // '';
    return "$field{S}: $field{M} (SQLSTATE $PG_CODE)";
}

sub pg_query ($pg, $sql) {
    $PG_CODE = '';
    pg_send($pg, 'Q', "$sql\0");
    return pg_until($pg, 'Z');
}

sub pg_close ($pg) { eval { pg_send($pg, 'X', '') }; close $pg->{socket} }

sub pg_authenticate ($pg, $payload) {
    my ($kind, $rest) = unpack 'N a*', $payload;
    return if $kind == 0 or $kind == 12;
    return pg_send($pg, 'p', "$pg->{password}\0") if $kind == 3;
    return pg_send($pg, 'p', 'md5' . md5(md5($pg->{password} . $pg->{user}) . $rest) . "\0") if $kind == 5;
    return scram_first($pg) if $kind == 10;
    return scram_final($pg, $rest) if $kind == 11;
    die "stand-in: not built: PostgreSQL's authentication method $kind\n";
}

sub md5 ($bytes) { return substr filter($bytes, 'md5sum'), 0, 32 }

# ---- SCRAM-SHA-256 (RFC 5802, RFC 7677)
sub scram_first ($pg) {
    $pg->{first} = 'n=,r=' . random_hex(16);
    my $words = "n,,$pg->{first}";
    pg_send($pg, 'p', "SCRAM-SHA-256\0" . pack('N', length $words) . $words);
}

sub scram_final ($pg, $theirs) {
    my ($nonce, $salt, $rounds) = $theirs =~ /^r=([^,]+),s=([^,]+),i=(\d+)/ or die "SCRAM: $theirs\n";
    my $salted = salted_password($pg->{password}, unbase64($salt), $rounds);
    my $client = hmac($salted, 'Client Key');
    my $mine = "c=biws,r=$nonce";
    my $signature = hmac(sha256_raw($client), "$pg->{first},$theirs,$mine");
    pg_send($pg, 'p', "$mine,p=" . base64($client ^ $signature));
}

# Thousands of hashes; the result is kept for the connections that follow.
sub salted_password ($password, $salt, $rounds) {
    my $kept = "$RUN/scram." . substr sha256("$rounds/" . unpack('H*', $salt) . "/$password"), 0, 32;
    my $known = slurp($kept);
    return pack 'H*', $known if defined $known;
    my $hash = my $sum = hmac($password, $salt . pack 'N', 1);
    my ($inner, $outer) = hmac_states($password);
    for (2 .. $rounds) {
        my @words = sha256_block([unpack 'N8', $hash], $inner);
        @words = sha256_block(\@words, $outer);
        $hash = pack 'N8', @words;
        $sum ^= $hash;
    }
    spew($kept, unpack 'H*', $sum);
    return $sum;
}

# ---- SHA-256 in perl: perl-base has none, and a key must not stand in the arguments of a command
our @SHA_ROUND = map { hex } qw(
    428a2f98 71374491 b5c0fbcf e9b5dba5 3956c25b 59f111f1 923f82a4 ab1c5ed5 d807aa98 12835b01 243185be 550c7dc3
    72be5d74 80deb1fe 9bdc06a7 c19bf174 e49b69c1 efbe4786 0fc19dc6 240ca1cc 2de92c6f 4a7484aa 5cb0a9dc 76f988da
    983e5152 a831c66d b00327c8 bf597fc7 c6e00bf3 d5a79147 06ca6351 14292967 27b70a85 2e1b2138 4d2c6dfc 53380d13
    650a7354 766a0abb 81c2c92e 92722c85 a2bfe8a1 a81a664b c24b8b70 c76c51a3 d192e819 d6990624 f40e3585 106aa070
    19a4c116 1e376c08 2748774c 34b0bcb5 391c0cb3 4ed8aa4a 5b9cca4f 682e6ff3 748f82ee 78a5636f 84c87814 8cc70208
    90befffa a4506ceb bef9a3f7 c67178f2
);
our @SHA_START = map { hex } qw(6a09e667 bb67ae85 3c6ef372 a54ff53a 510e527f 9b05688c 1f83d9ab 5be0cd19);

# One block of 16 words into a state of 8.
sub sha256_compress ($state, @w) {
    my $mask = 0xffffffff;
    for my $t (16 .. 63) {
        my ($x, $y) = ($w[$t - 15], $w[$t - 2]);
        $w[$t] = ($w[$t - 16] + $w[$t - 7]
            + ((($x >> 7 | $x << 25) ^ ($x >> 18 | $x << 14) ^ $x >> 3) & $mask)
            + ((($y >> 17 | $y << 15) ^ ($y >> 19 | $y << 13) ^ $y >> 10) & $mask)) & $mask;
    }
    my ($a, $b, $c, $d, $e, $f, $g, $h) = @$state;
    for my $t (0 .. 63) {
        my $one = $h + ((($e >> 6 | $e << 26) ^ ($e >> 11 | $e << 21) ^ ($e >> 25 | $e << 7)) & $mask)
            + (($e & $f) ^ (~$e & $mask & $g)) + $SHA_ROUND[$t] + $w[$t];
        my $two = ((($a >> 2 | $a << 30) ^ ($a >> 13 | $a << 19) ^ ($a >> 22 | $a << 10)) & $mask)
            + (($a & $b) ^ ($a & $c) ^ ($b & $c));
        ($h, $g, $f, $e, $d, $c, $b, $a) = ($g, $f, $e, ($d + $one) & $mask, $c, $b, $a, ($one + $two) & $mask);
    }
    my @add = ($a, $b, $c, $d, $e, $f, $g, $h);
    return map { ($state->[$_] + $add[$_]) & $mask } 0 .. 7;
}

# The block that ends a message of 64 bytes and these 8 words: what HMAC hashes again and again.
sub sha256_block ($words, $state) { return sha256_compress($state, @$words, 0x80000000, (0) x 6, 768) }

sub sha256_raw ($bytes) {
    my $length = length $bytes;
    $bytes .= "\x80" . "\0" x ((55 - $length) % 64) . pack 'N N', 0, 8 * $length;
    my @state = @SHA_START;
    @state = sha256_compress(\@state, unpack 'N16', $_) for unpack '(a64)*', $bytes;
    return pack 'N8', @state;
}

sub hmac_key ($key) {
    $key = sha256_raw($key) if length $key > 64;
    return $key . "\0" x (64 - length $key);
}

sub hmac ($key, $bytes) {
    my $padded = hmac_key($key);
    return sha256_raw(($padded ^ "\x5c" x 64) . sha256_raw(($padded ^ "\x36" x 64) . $bytes));
}

sub hmac_states ($key) {
    my $padded = hmac_key($key);
    return map { [sha256_compress(\@SHA_START, unpack 'N16', $padded ^ $_ x 64)] } "\x36", "\x5c";
}
