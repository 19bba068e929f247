# ---- JSON: enough for our own documents -----------------------------------------------------------
# Scalars are strings; number(5) is a number, \1 and \0 are booleans.

sub number ($value) { return bless \(my $copy = $value), 'Number' }

sub encode ($value) {
    return 'null' unless defined $value;
    my $kind = ref $value;
    return $$value if $kind eq 'Number';
    return $$value ? 'true' : 'false' if $kind eq 'SCALAR';
    return '[' . join(',', map { encode($_) } @$value) . ']' if $kind eq 'ARRAY';
    return '{' . join(',', map { quote($_) . ':' . encode($value->{$_}) } sort keys %$value) . '}'
        if $kind eq 'HASH';
    return quote($value);
}

sub quote ($text) {
    $text =~ s/(["\\])/\\$1/g;
    $text =~ s/([\x00-\x1f])/sprintf '\\u%04x', ord $1/ge;
    return qq("$text");
}

# undef where the text is no JSON.
sub decode ($text) {
    pos($text) = 0;
    my $value = eval { decode_value(\$text) };
    return $@ ? undef : $value;
}

sub decode_value ($text) {
    return decode_list($text) if $$text =~ /\G\s*\[/gc;
    return decode_map($text) if $$text =~ /\G\s*\{/gc;
    return unquote($1) if $$text =~ /\G\s*"((?:[^"\\]|\\.)*)"/gcs;
    return $1 if $$text =~ /\G\s*(-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)/gc;
    return $1 eq 'true' ? 1 : $1 eq 'false' ? 0 : undef if $$text =~ /\G\s*(true|false|null)\b/gc;
    die "no JSON\n";
}

sub decode_list ($text) {
    my @items;
    until ($$text =~ /\G\s*\]/gc) {
        push @items, decode_value($text);
        $$text =~ /\G\s*(?:,|(?=\]))/gc or die "no JSON\n";
    }
    return \@items;
}

sub decode_map ($text) {
    my %map;
    until ($$text =~ /\G\s*\}/gc) {
        $$text =~ /\G\s*"((?:[^"\\]|\\.)*)"\s*:/gcs or die "no JSON\n";
        my $key = unquote($1);
        $map{$key} = decode_value($text);
        $$text =~ /\G\s*(?:,|(?=\}))/gc or die "no JSON\n";
    }
    return \%map;
}

sub unquote ($text) {
    my %plain = (n => "\n", t => "\t", r => "\r", b => "\b", f => "\f");
    $text =~ s/\\(?:u([0-9a-fA-F]{4})|(.))/defined $1 ? chr hex $1 : $plain{$2} \/\/ $2/ges;
    return $text;
}
