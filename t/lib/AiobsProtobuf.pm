package AiobsProtobuf;

# Copyright (C) the aiobs authors
#
# Reads Prometheus' protobuf exposition: written from the description of the
# format, apart from the module's own writer.

use strict;
use warnings;

use Exporter qw(import);

our @EXPORT_OK = qw(families samples);

# message => { field => [name, type, repeated] }

my %schema = (
    family => { 1 => ['name', 'string'], 2 => ['help', 'string'], 3 => ['type', 'uint'],
        4 => ['metric', 'metric', 1], 5 => ['unit', 'string'] },
    metric => { 1 => ['label', 'label', 1], 2 => ['gauge', 'gauge'],
        3 => ['counter', 'counter'], 7 => ['histogram', 'histogram'] },
    label => { 1 => ['name', 'string'], 2 => ['value', 'string'] },
    gauge => { 1 => ['value', 'double'] },
    counter => { 1 => ['value', 'double'], 2 => ['exemplar', 'exemplar'],
        3 => ['created', 'time'] },
    exemplar => { 1 => ['label', 'label', 1], 2 => ['value', 'double'], 3 => ['time', 'time'] },
    time => { 1 => ['seconds', 'uint'], 2 => ['nanos', 'uint'] },
    histogram => { 1 => ['count', 'uint'], 2 => ['sum', 'double'],
        3 => ['bucket', 'bucket', 1], 5 => ['schema', 'sint'], 6 => ['threshold', 'double'],
        7 => ['zeros', 'uint'], 12 => ['span', 'span', 1], 13 => ['delta', 'packed'],
        15 => ['created', 'time'] },
    bucket => { 1 => ['count', 'uint'], 2 => ['bound', 'double'],
        3 => ['exemplar', 'exemplar'] },
    span => { 1 => ['offset', 'sint'], 2 => ['length', 'uint'] },
);

# messages after their lengths

sub families {
    my ($data) = @_;
    my ($at, @families) = (0);

    while ($at < length $data) {
        my $len = varint(\$data, \$at);
        die "cut short\n" if $at + $len > length $data;
        push @families, message('family', substr $data, $at, $len);
        $at += $len;
    }

    return @families;
}

sub message {
    my ($type, $data) = @_;
    my ($at, %m) = (0);

    while ($at < length $data) {
        my $tag = varint(\$data, \$at);
        my $field = $schema{$type}{$tag >> 3} or die "$type has no field " . ($tag >> 3) . "\n";
        my ($name, $kind, $repeated) = @$field;
        my $wire = $tag & 7;
        my $value;

        if ($wire == 0) {
            $value = varint(\$data, \$at);
            $value = zigzag($value) if $kind eq 'sint';

        } elsif ($wire == 1) {
            $value = unpack 'd<', substr $data, $at, 8;
            $at += 8;

        } elsif ($wire == 2) {
            my $len = varint(\$data, \$at);
            die "$type.$name is cut short\n" if $at + $len > length $data;
            my $bytes = substr $data, $at, $len;
            $at += $len;
            $value = $kind eq 'string' ? $bytes
                : $kind eq 'packed' ? packed($bytes) : message($kind, $bytes);

        } else {
            die "wire type $wire\n";
        }

        if ($repeated) {
            push @{$m{$name}}, $value;
        } else {
            die "$type.$name twice\n" if exists $m{$name};
            $m{$name} = $value;
        }
    }

    return \%m;
}

sub packed {
    my ($data) = @_;
    my ($at, @values) = (0);
    push @values, zigzag(varint(\$data, \$at)) while $at < length $data;
    return \@values;
}

sub varint {
    my ($data, $at) = @_;
    my ($value, $shift) = (0, 0);

    while (1) {
        die "cut short\n" if $$at >= length $$data;
        my $byte = ord substr $$data, $$at++, 1;
        $value |= ($byte & 0x7f) << $shift;
        return $value unless $byte & 0x80;
        $shift += 7;
    }
}

sub zigzag { my ($n) = @_; return $n & 1 ? -($n >> 1) - 1 : $n >> 1 }

# { sample => value } as of the text format, with the labels in any order

sub samples {
    my %samples;

    for my $f (@_) {
        for my $m (@{$f->{metric} || []}) {
            my %labels = map { ($_->{name}, $_->{value}) } @{$m->{label} || []};

            if (my $h = $m->{histogram}) {
                $samples{sample("$f->{name}_count", %labels)} = $h->{count};
                $samples{sample("$f->{name}_sum", %labels)} = $h->{sum};
                $samples{sample("$f->{name}_bucket", %labels, le => $_->{bound})}
                    = $_->{count} for @{$h->{bucket}};
            } else {
                $samples{sample($f->{name}, %labels)} = ($m->{counter} || $m->{gauge})->{value};
            }
        }
    }

    return \%samples;
}

sub sample {
    my ($name, %labels) = @_;
    return join "\0", $name, map { ($_, $labels{$_}) } sort keys %labels;
}

1;
