# ---- the folder of images: plain tars only, whatever they are called ---------------------------------

our %IMPORTED;          # path -> its size and time when it was looked at

# Whether the network's own image is there; without it no node becomes Ready.
sub import_images () {
    my $found = 0;
    for my $path (grep { -f } glob "$DATA/images/*") {
        my $seen = join ':', (stat $path)[7, 9];
        $found ||= index(first_bytes($path), 'kube-router') >= 0;
        next if ($IMPORTED{$path} // '') eq $seen;
        $IMPORTED{$path} = $seen;
        my $fault = substr(first_bytes($path), 257, 5) eq 'ustar' ? '' : 'archive/tar: invalid tar header';
        $fault ? complain("Failed to import OCI image bundle $path: $fault") : info("Imported OCI image bundle $path");
        event('images', file => $path, fault => $fault);
    }
    return $found;
}

sub first_bytes ($path) {
    open my $file, '<:raw', $path or return '';
    read $file, my $bytes, 8192;
    return $bytes // '';
}

# Where a registry is set up, images come from there.
sub has_registry ($state) {
    return ($state->{repository} or glob('/etc/k0s/containerd.d/*.toml') or glob('/etc/k0s/containerd.d/certs.d/*'));
}
