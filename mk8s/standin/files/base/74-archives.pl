# ---- archives of images: is one whole? --------------------------------------------------------------

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
