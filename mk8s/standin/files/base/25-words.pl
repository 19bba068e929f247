# ---- words of YAML, and values that are a word or a list of words ---------------------------------

sub without_comment ($text) {
    return $1 if $text =~ /^("(?:[^"\\]|\\.)*"|'(?:[^']|'')*')\s*(?:#.*)?$/;
    $text =~ s/(?:^|\s+)#.*$//;
    $text =~ s/\s+$//;
    return $text;
}

sub scalar_of ($text) {
    $text = without_comment($text);
    return unquote($1) if $text =~ /^"(.*)"$/s;
    return $1 =~ s/''/'/gr if $text =~ /^'(.*)'$/s;
    return '' if $text eq '~' or $text eq 'null';
    return $text;
}

sub flow_items ($text) {
    my @items;
    push @items, scalar_of($1 =~ s/^\s+|\s+$//gr) while $text =~ /\G\s*("(?:[^"\\]|\\.)*"|'[^']*'|[^,]+)\s*,?/gc;
    return @items;
}

sub words ($value) {
    return () unless defined $value and (ref $value or length $value);
    return ref $value ? @$value : ($value);
}

sub word ($config, $key, $default = '') {
    my @words = words($config->{$key});
    return @words ? join(',', @words) : $default;
}

sub is_true ($config, $key) { return word($config, $key) =~ /^(?:true|yes|1|on)$/i }
