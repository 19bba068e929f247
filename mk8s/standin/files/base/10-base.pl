# ---- base: time, files, words for the journal, the evidence log -----------------------------------

# A knob of the unit's file in /etc/default: STANDIN_<NAME>, a number of seconds or a word.
sub setting ($name, $default) { return $ENV{"STANDIN_$name"} // $default }

# Seconds since boot, to 10 ms. perl-base has no Time::HiRes.
sub uptime () {
    open my $file, '<', '/proc/uptime' or return time;
    return (split ' ', scalar <$file>)[0];
}

sub timestamp () { my $now = `date +%s.%N`; $now =~ s/\d{3}\s*\z//; return $now }

sub slurp ($path) {
    open my $file, '<:raw', $path or return undef;
    local $/;
    my $text = <$file>;
    return $text // '';
}

# Whole or not at all: a reader sees the old file or the new one.
sub spew ($path, $text, $mode = 0600) {
    my $new = "$path.new.$$";
    open my $file, '>:raw', $new or fatal("open $new: " . lc $!);
    chmod $mode, $new;
    print {$file} $text or fatal("write $path: " . lc $!);
    close $file or fatal("write $path: " . lc $!);
    rename $new, $path or fatal("rename $path: " . lc $!);
}

sub make_folder ($path, $mode = 0755) {
    File::Path::make_path($path, {mode => $mode, error => \my $errors});
    for my $error (@$errors) {
        my ($where, $why) = %$error;
        fatal("mkdir $where: " . lc $why);
    }
}

sub random_hex ($bytes) {
    open my $file, '<:raw', '/dev/urandom' or fatal('open /dev/urandom: ' . lc $!);
    read($file, my $raw, $bytes);
    return unpack 'H*', $raw;
}

# What a command says to `input`.
sub filter ($input, @command) {
    my $pid = IPC::Open2::open2(my $out, my $in, @command);
    binmode $_ for $in, $out;
    print {$in} $input;
    close $in;
    local $/;
    my $said = <$out>;
    waitpid $pid, 0;
    return $said // '';
}

sub sha256 ($bytes) { return substr filter($bytes, 'sha256sum'), 0, 64 }

sub base64 ($bytes) {
    my $text = '';
    while ($bytes =~ /(.{1,45})/gs) {
        $text .= substr pack('u', $1), 1;
        chop $text;
    }
    $text =~ tr|` -_|AA-Za-z0-9+/|;
    my $padding = (3 - length($bytes) % 3) % 3;
    substr($text, -$padding) = '=' x $padding if $padding;
    return $text;
}

sub unbase64 ($text) {
    $text =~ tr|A-Za-z0-9+/||cd;
    $text =~ tr|A-Za-z0-9+/| -_|;
    my $bytes = '';
    $bytes .= unpack 'u', chr(32 + int(length($1) * 3 / 4)) . $1 while $text =~ /(.{1,60})/gs;
    return $bytes;
}

# A line as the real engine writes it.
sub say_line ($level, $message) {
    $message =~ s/([\\"])/\\$1/g;
    $message =~ s/\n/\\n/g;
    my $when = POSIX::strftime('%Y-%m-%dT%H:%M:%SZ', gmtime);
    print STDERR qq(time="$when" level=$level msg="$message"\n);
}
sub info ($message) { say_line('info', $message) }
sub warning ($message) { say_line('warning', $message) }
sub complain ($message) { say_line('error', $message) }

sub fatal ($message) {
    say_line('fatal', $message);
    event('fatal', message => $message) if $ROLE;
    exit 1;
}

our %ROLE_WORD;         # k0s calls a server controller, and an agent worker

# The evidence: one line for each thing that happened, kept until the uninstall script removes it.
sub event ($kind, %fields) {
    my $line = encode({
        standin => \1, t => number(timestamp()), event => $kind, node => $NODE, role => $ROLE_WORD{$ROLE} // $ROLE,
        version => $VERSION, pid => number($$), %fields,
    });
    sysopen my $file, $LOG, O_WRONLY | O_CREAT | O_APPEND, 0600 or return;
    syswrite $file, "$line\n";
}

sub notify_systemd ($message) {
    my $path = $ENV{NOTIFY_SOCKET} or return;
    $path =~ s/^@/\0/;
    socket my $socket, AF_UNIX, SOCK_DGRAM, 0 or return;
    send $socket, $message, 0, pack_sockaddr_un($path);
}
