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
