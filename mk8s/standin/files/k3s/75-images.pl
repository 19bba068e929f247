# ---- image archives: K3s starts without them; what is there is imported, what is torn is complained of

sub load_images () {
    my $folder = "$DATA/agent/images";
    return info("$folder does not exist: no images to import") unless -d $folder;
    for my $path (sort glob "$folder/*") {
        next unless $path =~ /\.(?:tar|tar\.gz|tgz|tar\.zst|tzst|tar\.lz4|tar\.bz2|tbz)$/;
        my $fault = archive_fault($path);
        $fault ? complain("Unable to import $path: $fault") : info("Imported images from $path");
        event('images', file => $path, fault => $fault);
    }
}

# What the real program extracts from itself.
sub unpack_runtime () {
    my $folder = "$DATA/data/" . sha256("$VERSION $BUILT_FOR stand-in");
    return if -d "$folder/bin";
    make_folder("$folder/bin");
    symlink $ENV{STANDIN_PROGRAM} // $0, "$folder/bin/$_" for qw(kubectl crictl ctr containerd);
    unlink "$DATA/data/current";
    symlink $folder, "$DATA/data/current";
}
