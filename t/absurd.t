#!/usr/bin/perl

# Amounts that no provider means: a hostile upstream can make figures wrong,
# but no counter goes back, no limit opens, and sums can still be read.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Aiobs qw(wait_for);
use AiobsKeys;
use Digest::SHA qw(sha256_hex);
use JSON::PP qw(decode_json);
use Test::More;

my $t = Aiobs->new;
provider($t, 0);

prices($t, 1e-03, 1);

my $alice = key_with($t, 'alice', labels => '{"team":"red"}');
my $limited = key_with($t, 'bob', cost_microusd_per_month => 900_000_000_000);

$t->start(<<'EOC' . gateway(), workers => 1);
aiobs_zone 8m series=500 keys=200;
aiobs_key_store sqlite:%%DIR%%/keys.db;
aiobs_prices %%DIR%%/prices.json;
aiobs_group_label team;
EOC

sub sums {
    my $text = $t->get(1, '/metrics')->{body};
    my %sum;
    $sum{$1} += $2 while $text =~ /^(\w+(?:_total|_sum))(?:\{[^\n]*\})? (\S+)$/gm;
    $sum{call} = $1 if $text =~ /^aiobs_counts_refused_total\{family="llm_cost_usd",reason="call"\} (\d+)$/m;
    return \%sum;
}

my @watched = qw(llm_tokens_total llm_call_tokens_sum llm_cost_usd_total llm_group_tokens_total
    llm_group_cost_usd_total);
my $before = sums();
my $back = 0;
my $calls = 40;

for my $i (1 .. $calls) {
    call($t, 1, $alice, usage => [1e12, 1e12]);
    next if $i % 8;
    my $now = sums();
    $back += grep { ($now->{$_} // 0) <= ($before->{$_} // 0) } @watched;
    $before = $now;
}

is($back, 0, 'no counter goes back');
is($before->{llm_tokens_total}, 2e12 * $calls, 'tokens are what was told');
is($before->{llm_cost_usd_total}, 1e6 * $calls, 'a call costs a million USD at most');
is($before->{llm_group_cost_usd_total}, 1e6 * $calls, 'as well by group');
is($before->{call}, $calls, 'what was cut is counted');

# more than can be a count is none

call($t, 1, $alice, usage => [1_000_000_000_000_000_000, 1]) for 1 .. 3;
my $now = sums();
cmp_ok($now->{llm_tokens_total}, '<', 2e12 * $calls + 1e9, 'a count of 1e18 is none');
cmp_ok($now->{llm_tokens_total}, '>=', 2e12 * $calls, 'nor does it take anything away');

# limits stay closed

my @status = map { call($t, 1, $limited, usage => [1e12, 1e12])->{status} } 1 .. 6;
is($status[0], 200, 'a budget of less than a million');
is("@status[1 .. 5]", '429 429 429 429 429', 'is spent by one call, and stays so');

# the table: sums that no longer fit into 64 bits stay where they end

sub cost {
    my ($row) = sql($t, 'SELECT max(cost_microusd) FROM usage_daily WHERE key_hash = ?', sha256_hex($alice));
    return $row->[0];
}

ok(wait_for(sub { (cost() // 0) >= 1e12 * $calls }, 10), 'what was spent');
sql($t, "UPDATE usage_daily SET cost_microusd = 9223372036854775800, input = 9223372036854775800");
call($t, 1, $alice, usage => [1e12, 1e12]);
ok(wait_for(sub { cost() == 9223372036854775807 }, 10), 'a sum stays where 64 bits end') or diag(cost());

for my $by (qw(user key model day)) {
    my $out = `${\ Aiobs::objs()}/aiobs-keys spend --db \Q${\ $t->dir}\E/keys.db --by $by --json 2>&1`;
    my $rows = eval { decode_json($out) };
    ok($rows && $rows->[0]{cost_usd} > 9e12, "and can be read by $by") or diag($out);
}

$t->done;
