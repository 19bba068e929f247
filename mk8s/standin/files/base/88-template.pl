# ---- Go's templates: the few forms that kubectl is asked with -----------------------------------------
# {{.a.b}} {{.}} {{$v}} {{"text"}} {{printf "%q" X ...}} {{X | base64decode}} {{if}} {{with}} {{range}} {{else}} {{end}}

sub go_template ($text, $data) {
    my @parts = split /(\{\{.*?\}\})/s, $text;
    return render_parts(\@parts, $data, {}, 1);
}

# Takes parts up to the {{end}} or {{else}} of this level; prints nothing where $live is false.
sub render_parts ($parts, $dot, $names, $live) {
    my $text = '';
    while (@$parts) {
        if ($parts->[0] !~ /^\{\{-?\s*(.*?)\s*-?\}\}$/s) {
            $text .= shift @$parts;
            next;
        }
        my $words = $1;
        last if $words =~ /^(?:end|else)$/;
        shift @$parts;
        $text .= $words =~ /^(if|with|range)\s+(.*)$/s ? render_block($1, $2, $parts, $dot, $names, $live)
            : $live ? template_text(template_value($words, $dot, $names)) : '';
    }
    return $live ? $text : '';
}

sub render_block ($kind, $words, $parts, $dot, $names, $live) {
    my @named = $words =~ s/^\$(\w+)(?:\s*,\s*\$(\w+))?\s*:=\s*// ? grep { defined } $1, $2 : ();
    my $value = $live ? template_value($words, $dot, $names) : undef;
    my $some = template_truth($value);
    my @turns = $kind ne 'range' ? ([$kind eq 'with' ? $value : $dot, {}]) : template_turns($value, @named);
    my @body = @$parts;
    my $text = '';
    if ($live and $some) {
        for my $turn (@turns) {
            @body = @$parts;
            $text .= render_parts(\@body, $turn->[0], {%$names, %{$turn->[1]}}, 1);
        }
    } else {
        render_parts(\@body, undef, {}, 0);
    }
    if (@body and $body[0] =~ /^\{\{-?\s*else/) {
        shift @body;
        $text .= render_parts(\@body, $dot, $names, $live && !$some);
    }
    shift @body;
    @$parts = @body;
    return $text;
}

sub template_turns ($value, @named) {
    my @pairs = ref $value eq 'HASH' ? map { [$_, $value->{$_}] } sort keys %$value
        : ref $value eq 'ARRAY' ? map { [$_, $value->[$_]] } 0 .. $#$value : ();
    return map { my $pair = $_; [$pair->[1], {@named == 2 ? ($named[0] => $pair->[0], $named[1] => $pair->[1])
        : @named ? ($named[0] => $pair->[1]) : ()}] } @pairs;
}

sub template_truth ($value) {
    return @$value > 0 if ref $value eq 'ARRAY';
    return %$value ? 1 : 0 if ref $value eq 'HASH';
    return $value ? 1 : 0;
}

sub template_value ($words, $dot, $names) {
    return unbase64(template_value($1, $dot, $names) // '') if $words =~ /^(.*\S)\s*\|\s*base64decode$/s;
    if ($words =~ /^printf\s+"((?:[^"\\]|\\.)*)"\s*(.*)$/s) {
        my ($format, @values) = (unquote($1), map { template_value($_, $dot, $names) } split ' ', $2);
        $format =~ s{%([qsdv])}{$1 eq 'q' ? quote(shift @values // '') : template_text(shift @values)}ge;
        return $format;
    }
    return unquote($1) if $words =~ /^"((?:[^"\\]|\\.)*)"$/s;
    $words =~ /^(?:\$(\w+))?((?:\.[\w-]+)*|\.)$/ or kubectl_fail("error: the stand-in kubectl does not know {{$words}}");
    my $value = defined $1 ? $names->{$1} : $dot;
    for my $key (grep { length } split /\./, $2) {
        $value = ref $value eq 'HASH' ? $value->{$key} : undef;
    }
    return $value;
}

sub template_text ($value) { return !defined $value ? '<no value>' : ref $value ? encode($value) : $value }
