# ---- image archives: is rke2-runtime of this version in one of them, and is that archive whole? -----

sub runtime_image () { return 'index.docker.io/rancher/rke2-runtime:' . ($VERSION =~ tr/+/-/r) }

sub load_images () {
    my $folder = "$DATA/agent/images";
    my $image = runtime_image();
    info("Checking local image archives in $folder for $image");
    my $why = -d $folder ? "not found in any file in $folder" : "directory $folder does not exist";
    for my $path (sort glob "$folder/*") {
        next unless $path =~ /\.(?:tar|tar\.gz|tgz|tar\.zst|tzst|tar\.lz4|tar\.bz2|tbz)$/;
        my $fault = archive_fault($path);
        complain("Unable to import $path: $fault") if $fault;
        next if $fault or index(beginning_of($path), substr $image, length 'index.docker.io/') < 0;
        info("Imported images from $path");
        return;
    }
    warning("Failed to load runtime image $image from tarball: no local image available for $image: $why: "
        . 'image not found');
    info("Pulling runtime image $image");
    pump(2);
    fatal(qq(failed to get runtime image $image: Get "https://index.docker.io/v2/": dial tcp: lookup index.docker.io: )
        . 'Temporary failure in name resolution');
}

# The list of images stands at the start of our archives, and is readable in a zst of raw blocks too.
sub beginning_of ($path) {
    my @how = $path =~ /gz$/ ? ('-|', 'sh', '-c', 'exec gzip -dc "$1" 2>/dev/null', 'sh', $path) : ('<', $path);
    open my $file, shift @how, @how or return '';
    binmode $file;
    read($file, my $bytes, 8192);
    return $bytes // '';
}

sub archive_fault ($path) {
    return zst_fault($path) if $path =~ /zst$/;
    return '' unless $path =~ /gz$/;
    my $bad = system 'sh', '-c', 'exec gzip -t "$1" 2>/dev/null', 'sh', $path;
    return $bad ? 'gzip: invalid checksum or unexpected EOF' : '';
}

# Walk the blocks of a zstd frame: a file that ends before its last block is torn.
sub zst_fault ($path) {
    open my $file, '<:raw', $path or return lc $!;
    my $size = -s $file;
    read($file, my $head, 18);
    return 'invalid input: magic number mismatch' unless substr($head, 0, 4) eq "\x28\xb5\x2f\xfd";
    my $descriptor = ord substr $head, 4, 1;
    my $single = $descriptor & 0x20;
    my $length = (0, 2, 4, 8)[$descriptor >> 6] || ($single ? 1 : 0);
    my $at = 5 + ($single ? 0 : 1) + (0, 1, 2, 4)[$descriptor & 3] + $length;
    while (1) {
        seek $file, $at, 0;
        (read $file, my $block, 3) == 3 or return 'unexpected EOF';
        my $word = unpack 'V', "$block\0";
        $at += 3 + ((($word >> 1) & 3) == 1 ? 1 : $word >> 3);
        return 'unexpected EOF' if $at > $size;
        return '' if $word & 1;
    }
}

# What the runtime image carries is put where the real one puts it.
sub unpack_runtime () {
    my $folder = "$DATA/data/" . ($VERSION =~ tr/+/-/r) . '-standin';
    make_folder("$folder/bin");
    my $program = slurp($ENV{STANDIN_PROGRAM} // $0);
    spew("$folder/bin/$_", $program, 0755) for qw(kubectl crictl ctr);
    return if (readlink "$DATA/bin" // '') eq "$folder/bin";
    unlink "$DATA/bin.new";
    symlink "$folder/bin", "$DATA/bin.new" and rename "$DATA/bin.new", "$DATA/bin";
}
