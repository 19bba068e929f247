# ---- what both engines' command lines have ----------------------------------------------------------

sub version () {
    print "$DISTRO version $VERSION (STAND-IN for tests and rehearsal of mk8s; this is not $TITLE)\n",
        "go version none (perl $^V)\n";
}

sub token (@arguments) {
    return print random_hex(3) . '.' . random_hex(8) . "\n" if ($arguments[0] // '') eq 'generate';
    not_built('token ' . ($arguments[0] // ''));
}

sub not_built ($what) {
    print STDERR "$DISTRO $what: stand-in: not built\n";
    exit 1;
}
