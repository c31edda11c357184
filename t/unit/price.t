#!/usr/bin/perl

# Copyright (C) the aiobs authors
#
# Prices: files good and bad, names looked up, and costs against a calculation
# in exact fractions written differently.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use File::Temp qw(tempdir);
use JSON::PP;
use Math::BigInt;
use Math::BigRat;
use Test::More;

use AiobsUnit;

my $dir = tempdir(CLEANUP => 1);
my $json = JSON::PP->new->canonical->pretty->allow_bignum;
my @numbers = qw(input output cache_read cache_write cache_write_1h reasoning
    audio_input audio_output image_input_tokens image_output_tokens
    video_input_tokens video_output_tokens audio_cached_tokens
    images_input images_output queries searches milliseconds
    characters_input characters_output pages fast geo_us);
my %variants = variants();
my $exe;

for my $variant (sort keys %variants) {
    $exe = build('price', $variant, ['usage/aiobs_price.c',
        'usage/aiobs_price_find.c', 'usage/prices/aiobs_price_file.c',
        'usage/prices/aiobs_price_entry.c'], '-ljansson');

    bad_files();
    skipped();
    names();
    examples();
    example_file();
    random_costs(300);
    like(run_ok($exe, '', "$variant: no memory", '-m',
        root() . '/conf-examples/prices.json'), qr/^[1-9]\d* failures/,
        "$variant: every allocation may fail");
}

real_file($ENV{AIOBS_PRICES}) if $ENV{AIOBS_PRICES};

done_testing();


sub bad_files {
    my %bad = (
        '' => qr/:1: '\[' or '\{' expected/,
        "{\n\"a\": {\n\"b\": 1,}\n}" => qr/:3: /,
        '[]' => qr/:1: not an object of models/,
        '{}' => qr/: lists no model with a price, 0 entries were left out/,
        '{"a": {"input_cost_per_token": "1"}}' =>
            qr/: lists no model with a price, 1 entries/,
        '{"a": {"mode": "chat"}, "sample_spec": {"input_cost_per_token": 1}}' =>
            qr/: lists no model with a price, 0 entries/,
        "{\"a\": \"\xff\"}" => qr/:1: .*0xff/,
        '{"a": 1} x' => qr/:1: end of file expected/,
        '[' x 5000 => qr/:1: .*depth/,
    );

    for (sort keys %bad) {
        my ($out, $file) = ask($_);
        like($out, qr/^error \Q$file\E$bad{$_}/, 'an error that says where');
    }

    like(run_ok($exe, '', 'no file', "$dir/none"),
        qr/^error \Q$dir\E\/none: .*No such file/, 'no such file');
    like(run_ok($exe, '', 'a directory', $dir), qr/^error \Q$dir\E/,
        'a directory');
}


