#!/usr/bin/perl

# Whatever there is to be used stands in the documentation, and in a test; and
# nothing stands there that does not exist.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Aiobs qw(slurp);
use Test::More;

my $root = Aiobs::root();
my %page = map { s{^\Q$root/}{}r => slurp($_) } glob("$root/docs/*.md"), "$root/README.md";
my $pages = join "\n", values %page;
my $source = join "\n", map { slurp($_) } glob("$root/src/*.[ch] $root/src/*/*.[ch]");
my $tests = join "\n", map { slurp($_) } grep { !m{/docs\.t$} } glob("$root/t/*.t $root/t/lib/*.pm");

# --- directives ---

(my $flat = $source) =~ s/\\\n/\n/g;
my %directive = $flat =~ /ngx_string\("(aiobs\w*)"\),\s+(NGX_HTTP[\w|\s]+?),\s+ngx_/g;
cmp_ok(scalar keys %directive, '>', 35, 'there are directives');

my $anywhere = qr/ANYWHERE|MAIN_CONF.*SRV_CONF.*LOC_CONF/s;
my $index = $page{'docs/reference.md'};

for my $name (sort keys %directive) {
    my ($syntax, $context) = $pages =~ /^### \Q$name\E\n\n    Syntax:  (.*?)\n    Default: \S.*?\n    Context: (.*?)\n/ms;
    like($syntax // '', qr/^\Q$name\E\b/, "$name: its syntax");
    is($context, $directive{$name} =~ $anywhere ? 'http, server, location'
        : $directive{$name} =~ /MAIN_CONF/ ? 'http' : 'location', "$name: where it may stand");
    like($index, qr/\[`\Q$name\E`\]/, "$name: in the index");
    like($tests, qr/\b\Q$name\E\b/, "$name: in a test");
}

is_deeply([grep { !$directive{$_} } $pages =~ /^### (aiobs\w*)$/mg], [], 'no other directive is described');

# --- what stands in their blocks ---

my %block = (sentry => 'telemetry/ngx_http_aiobs_sentry_conf.c',
    tracing => 'telemetry/ngx_http_aiobs_otlp_conf.c', login => 'login/ngx_http_aiobs_login_line.c');

for my $name (sort keys %block) {
    my @parameters = grep { !/^(?:none|gzip|auto|basic|post|sub|email)$/ }
        slurp("$root/src/$block{$name}") =~ /\{ ngx_string\("(\w+)"\),/g;
    cmp_ok(scalar @parameters, '>', 10, "$name: a block");
    is_deeply([grep { $page{"docs/$name.md"} !~ /^\|.*`$_\b.*\|/m } @parameters], [], 'its parameters have rows');
    is_deeply([grep { $tests !~ /\b$_\b/ } @parameters], [], 'and tests');
}

# --- metrics ---

my $families = slurp("$root/src/metrics/ngx_http_aiobs_families.c");
my @family = $families =~ /= \{\s+"(\w+)"/g;
cmp_ok(scalar @family, '>', 40, 'there are metrics');
is_deeply([grep { $page{'docs/metrics.md'} !~ /`$_(?:_total|_info)?`/ } @family], [], 'all are described');
is_deeply([grep { $tests !~ /\b$_/ } @family], [], 'and tested');

my %known = map { $_ => 1 } @family, keys %directive;
is_deeply([grep { !$known{$_} && !$known{s/_(?:total|info)$//r} }
    $page{'docs/metrics.md'} =~ /`((?:aiobs|llm|rag|agent)_\w+)`/g], [], 'no other is described');

# --- members of ECS ---

my ($ecs) = $page{'docs/log.md'} =~ /^\* `ecs`: (.*?)^\* /ms;
my @ecs = grep { !/\.h$/ } slurp("$root/src/telemetry/ngx_http_aiobs_ecs.c") =~ /"([a-z_]+(?:\.[a-z_]+)+)\\?"/g;
cmp_ok(scalar @ecs, '>', 25, 'there are members of ECS');
is_deeply([grep { $ecs !~ /`\Q$_\E`/ } @ecs], [], 'all are named');

# --- the command's options ---

my $options = slurp("$root/src/cli/aiobs_keys_options.c") . slurp("$root/src/cli/aiobs_keys.c");
my %option = map { $_ => 1 } $options =~ /"(--[a-z-]+)"/g;
cmp_ok(scalar keys %option, '>', 20, 'there are options');
is_deeply([grep { $page{'docs/keys-cli.md'} !~ /\Q$_\E\b/ } sort keys %option], [], 'all are described');
is_deeply([grep { $tests !~ /\Q$_\E\b/ } sort keys %option], [], 'and tested');
is_deeply([grep { !$option{$_} } $page{'docs/keys-cli.md'} =~ /`(--[a-z-]+)/g], [], 'no other is described');

# --- links ---

sub anchors {
    my ($text) = @_;
    return map { lc =~ s/[^\w\- ]//gr =~ s/ /-/gr } $text =~ /^#+ (.*)$/mg;
}

for my $name (sort keys %page) {
    my @wrong;

    for my $link ($page{$name} =~ /\]\((?!https?:)([^)\s]+)\)/g) {
        my ($file, $anchor) = split /#/, $link, 2;
        my $path = !length $file ? $name : $name =~ m{^docs/} ? "docs/$file" =~ s{docs/\.\./}{}r : $file;
        push @wrong, $link unless -e "$root/$path"
            && (!defined $anchor || grep { $_ eq $anchor } anchors(slurp("$root/$path")));
    }

    is_deeply(\@wrong, [], "$name: links lead somewhere");
}

done_testing();