sub skipped {
    my @bad = ('-1', '"0.1"', 'true', '1001', '1e300', '[1]', '{}');
    my $models = join ",\n", '"good": {"input_cost_per_token": 1e-6}',
        map { qq("bad$_": {"output_cost_per_token": 1e-6,
            "cache_read_input_token_cost_above_200k_tokens": $bad[$_]}) }
        0 .. $#bad;

    my ($out) = ask("{$models, \"x\": 1, \"y\": null, \"\": {},
        \"t1\": {\"tiered_pricing\": 1}, \"t2\": {\"tiered_pricing\": [{}]},
        \"t3\": {\"tiered_pricing\": [1]}, \"t4\": {\"tiered_pricing\":
            [{\"range\": [-1, 2]}]},
        \"null\": {\"input_cost_per_token\": null, \"output_cost_per_token\": 0,
            \"tiered_pricing\": null, \"max_tokens\": -1, \"unknown\": \"x\",
            \"search_context_cost_per_query\": null},
        \"none\": {\"mode\": \"chat\"}}",
        request('openai', 'good', input => 5), request('openai', 'bad0'));

    is($out, "2 14\ngood 5000\n- -1\n", 'bad entries are left out and counted');
}


sub names {
    my %models = map { $_ => { input_cost_per_token => 1 } } ('gpt-4o',
        'azure/gpt-4o', 'azure/only', 'gemini/g', 'vertex_ai/v@20240620',
        'amazon.nova-lite-v1:0', 'us.meta.llama', 'bedrock/cohere.x',
        'groq/a/b', 'dated-2024-08-06', 'x' x 128, 'openai/' . 'y' x 128);

    my @wanted = (
        ['openai', 'gpt-4o', 'gpt-4o'], ['azure', 'gpt-4o', 'gpt-4o'],
        ['azure', 'only', 'azure/only'], ['openai', 'only', '-'],
        ['azure.ai.openai', 'only', 'azure/only'],
        ['openai', 'gpt-4o-2024-08-06', 'gpt-4o'],
        ['openai', 'gpt-4o-20240806', 'gpt-4o'],
        ['azure', 'only@20240806', 'azure/only'],
        ['openai', 'gpt-4o-2024-8-06', '-'], ['openai', 'gpt-4o-0613', '-'],
        ['openai', 'gpt-4o-mini', '-'], ['openai', 'gpt-4', '-'],
        ['openai', 'GPT-4o', '-'], ['openai', 'dated', '-'],
        ['openai', 'dated-2024-08-06', 'dated-2024-08-06'],
        ['openai', 'dated-2025-01-01', '-'], ['openai', '-20240806', '-'],
        ['gemini', 'g', 'gemini/g'], ['gcp.vertex_ai', 'g', 'gemini/g'],
        ['gemini', 'v@20240620', 'vertex_ai/v@20240620'],
        ['anthropic', 'v@20240620', 'vertex_ai/v@20240620'],
        ['bedrock', 'us.amazon.nova-lite-v1:0', 'amazon.nova-lite-v1:0'],
        ['aws.bedrock', 'apac.amazon.nova-lite-v1:0', 'amazon.nova-lite-v1:0'],
        ['openai', 'us.amazon.nova-lite-v1:0', '-'],
        ['bedrock', 'xx.amazon.nova-lite-v1:0', '-'],
        ['bedrock', 'us.meta.llama', 'us.meta.llama'],
        ['bedrock', 'eu.meta.llama', '-'],
        ['bedrock', 'cohere.x', 'bedrock/cohere.x'],
        ['bedrock', 'us.', '-'], ['bedrock', 'arn:aws:bedrock', '-'],
        ['bedrock', 'arn:aws:bedrock:eu-west-1:1:inference-profile/'
            . 'eu.amazon.nova-lite-v1:0', 'amazon.nova-lite-v1:0'],
        ['bedrock', 'arn:aws:bedrock:eu-west-1::foundation-model/'
            . 'amazon.nova-lite-v1:0', 'amazon.nova-lite-v1:0'],
        ['bedrock', 'arn:x/', '-'], ['groq', 'a/b', 'groq/a/b'],
        ['openai', 'x' x 128, 'x' x 128], ['openai', 'x' x 129, '-'],
        ['openai', 'y' x 128, 'openai/' . 'y' x 128],
    );

    # what was looked up before is remembered

    @wanted = (@wanted, reverse(@wanted), @wanted);

    my ($out) = ask($json->encode(\%models),
        map { request(@$_[0, 1]) } @wanted);
    my (undef, @found) = split /\n/, $out;

    for (@wanted) {
        is((split ' ', shift @found)[0], $_->[2], "$_->[0] $_->[1]");
    }
}


# by hand, from the providers' own examples of a bill

sub examples {
    my %models = (
        sonnet => { input_cost_per_token => 3e-6,
            output_cost_per_token => 1.5e-5,
            cache_read_input_token_cost => 3e-7,
            cache_creation_input_token_cost => 3.75e-6,
            cache_creation_input_token_cost_above_1hr => 6e-6,
            input_cost_per_token_above_200k_tokens => 6e-6,
            output_cost_per_token_above_200k_tokens => 2.25e-5 },
        nova => { input_cost_per_token => 5.46875e-07,
            output_cost_per_token => 0 },
        gpt => { input_cost_per_token => 1.25e-6, output_cost_per_token => 1e-5,
            input_cost_per_token_flex => 6.25e-7,
            input_cost_per_token_above_272k_tokens => 2.5e-6,
            input_cost_per_token_flex_above_272k_tokens => 1.25e-6,
            output_cost_per_token_above_272k_tokens_priority => 4e-5 },
        qwen => { tiered_pricing => [
            { range => [0, 1000], input_cost_per_token => 1e-6 },
            { range => [1000, 2000], input_cost_per_token => 3e-6 } ] },
        whisper => { input_cost_per_second => 0.0001,
            output_cost_per_second => 0 },
        tts => { input_cost_per_character => 1.5e-5 },
        rerank => { input_cost_per_query => 0.002, input_cost_per_token => 0 },
        image => { output_cost_per_image => 0.04 },
        search => { input_cost_per_token => 1e-6, input_cost_per_request =>
            0.005, search_context_cost_per_query =>
            { search_context_size_medium => 0.01 } },
        tiny => { input_cost_per_token => 5e-10 },
        claude => { input_cost_per_token => 5e-6, output_cost_per_token => 2.5e-5,
            cache_read_input_token_cost => 5e-7,
            search_context_cost_per_query => { search_context_size_medium => 0.01 },
            provider_specific_entry => { us => 1.1, fast => 2 } },
        odd => { input_cost_per_token => 5e-6, provider_specific_entry => { us => -1, fast => 9 } },
        latest => { alias_of => 'claude' },
        astra => { input_cost_per_token => 1e-5, output_cost_per_token => 5e-5,
            input_cost_per_token_ultrafast => 6e-5, output_cost_per_token_ultrafast => 3e-4,
            input_cost_per_token_above_272k_tokens_ultrafast => 1.2e-4,
            cache_creation_input_token_cost_above_12hr => 2.5e-5 },
        luna => { input_cost_per_token => 1e-7, output_cost_per_token => 5e-7,
            input_cost_per_token_decisions => 2e-7, output_cost_per_token_decisions => 0 },
        sail => { input_cost_per_token => 2.5e-6, input_cost_per_token_balanced => 2e-6 },
        ocr => { ocr_cost_per_page => 0.004, annotation_cost_per_page => 0.005 },
        video => { input_cost_per_token => 2e-7, input_cost_per_video_token => 1.2e-5,
            output_cost_per_token => 9e-6, output_cost_per_video_token => 1.2e-5 },
        heard => { input_cost_per_token => 3e-7, input_cost_per_audio_token => 1e-6,
            cache_read_input_token_cost => 3e-8, cache_read_input_audio_token_cost => 1e-7 },
    );

    my @wanted = (
        ['sonnet', '-', { input => 1000, output => 100 }, 4_500_000],
        ['sonnet', '-', { input => 1000, cache_read => 500, cache_write => 300,
            cache_write_1h => 100, output => 10 }, 2_250_000],
        ['sonnet', '-', { input => 200_000 }, 600_000_000],
        ['sonnet', '-', { input => 200_001 }, 1_200_006_000],
        ['sonnet', '-', { input => 200_001, output => 1, cache_read => 200_001 },
            60_022_800],
        ['sonnet', '-', { input => 10, cache_read => 99 }, 3000],
        ['sonnet', '-', { input => 10, reasoning => 5, output => 10,
            audio_output => 3 }, 180_000],
        ['sonnet', '-', { input => -1, output => -1 }, -1],
        ['sonnet', '-', { input => 0, output => 0 }, 0],
        ['sonnet', '-', { input => -1, output => 2 }, 30_000],
        ['nova', '-', { input => 1 }, 547], ['nova', '-', { input => 16 }, 8750],
        ['tiny', '-', { input => 1 }, 1], ['tiny', '-', { input => 3 }, 2],
        ['tiny', '-', { input => 1, output => 1 }, -1],
        ['gpt', 'flex', { input => 8, output => 1 }, 15_000],
        ['gpt', 'batch', { input => 8 }, 10_000],
        ['gpt', 'default', { input => 300_000 }, 750_000_000],
        ['gpt', 'FLEX', { input => 300_000 }, 375_000_000],
        ['gpt', 'priority', { input => 300_000, output => 1 }, 750_040_000],
        ['qwen', '-', { input => 1000 }, 1_000_000],
        ['qwen', '-', { input => 1001 }, 3_003_000],
        ['whisper', '-', { input => -1, output => -1, milliseconds => 12_345 },
            1_234_500],
        ['whisper', '-', { input => -1, output => -1 }, -1],
        ['whisper', '-', { input => 10, output => 10, milliseconds => 1000 },
            100_000],
        ['tts', '-', { input => -1, output => -1, characters_input => 3 },
            45_000],
        ['rerank', '-', { output => -1, queries => 2 }, 4_000_000],
        ['image', '-', { input => -1, output => -1, images_output => 2 },
            80_000_000],
        ['image', '-', { input => 5, output => 0 }, -1],
        ['search', '-', { input => 10, searches => 1 }, 15_010_000],
        ['claude', '-', { input => 1000, output => 100, searches => 1 }, 17_500_000],
        ['claude', '-', { input => 1000, output => 100, searches => 1, fast => 1 }, 25_000_000],
        ['claude', '-', { input => 1000, output => 100, searches => 1, geo_us => 1 }, 18_250_000],
        ['claude', '-', { input => 1000, cache_read => 500, fast => 1, geo_us => 1 }, 6_050_000],
        ['odd', '-', { input => 1000, fast => 1, geo_us => 1 }, 5_000_000],
        ['sonnet', '-', { input => 1000, fast => 1, geo_us => 1 }, 3_000_000],
        ['latest', '-', { input => 1000, geo_us => 1 }, 5_500_000],
        ['astra', 'ultrafast', { input => 1000, output => 100 }, 90_000_000],
        ['astra', 'ultrafast', { input => 300_000 }, 36_000_000_000],
        ['astra', '-', { input => 1000, cache_write => 1000 }, 10_000_000],
        ['luna', 'decisions', { input => 1000, output => 7 }, 200_000],
        ['luna', '-', { input => 1000, output => 7 }, 103_500],
        ['sail', 'balanced', { input => 1000 }, 2_000_000],
        ['ocr', '-', { input => -1, output => -1, pages => 3 }, 12_000_000],
        ['video', '-', { input => 1000, video_input_tokens => 400, output => 100,
            video_output_tokens => 60 }, 6_000_000],
        ['sonnet', '-', { input => 1000, video_input_tokens => 400 }, 3_000_000],
        ['heard', '-', { input => 1100, audio_input => 1000, cache_read => 800,
            audio_cached_tokens => 800 }, 310_000],
        ['heard', '-', { input => 1100, audio_input => 1000, cache_read => 900,
            audio_cached_tokens => 800 }, 283_000],
        ['gpt', '-', { input => 1000, audio_input => 500, cache_read => 200,
            audio_cached_tokens => 100 }, 1_250_000],
    );

    my ($out) = ask($json->encode(\%models), map { request('openai', $_->[0],
        tier => $_->[1], %{ $_->[2] }) } @wanted);
    my (undef, @found) = split /\n/, $out;

    for (@wanted) {
        is((split ' ', shift @found)[1], $_->[3], "$_->[0] $_->[1] "
            . join ' ', map { "$_ " } %{ $_->[2] });
    }
}


sub example_file {
    my $file = root() . '/conf-examples/prices.json';

    is(run_ok($exe, request('openai', 'gpt-4o-mini', input => 1000,
        output => 1000), 'the example', $file) =~ s/^\d+ //r,
        "0\ngpt-4o-mini 750000\n", 'the example file is good');
}


# everything at random, against fractions

sub random_costs {
    my ($n) = @_;
    my (%models, @requests, @wanted);

    srand 23;

    for my $i (1 .. $n) {
        my $model = $models{"m$i"} = random_model();
        my @v = map { int rand 3 ? int 10 ** rand 7 : 0 } @numbers;
        my $tier = (qw(default batch flex priority ultrafast))[rand 5];
        my %r;
        @r{@numbers} = @v;
        $_ = int rand 2 for @r{qw(fast geo_us)};
        push @requests, request('openai', "m$i", tier => $tier, %r);
        push @wanted, expected($model, $tier, \%r);
    }

    my ($out) = ask($json->encode(\%models), @requests);
    my (undef, @found) = split /\n/, $out;
    my $different = grep { (split ' ', $found[$_])[1] ne $wanted[$_] }
        0 .. $#wanted;
    is($different, 0, "$n random costs");

    for (grep { (split ' ', $found[$_])[1] ne $wanted[$_] } 0 .. $#wanted) {
        diag("$requests[$_] found $found[$_], wanted $wanted[$_]: "
            . $json->encode($models{"m" . ($_ + 1)}));
        last;
    }
}


my %field;

BEGIN {
    %field = (input => 'input_cost_per_token',
        output => 'output_cost_per_token',
        cache_read => 'cache_read_input_token_cost',
        cache_write => 'cache_creation_input_token_cost',
        cache_write_1h => 'cache_creation_input_token_cost_above_1hr',
        reasoning => 'output_cost_per_reasoning_token',
        audio_input => 'input_cost_per_audio_token',
        audio_output => 'output_cost_per_audio_token',
        image_input_tokens => 'input_cost_per_image_token',
        image_output_tokens => 'output_cost_per_image_token',
        video_input_tokens => 'input_cost_per_video_token',
        video_output_tokens => 'output_cost_per_video_token',
        audio_cached_tokens => 'cache_read_input_audio_token_cost',
        images_input => 'input_cost_per_image',
        images_output => 'output_cost_per_image',
        request => 'input_cost_per_request', queries => 'input_cost_per_query',
        milliseconds => 'output_cost_per_second',
        characters_input => 'input_cost_per_character',
        characters_output => 'output_cost_per_character',
        pages => 'ocr_cost_per_page');
}


sub random_model {
    my %model = (input_cost_per_token => price(),
        output_cost_per_token => price());

    for my $field (values %field) {
        for my $above ('', '_above_128k_tokens', '_above_200k_tokens') {
            for my $tier ('', '_batches', '_flex', '_priority', '_ultrafast') {
                $model{ rand() < .5 ? "$field$above$tier" : "$field$tier$above" }
                    = price() if rand() < .15;
            }
        }
    }

    $model{provider_specific_entry} = { fast => 2.5, us => 1.1 } if rand() < .5;

    return \%model;
}


# in JSON as decimal text, never through a binary fraction

sub price { Math::BigFloat->new(1 + int rand 99_999)->bmul('1e-' . (6 + int rand 7)) }


sub expected {
    my ($model, $tier, $r) = @_;

    my $sum = Math::BigRat->new(0);
    my $rate = sub { rate($model, $tier, $r->{input}, @_) };
    my $rest = $r->{input};
    my $part = sub { my $n = $_[0] > $rest ? $rest : $_[0]; $rest -= $n; $n };

    my $read = $part->($r->{cache_read});
    my $write = $part->($r->{cache_write});
    my $hour = $r->{cache_write_1h} > $write ? $write : $r->{cache_write_1h};
    my $heard = $r->{audio_cached_tokens} > $read ? $read : $r->{audio_cached_tokens};
    my $audio = $part->($r->{audio_input} > $heard ? $r->{audio_input} - $heard : 0);
    my $image = $part->($r->{image_input_tokens});
    my $video = $part->($r->{video_input_tokens});

    $sum += $rate->('cache_read', 'input') * ($read - $heard)
        + $rate->('audio_cached_tokens', 'cache_read', 'input') * $heard
        + $rate->('video_input_tokens', 'input') * $video
        + $rate->('cache_write_1h', 'cache_write', 'input') * $hour
        + $rate->('cache_write', 'input') * ($write - $hour)
        + $rate->('audio_input', 'input') * $audio
        + $rate->('image_input_tokens', 'input') * $image
        + $rate->('input') * $rest;

    $rest = $r->{output};
    my $reasoning = $part->($r->{reasoning});
    $audio = $part->($r->{audio_output});
    $image = $part->($r->{image_output_tokens});
    $video = $part->($r->{video_output_tokens});

    # a tier's rate of output comes before a standard one of reasoning

    my (undef, $tiered) = $rate->('reasoning');
    my ($other, $of_output) = $rate->('output');
    my $thought = !$tiered && $of_output ? $other : $rate->('reasoning', 'output');

    $sum += $thought * $reasoning
        + $rate->('audio_output', 'output') * $audio
        + $rate->('image_output_tokens', 'output') * $image
        + $rate->('video_output_tokens', 'output') * $video
        + $rate->('output') * $rest;

    if (my $times = $model->{provider_specific_entry}) {
        $sum *= Math::BigRat->new('5/2') if $r->{fast};
        $sum *= Math::BigRat->new('11/10') if $r->{geo_us};
    }

    $sum += $rate->('request')
        + $rate->('images_output', 'images_input') * $r->{images_output}
        + $rate->('milliseconds') * $r->{milliseconds} / 1000;
    $sum += $rate->($_) * $r->{$_}
        for qw(images_input queries characters_input characters_output pages);

    my $nano = ($sum * Math::BigRat->new('1000000000')
        + Math::BigRat->new('1/2'))->bfloor;
    my $most = Math::BigRat->new('1000000000000000');

    return ($nano > $most ? $most : $nano)->bstr;
}


sub rate {
    my ($model, $tier, $input, @kinds) = @_;
    my $suffix = { default => '', batch => '_batches' }->{$tier} // "_$tier";

    for my $kind (@kinds) {
        for my $above ($input > 200_000 ? '_above_200k_tokens' : (),
            $input > 128_000 ? '_above_128k_tokens' : (), '')
        {
            for my $name ("$above$suffix", "$suffix$above") {
                my $other = $name eq "$above$suffix" ? "$suffix$above"
                    : "$above$suffix";
                my @price = sort { $b <=> $a } grep { defined }
                    @$model{"$field{$kind}$name", "$field{$kind}$other"};
                next if !@price;
                my $price = Math::BigRat->new($price[0]->bsstr);
                return wantarray ? ($price, length $suffix) : $price;
            }
            my $price = $model->{"$field{$kind}$above"};
            return Math::BigRat->new($price->bsstr) if defined $price;
        }
    }

    return Math::BigRat->new(0);
}


# a whole price file of others: no entry left out, each found by its own name

sub real_file {
    my ($file) = @_;

    open my $fh, '<:raw', $file or die "$file: $!";
    my $models = decode_json(do { local $/; <$fh> });
    delete $models->{sample_spec};
    my @names = grep { !/\s/ && length($_) <= 128 } sort keys %$models;

    my ($counts, @found) = split /\n/, run_ok($exe,
        join('', map { request('openai', $_, input => 1e6) } @names),
        'a real file', $file);
    like($counts, qr/^[1-9]\d* 0$/, 'no entry is left out');

    my $wrong = 0;

    for (@names) {
        my ($name, $cost) = split ' ', shift @found;
        my $m = $models->{$_};
        $m = $models->{$m->{alias_of}} if $m->{alias_of};
        my $input = $m->{input_cost_per_token_above_512k_tokens}
            // $m->{input_cost_per_token_above_272k_tokens}
            // $m->{input_cost_per_token_above_256k_tokens}
            // $m->{input_cost_per_token_above_200k_tokens}
            // $m->{input_cost_per_token_above_128k_tokens}
            // $m->{input_cost_per_token_above_100k_tokens}
            // $m->{input_cost_per_token_above_32k_tokens}
            // $m->{input_cost_per_token};
        next if !defined $input || $m->{tiered_pricing}
            || $m->{input_cost_per_request};
        $wrong++, diag("$_: $name $cost") if $name ne $_
            || abs($cost - $input * 1e15) > .6;
    }

    is($wrong, 0, 'a million tokens of each');
}


sub request {
    my ($provider, $model, %r) = @_;
    return join(' ', $provider, $model, $r{tier} // '-',
        map { $_ // 0 } @r{@numbers}) . "\n";
}


sub ask {
    my ($text, @requests) = @_;

    my $file = "$dir/prices.json";
    open my $fh, '>:raw', $file or die "$file: $!";
    print $fh $text;
    close $fh or die "$file: $!";

    return (run_ok($exe, join('', @requests), 'runs', $file), $file);
}
