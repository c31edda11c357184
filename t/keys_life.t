#!/usr/bin/perl

# aiobs-keys: attributes of keys, rotation, import and export, what was spent,
# what happened, and forgetting.

use strict;
use warnings;
no warnings 'qw';

use FindBin qw($Bin);
use lib "$Bin/lib";

use Aiobs qw(slurp spew);
use Digest::SHA qw(sha256_hex);
use JSON::PP;
use POSIX qw(strftime);
use Test::More;

my $t = Aiobs->new;
my $db = $t->store;
my @secrets;

# (status, stdout, stderr)

sub cli {
    my ($command, @args) = @_;
    my ($rc, $out, $err) = $t->keys_cli($command, '--db', $db, @args);

    if ($rc == 0 && $command =~ /^(?:create|rotate)$/) {
        my ($key) = $out =~ /(sk-[\w-]{43})/;
        push @secrets, $key;
    }

    unlike($err, qr/\Q$_\E/, 'stderr has no key') for @secrets ? $secrets[-1] : ();
    return ($rc, $out, $err);
}

sub sql {
    my ($sql) = @_;
    my $out = `sqlite3 \Q$db\E \Q$sql\E 2>&1`;
    chomp $out;
    return $out;
}

sub id { return substr sha256_hex($_[0]), 0, 12 }
sub shown { return decode_json((cli('show', id($_[0]), '--json'))[1]) }

my ($rc, $out, $err);

# attributes

($rc, $out) = cli(qw(create --user alice --name laptop --expires 2099-12-31T23:59:59Z
    --models gpt-5*,claude-* --endpoints chat --label team=search --label tier=gold
    --admin --may-act-for --rpm 60 --tpm 100000 --tokens-per-day 1000000
    --tokens-per-month 20000000 --cost-per-day 2.5 --cost-per-month 40 --parallel 4));
is($rc, 0, 'a key with all attributes');
chomp(my $alice = $out);
my $key = shown($alice);
is_deeply([@$key{qw(expires_at models endpoints labels limits state)}],
    ['2099-12-31T23:59:59.000000', ['gpt-5*', 'claude-*'], ['chat'],
     { team => 'search', tier => 'gold' },
     { rpm => 60, tpm => 100000, tokens_per_day => 1000000, tokens_per_month => 20000000,
       cost_usd_per_day => 2.5, cost_usd_per_month => 40, parallel => 4 }, 'active'],
    'they are stored');
ok($key->{admin} && $key->{may_act_for}, 'rights as well');
is(sql('SELECT cost_microusd_per_day FROM aiobs_key_attrs'), 2500000, 'costs are micro-USD');

($rc, $out) = cli('show', id($alice));
like($out, qr/^expires: +2099-12-31T23:59:59\.000000\nadmin: +yes\nacts for: +yes\nmodels: +gpt-5\*, claude-\*\nendpoints: +chat\nlabels: +team=search, tier=gold\nlimits: +rpm=60, .*parallel=4\n\z/m,
    'people read them');

($rc, $out) = cli('set', id($alice), qw(--rpm none --cost-per-day none --models=
    --label tier= --label mail=a@example.com --no-admin --name), 'my laptop');
is("$rc $out", '0 changed ' . id($alice) . "\n", 'some are set');
$key = shown($alice);
is_deeply([@$key{qw(name user_id models endpoints labels)}],
    ['my laptop', 'alice', undef, ['chat'], { team => 'search', mail => 'a@example.com' }],
    'they are changed');
is_deeply([sort keys %{$key->{limits}}],
    [qw(cost_usd_per_month parallel tokens_per_day tokens_per_month tpm)], 'limits are gone');
ok(!$key->{admin} && $key->{may_act_for}, 'one right is taken away');

for my $case (['nothing to set', 'set', id($alice)],
    ['an end that is none', 'set', id($alice), '--expires', 'soon'],
    ['a month that is none', 'set', id($alice), '--expires', '2026-13-01'],
    ['a day that is none', 'set', id($alice), '--expires', '2099-02-29'],
    ['a zone that is none', 'set', id($alice), '--expires', '2099-02-28T00:00:00+99:00'],
    ['a limit that is none', 'set', id($alice), '--rpm', 'many'],
    ['half a request', 'set', id($alice), '--rpm', '1.5'],
    ['a negative limit', 'set', id($alice), '--rpm', '-1'],
    ['a limit below a millionth', 'set', id($alice), '--cost-per-day', '0.0000001'],
    ['a label without a value', 'set', id($alice), '--label', 'team'],
    ['a label with a strange name', 'set', id($alice), '--label', 'a b=c'],
    ['an empty glob', 'set', id($alice), '--models', 'a,,b'],
    ['globs with spaces', 'set', id($alice), '--models', 'a, b'],
    ['models that are too long', 'set', id($alice), '--models', 'x' x 513],
    ['a right and its contrary', 'set', id($alice), '--admin', '--no-admin'],
    ['a grace that is none', 'rotate', id($alice), '--grace', '1 week'],
    ['a group that is none', 'spend', '--by', 'nobody'],
    ['two formats', 'spend', '--json', '--csv'],
    ['a label for nothing', 'spend', 'team'],
    ['no label', 'spend', '--by', 'label'],
    ['a month that is a day', 'spend', '--month', '2026-11-01'],
    ['no file', 'import'],
    ['a format that is none', 'import', '-', '--format', 'xml'],
    ['nobody to forget', 'forget'],
    ['events of half a key', 'audit', 'abcd'],
    ['a hash that is none', 'audit', '--expect', 'abc'])
{
    my ($name, @args) = @$case;
    ($rc, $out, $err) = cli(@args);
    is("$rc$out", '2', "refused: $name");
    like($err, qr/^aiobs-keys: ./, "refused: $name: said why");
}

# time goes by

for my $past ('0', '2020-01-01', '2020-01-01T00:00:00+02:00', strftime('%Y-%m-%dT%H:%M:%SZ', gmtime(time - 1))) {
    ($rc, $out, $err) = cli('create', '--user', 'bob', '--expires', $past);
    is("$rc$out", '2', "no new key that ended: $past");
    is($err, "aiobs-keys: --expires $past is past: the key would never work\n", 'it is said why');
}

($rc, $out) = cli('create', '--user', 'bob', '--expires', strftime('%Y-%m-%dT%H:%M:%S', gmtime(time + 60)));
is($rc, 0, 'one that ends in a minute');
chomp(my $bob = $out);
is(shown($bob)->{state}, 'active', 'is valid');

for my $past ('2020-01-01', '0') {
    ($rc, $out, $err) = cli('set', id($bob), '--expires', $past);
    is($rc, 0, "a key is made to end: $past");
    is($err, "aiobs-keys: --expires $past is past: the key has ended\n", 'it is said that it has');
    is(shown($bob)->{state}, 'expired', 'it has');
}

like((cli('list', '--user', 'bob'))[1], qr/ expired$/m, 'is listed so');
is((cli('set', id($bob), '--expires', '30m'))[0], 0, 'it gets more time');
is(shown($bob)->{state}, 'active', 'it is valid again');
is((cli('set', id($bob), '--expires', 'never'))[0], 0, 'for good');
is(shown($bob)->{expires_at}, undef, 'it has no end');
is_deeply([map { cli('set', id($bob), $_); shown($bob)->{may_act_for} ? 1 : 0 }
    qw(--may-act-for --no-may-act-for)], [1, 0], 'a right comes and goes');

# rotation

($rc, $out, $err) = cli('rotate', id($alice), '--grace', '1h');
is($rc, 0, 'a key is rotated');
like($out, qr/^sk-[\w-]{43}\n\z/, 'the new one is alone on stdout');
chomp(my $alice2 = $out);
my $old = shown($alice);
is("$old->{state} $old->{replaced_by}", 'active ' . id($alice2), 'the old one works on, for a while');
my $new = shown($alice2);
is_deeply([@$new{qw(user_id name labels limits endpoints expires_at)}],
    [@$key{qw(user_id name labels limits endpoints expires_at)}], 'the new one has all it had');
is((cli('rotate', id($alice)))[0], 1, 'the old one is not rotated twice');
($rc, $out) = cli('rotate', id($alice2), '--grace', '0', '--json');
my $alice3 = decode_json($out)->{api_key};
is(decode_json($out)->{key_id}, id($alice3), 'JSON has the key, this once, and its id');
is(shown($alice2)->{state}, 'revoked', 'without grace the old one is revoked');
is((cli('rotate', id($alice2)))[0], 1, 'a revoked key is not rotated');
is((cli('rotate', '0123456789ab'))[0], 3, 'nor one that is not there');

like($old->{expires_at}, qr/:\d\d\.000000\z/, 'a grace period ends with a second, none of it is cut off');

# ends that programs write

sub sets { sql("INSERT OR REPLACE INTO aiobs_key_attrs (hash, $_[1]) VALUES ('" . sha256_hex($_[0]) . "', $_[2])") }

for my $case (['1970-01-01T00:00:00', 'the first second of Unix time'], ['1969-12-31T23:59:59', 'one before it'],
    ['2030', 'a year, which is a day of long ago'], ['soon', 'one that is none'])
{
    ($rc, $out) = cli('create', '--user', 'ended');
    chomp(my $ended = $out);
    sets($ended, 'expires_at', "'$case->[0]'");
    is(shown($ended)->{state}, 'expired', "the end of a key is $case->[1]");
    is((cli('rotate', id($ended)))[0], 1, 'it is not rotated');
    cli('delete', id($ended));
}

for my $case (['with a space', "strftime('%Y-%m-%d %H:%M:%S', 'now', '+90 minutes')", 3600],
    ['with a zone east of here', "strftime('%Y-%m-%dT%H:%M:%S+09:00', 'now', '+570 minutes')", 1800],
    ['with a zone west of here', "strftime('%Y-%m-%dT%H:%M:%S-09:00', 'now', '-420 minutes')", 3600],
    ['soon', "strftime('%Y-%m-%dT%H:%M:%S', 'now', '+30 minutes')", 1800])
{
    my ($name, $end, $left) = @$case;
    ($rc, $out) = cli('create', '--user', 'ends');
    chomp(my $ends = $out);
    sets($ends, 'expires_at', $end);
    is((cli('rotate', id($ends), '--grace', '1h'))[0], 0, "a key whose end is $name is rotated");
    my $is = sql("SELECT strftime('%s', expires_at) - strftime('%s', 'now') FROM aiobs_key_attrs WHERE hash = '"
        . sha256_hex($ends) . "'");
    cmp_ok(abs($is - $left), '<', 600, 'the old one ends when the first of both does') or diag($is);
}

sql("DELETE FROM api_keys WHERE user_id = 'ends'");

# limits that JSON cannot hold

($rc, $out) = cli('create', '--user', 'odd');
chomp(my $strange = $out);

for my $case (['a blob', 'rpm', "X'31'"], ['a blob that is no text', 'parallel', "X'FF'"],
    ['infinite', 'tokens_per_day', '9e999'], ['an infinite cost', 'cost_microusd_per_day', '9e999'],
    ['a cost as a blob', 'cost_microusd_per_month', "X'396539393939'"])
{
    my ($name, $column, $value) = @$case;
    sets($strange, $column, $value);
    is((cli('show', id($strange), '--json'))[0], 0, "a key whose limit is $name is shown");
    ($rc, $out) = cli('list', '--json');
    is("$rc " . grep({ $_->{user_id} eq 'odd' } @{decode_json($out)}), '0 1', 'and listed, as are the others');
    is((cli('export', "--$_"))[0], 0, "and exported: $_") for qw(json csv);
}

# labels stay, whatever else is in the key

for my $name ("'odd' || char(0)", "CAST(X'ff' AS TEXT)") {
    sql("UPDATE api_keys SET name = $name WHERE hash = '" . sha256_hex($strange) . "'");
    is((cli('set', id($strange), '--label', "$_=1"))[0], 0, 'a label of a key with an odd name') for qw(one two);
    is(sql("SELECT labels FROM aiobs_key_attrs WHERE hash = '" . sha256_hex($strange) . "'"),
        '{"one":"1","two":"1"}', 'both are there');
    sql("UPDATE aiobs_key_attrs SET labels = NULL WHERE hash = '" . sha256_hex($strange) . "'");
}

# texts that no import takes: the others are exported

sql("UPDATE api_keys SET user_id = 'odd' || char(0) WHERE hash = '" . sha256_hex($strange) . "'");
($rc, $out, $err) = cli('export', '--json');
is($rc, 0, 'keys are exported though one has a NUL in its name');
is($err, 'aiobs-keys: key ' . id($strange) . " has texts that are no UTF-8, or have NULs, and is left out\n", 'it is said which is not');
ok(eval { decode_json($out) } && $out !~ /u0000/, 'what is exported can be imported');
cli('delete', id($strange));

# revoked and restored

is((cli('revoke', '--user', 'bob'))[0], 0, 'revoked');
($rc, $out) = cli('restore', id($bob));
is($out, 'restored ' . id($bob) . " (user bob)\n", 'restored');
like((cli('restore', id($bob)))[1], qr/^active already: /, 'twice is said to be so');
is((cli('restore', '--user', 'nobody'))[0], 3, 'nobody has no keys');
is(shown($bob)->{state}, 'active', 'it is active');

# import and export

spew($t->dir . '/in.csv', join "\r\n",
    'hash,user_id,name,created_at,active,models,labels,rpm,cost_usd_per_month',
    sha256_hex('k1') . ',carol,"a ""quoted"", name",2026-01-02T03:04:05Z,true,"[""m*""]","{""team"":""x,y""}",7,1.25',
    sha256_hex('k2') . ',dave,,,false,,,,',
    'nothex,eve,,,,,,,',
    sha256_hex('k3') . ',frank',
    sha256_hex('k4') . ',,,,,,,,', '');
($rc, $out, $err) = cli('import', $t->dir . '/in.csv');
is($rc, 5, 'a CSV with some rows that are none');
is($out, "imported 2 keys; 0 were there already, 3 could not be imported\n", 'it says how many');
like($err, qr/^aiobs-keys: row 3 is left out: its hash is no SHA-256.*\n.*row 4 .*other fields.*\n.*row 5 .*no user_id$/m,
    'and which, and why');
$key = decode_json((cli('show', substr(sha256_hex('k1'), 0, 12), '--json'))[1]);
is_deeply([@$key{qw(name created_at models labels limits)}],
    ['a "quoted", name', '2026-01-02T03:04:05.000000', ['m*'], { team => 'x,y' },
     { rpm => 7, cost_usd_per_month => 1.25 }], 'all columns are taken');
is(sql("SELECT is_active FROM api_keys WHERE user_id = 'dave'"), 0, 'a revoked one is revoked');
is((cli('import', $t->dir . '/in.csv'))[1],
    "imported 0 keys; 2 were there already, 3 could not be imported\n", 'twice does no harm');

my $raw = 'sk-of-another-gateway';
push @{$t->{secrets}}, $raw;
spew($t->dir . '/in.json', "[\n{\"key\":\"$raw\",\"user_id\":\"gina\",\"limits\":{\"tpm\":5}},"
    . "{\"hash\":\"" . sha256_hex('k5') . "\",\"user_id\":\"gina\",\"admin\":true,\"state\":\"expired\",\"active\":false}\n]\n");
($rc, $out, $err) = cli('import', $t->dir . '/in.json', '--json');
is_deeply([$rc, decode_json($out)], [0, { rows => 2, created => 2, exist => 0, wrong => 0 }], 'JSON, raw keys as well');
unlike($out . $err, qr/\Q$raw\E/, 'which are not repeated');
is(decode_json((cli('show', id($raw), '--json'))[1])->{limits}{tpm}, 5, 'the hash of a raw key is stored');
ok(!grep({ index(slurp($_), $raw) >= 0 } glob("$db*")), 'it is not');

# what LiteLLM 1.80 has in its table, as JSON and as PostgreSQL writes CSV

my %litellm = (token => sha256_hex('l1'), key_name => 'sk-...abcd', key_alias => 'prod-app',
    soft_budget_cooldown => JSON::PP::false, spend => 1.5, expires => '2099-01-02T03:04:05.678000+02:00',
    models => ['gpt-5', 'claude-*'], aliases => {}, config => {}, user_id => 'hugo', team_id => 'team-7',
    permissions => {}, max_parallel_requests => 3, metadata => { tier => 'gold', tags => ['a'] },
    blocked => JSON::PP::false, tpm_limit => 1000, rpm_limit => 10, max_budget => 12.5,
    budget_duration => '30d', allowed_routes => [], created_at => '2025-05-06T07:08:09.123Z');
my %second = (%litellm, token => sha256_hex('l2'), user_id => undef, blocked => JSON::PP::true,
    models => ['all-team-models'], budget_duration => undef, allowed_routes => ['llm_api_routes'], max_budget => 3);
spew($t->dir . '/litellm.json', encode_json([\%litellm, \%second]));
($rc, $out, $err) = cli('import', $t->dir . '/litellm.json');
is("$rc $out", "5 imported 1 keys; 0 were there already, 1 could not be imported\n", "LiteLLM's keys");
like($err, qr/row 2 is left out: it may what its team may/, 'none may all because its team is not known');
like($err, qr/1 keys had to obey models and limits of their team/, 'what else a team may forbid is said');
($rc, $out, $err) = cli('import', $t->dir . '/litellm.json', '--models', 'o3,gpt-5*');
is("$rc $out", "0 imported 1 keys; 1 were there already, 0 could not be imported\n", 'unless it is told');
like($err, qr/1 keys were bound to routes.*1 keys had a budget for good/s, 'what is not taken over is said');
$key = decode_json((cli('show', substr($litellm{token}, 0, 12), '--json'))[1]);
is_deeply([@$key{qw(name user_id created_at expires_at models labels limits state)}],
    ['prod-app', 'hugo', '2025-05-06T07:08:09.123000', '2099-01-02T01:04:05.678000', ['gpt-5', 'claude-*'],
     { team => 'team-7', tier => 'gold' },
     { rpm => 10, tpm => 1000, parallel => 3, cost_usd_per_month => 12.5 }, 'active'], 'with what they carry');
$key = decode_json((cli('show', substr($second{token}, 0, 12), '--json'))[1]);
is("$key->{user_id} $key->{state}", 'team-7 revoked', "a blocked one is revoked, a team's key is the team's");
is_deeply($key->{models}, ['o3', 'gpt-5*'], 'it may what was told');

spew($t->dir . '/litellm.csv', 'token,key_alias,spend,expires,models,user_id,team_id,metadata,tpm_limit,rpm_limit,max_budget,budget_duration,blocked,max_parallel_requests' . "\n"
    . sha256_hex('l3') . ',,0.25,2099-01-02 03:04:05.678,"{gpt-5,""a b""}",ida,,"{""tier"":""gold""}",,60,2,1d,f,' . "\n");
is((cli('import', $t->dir . '/litellm.csv'))[0], 5, 'a model with a space is none of ours');
spew($t->dir . '/litellm.csv', slurp($t->dir . '/litellm.csv') =~ s/""a b""/""o3""/r);
is((cli('import', $t->dir . '/litellm.csv'))[0], 0, 'the table as CSV');
$key = decode_json((cli('show', substr(sha256_hex('l3'), 0, 12), '--json'))[1]);
is_deeply([@$key{qw(user_id expires_at models labels limits)}],
    ['ida', '2099-01-02T03:04:05.678000', ['gpt-5', 'o3'], { tier => 'gold' },
     { rpm => 60, cost_usd_per_day => 2 }], 'is taken as well');

spew($t->dir . '/litellm.csv', "token,user_id,models,aliases,metadata\n"
    . sha256_hex('l4') . ",ida,{},{},{}\n");
is((cli('import', $t->dir . '/litellm.csv'))[0], 0, 'a row of the table as CSV that restricts no models');
$key = decode_json((cli('show', substr(sha256_hex('l4'), 0, 12), '--json'))[1]);
is_deeply([@$key{qw(user_id models labels)}], ['ida', undef, {}], 'is one of all models');

# what restricts a key and is not understood is no lack of a restriction

my $odd = 0;

for my $case (['a limit that is a word', rpm_limit => 'many'], ['one beyond all numbers', tpm_limit => 1e300],
    ['a budget that is no number', max_budget => 'nan'], ['a limit that is none', rpm_limit => -1],
    ['models that are cut off', models => '["gpt-5"'], ['models by name', models => { 'gpt-5' => 1 }],
    ['an end in seconds', expires => 4070908800], ['an end that is none', expires => '2099-02-30'])
{
    my ($name, @with) = @$case;
    spew($t->dir . '/litellm.json', encode_json([{ %litellm, token => sha256_hex("w" . ++$odd), @with }]));
    is((cli('import', $t->dir . '/litellm.json'))[0], 5, "LiteLLM's key is left out: $name");
}

# names of models that are none, and periods of budgets

my $sentinel = 0;

for my $case (
    [undef, 'all of the proxy' => models => ['gpt-5', 'all-proxy-models'], team_id => undef],
    [undef, 'a star' => models => ['*'], team_id => undef],
    [undef, 'an empty list' => models => [], team_id => undef],
    [undef, 'the array of PostgreSQL' => models => '{}', team_id => ''],
    [['no-default-models'], 'none' => models => ['no-default-models'], team_id => undef],
    [['no-default-models', 'o3'], 'none but one' => models => ['no-default-models', 'o3'], team_id => undef],
    ['left out', 'all of the proxy, of a team' => models => ['all-proxy-models']],
    ['left out', 'all, of a team' => models => []],
    ['left out', 'the team of nobody' => models => ['all-team-models'], team_id => undef],
    ['left out', 'the team, in CSV' => models => '{gpt-5,all-team-models}'],
    [{ cost_usd_per_day => 4 }, '24h' => budget_duration => '24h'],
    [{ cost_usd_per_day => 4 }, '30s' => budget_duration => '30s'],
    [{ cost_usd_per_month => 4 }, '25h' => budget_duration => '25h'],
    [{ cost_usd_per_month => 4 }, '1w' => budget_duration => '1w'],
    [{ cost_usd_per_month => 4 }, '1mo' => budget_duration => '1mo'],
    [{ cost_usd_per_month => 4 }, '60d, which is said' => budget_duration => '60d'],
    [{ cost_usd_per_month => 4 }, 'none, which is said' => budget_duration => 'None'],
    ['left out', '1y' => budget_duration => '1y'], ['left out', 'a day' => budget_duration => 'd'],
    ['left out', '-1d' => budget_duration => '-1d'],
    [['o3'], 'a limit of one model, which is said' => models => ['o3'], team_id => undef,
        model_max_budget => '{"o3":{"budget_limit":1}}'],
    [['o3'], 'a budget elsewhere, which is said' => models => ['o3'], team_id => undef, budget_id => 'b'])
{
    my ($want, $name, %with) = @$case;
    my $hash = sha256_hex('n' . ++$sentinel);
    my %row = (%litellm, token => $hash, models => ['o3'], budget_duration => '1d', max_budget => 4,
        (map { $_ => undef } qw(rpm_limit tpm_limit max_parallel_requests)), %with);
    spew($t->dir . '/litellm.json', encode_json([\%row]));
    ($rc, $out, $err) = cli('import', $t->dir . '/litellm.json');
    is($rc, ($want // '') eq 'left out' ? 5 : 0, "LiteLLM: $name");
    like($err, qr/note: 1 keys had (a budget for good|limits of single)/, 'it is') if $name =~ /said/;
    next if $rc;
    $key = decode_json((cli('show', substr($hash, 0, 12), '--json'))[1]);
    is_deeply(ref $want eq 'HASH' ? $key->{limits} : $key->{models}, $want, 'as it is meant');
}

# what is no object in an array is left out; an array that is cut off is not taken for whole

my @good = map { encode_json({ hash => sha256_hex("g$_"), user_id => 'gil' }) } 1 .. 9;
spew($t->dir . '/in.json', "[null,$good[0], 7 ,$good[1],true,\"x\",[1,[2]],$good[2],1.5e3]\n");
($rc, $out, $err) = cli('import', $t->dir . '/in.json');
is("$rc $out", "5 imported 3 keys; 0 were there already, 6 could not be imported\n", 'what is no object is left out');
like($err, qr/row $_ is left out: it is no object/, "as is row $_") for 1, 3, 5, 6, 7, 9;
spew($t->dir . '/in.json', "$good[3]\nnull\n12\n$good[4]");
is((cli('import', $t->dir . '/in.json', '--json'))[1], qq({"rows":4,"created":2,"exist":0,"wrong":2}\n), 'one a line');
spew($t->dir . '/in.json', "[$good[5],\n$good[6],\n");
($rc, $out, $err) = cli('import', $t->dir . '/in.json');
is($rc, 1, 'an array without its end');
like($err, qr/array has no end/, 'is told');

for my $blocked (1, 'TRUE', 'yes') {
    spew($t->dir . '/litellm.json', encode_json([{ %litellm, token => sha256_hex("b$blocked"), blocked => $blocked }]));
    cli('import', $t->dir . '/litellm.json');
    is(decode_json((cli('show', substr(sha256_hex("b$blocked"), 0, 12), '--json'))[1])->{state},
        'revoked', "blocked: $blocked");
}

for my $case ('active,FALSE', 'active,f', 'tpm,nan', 'tpm,inf') {
    my ($column, $value) = split /,/, $case;
    spew($t->dir . '/in.csv', "hash,user_id,$column\n" . sha256_hex("c$case") . ",kim,$value\n");
    is((cli('import', $t->dir . '/in.csv'))[0], 5, "CSV: $case is left out");
}

# out, and in again

($rc, $out) = cli('create', '--user', 'over', '--json');
my $over = decode_json($out)->{key_id};
cli('set', $over, '--expires', '0');

# names that a spreadsheet would take for a formula

my @formulas = ('=1+1', '-x', "'=1", "'quoted", "'''\@x", 'a;=1', "\xef\xbc\x8b1", '="1"');
cli('create', '--user', $_, '--name', $_) for @formulas;

($rc, $out) = cli('export', '--csv');
is(join(' ', sort $out =~ /^[0-9a-f]{64},(?=\W|a;|"a;)([^,]*),/mg),
    join(' ', sort q("'=1+1"), q("'-x"), q("''=1"), q('quoted), q("''''@x"), q("a;=1"), qq("'\xef\xbc\x8b1"), q("'=""1""")),
    'no formula for a spreadsheet');

for my $format (qw(json csv)) {
    my ($before, $after) = ('', '-');
    for (1 .. 20) {                     # nginx may be writing down when keys were used last
        last if $before eq $after;
        $before = $t->keys_cli('list', '--db', $db, '--json');
        ($rc, $out) = cli('export', "--$format");
        $after = $t->keys_cli('list', '--db', $db, '--json');
    }
    unlike($out, qr/sk-/, "$format: no key is exported");
    spew($t->dir . '/export', $out);
    my ($rc2, $said) = $t->keys_cli('import', '--db', "$db.$format", $t->dir . '/export');
    is($rc2, 0, "$format: what was exported is imported");
    my @lists = map { decode_json($_) } $after,
        scalar $t->keys_cli('list', '--db', "$db.$format", '--json');
    for my $list (@lists) {
        delete @$_{qw(revoked_at replaced_by)} for @$list;
    }
    is_deeply(@lists[1, 0], "$format: and is the same");
}

# many

open my $many, '>', $t->dir . '/many' or die;
print $many encode_json({ hash => sha256_hex("many$_"), user_id => 'many' }), "\n" for 1 .. 10500;
close $many;
($rc, $out, $err) = cli('import', $t->dir . '/many');
is($out, "imported 10500 keys; 0 were there already, 0 could not be imported\n", '10500 keys');
like($err, qr/^aiobs-keys: 10000 rows read$/m, 'it says how far it is');
is((cli('audit', '--verify'))[0], 0, 'each of them is an event');

spew($t->dir . '/torn', '[{"hash":"' . sha256_hex('torn') . '","user_id":"a"},{"hash":');
is((cli('import', $t->dir . '/torn'))[0], 1, 'a file that ends too early');
is(sql("SELECT count(*) FROM api_keys WHERE hash = '" . sha256_hex('torn') . "'"), 0, 'its last batch is not taken');

# what was spent

my $month = strftime('%Y-%m', gmtime);
my $n = 0;
for my $row (["$month-01", $alice3, 'gpt-5', 'chat', 1000, 200, 2_000_000], ["$month-02", $alice3, 'claude', 'chat', 10, 20, 500_000],
    ["$month-02", $alice, 'gpt-5', 'chat', 1, 2, 1], ["$month-02", $bob, 'gpt-5', 'rag', 5, 5, 3_000_000],
    ['2020-01-01', $bob, 'gpt-5', 'rag', 7, 7, 7])
{
    my ($day, $who, @rest) = @$row;
    sql(sprintf "INSERT INTO usage_daily VALUES ('%s', '%s', '%s', '%s', 1, %d, %d, 3, 0, %d, 0)", $day, sha256_hex($who), @rest);
}
($rc, $out) = cli('spend');
is($out, <<'E', 'by user, this month');
USER                               CALLS           INPUT          OUTPUT        COST USD
bob                                    1               5               5        3.000000
alice                                  3            1011             222        2.500001
total                                  4            1016             227        5.500001
E
is((cli('spend', '--by', 'model', '--csv'))[1],
    "model,calls,input_tokens,output_tokens,cache_read_tokens,cache_write_tokens,cost_usd,estimated_calls\r\n"
    . "gpt-5,3,1006,207,9,0,5.000001,0\r\nclaude,1,10,20,3,0,0.500000,0\r\n", 'by model, as CSV');
($rc, $out) = cli('spend', '--by', 'key', '--month', '2020-01', '--json');
is_deeply(decode_json($out), [{ key => id($bob), user => 'bob', name => undef, calls => 1, input_tokens => 7,
    output_tokens => 7, cache_read_tokens => 3, cache_write_tokens => 0, cost_usd => 0.000007, estimated_calls => 0 }],
    'by key, of another month, as JSON');
sql("INSERT INTO usage_daily VALUES ('1999-01-01', '$_', '$_', 'x', 1, 1, 1, 0, 0, 0, 0)")
    for '=cmd|"a"', '+1', '@x', '-y', 'a=b';
is((cli('spend', '--by', 'model', '--month', '1999-01', '--csv'))[1] =~ s/^.*\r\n//r =~ s/,1,.*\r\n/ /gr,
    qq("'+1" "'-y" "'=cmd|""a""" "'\@x" a=b ), 'no formula for a spreadsheet');
sql("INSERT INTO usage_daily VALUES ('1998-01-01', CAST(X'$_' AS TEXT), CAST(X'$_' AS TEXT), 'x', 1, 1, 1, 0, 0, 0, 0)")
    for '62ff63', 'efbc9d31', 'c3a9', '613b3d31', '2727', '273d';
is((cli('spend', '--by', 'model', '--month', '1998-01', '--csv'))[1] =~ s/^.*\r\n//r =~ s/,1,.*\r\n/ /gr,
    qq('' "''=" "a;=1" b?c \xc3\xa9 "'\xef\xbc\x9d1" ), 'nor in full width, and all of it is UTF-8');
is(join(' ', map { $_->{model} } @{decode_json((cli('spend', '--by', 'model', '--month', '1998-01', '--json'))[1])}),
    "'' '= a;=1 b?c \x{e9} \x{ff1d}1", 'as JSON, too, and there without a sign before it');
like((cli('spend', '--by', 'label', '=1', '--csv'))[1], qr/^"'=1",calls/, 'nor as a heading');
sql("DELETE FROM usage_daily WHERE day < '2000'");
like((cli('spend', '--by', 'label', 'team'))[1], qr/^TEAM .*\n- +1 +5 .*\nsearch +3 +1011 /m, 'by a label');
like((cli('spend', '--by', 'endpoint', '--user', 'alice'))[1], qr/^chat .*\ntotal /m, "by endpoint, one user's");
like((cli('spend', '--by', 'team'))[2], qr/ or label NAME$/m, 'a label is told by its name');
like((cli('spend', '--by', 'day'))[1], qr/^$month-02 +3 .*\n$month-01 +1 /m, 'by day');

is((cli('delete', id($bob)))[0], 0, 'a key is deleted');
like((cli('spend'))[1], qr/^bob  .* 3\.000000$/m, 'whose it was is still known');

# what happened

($rc, $out) = cli('audit', id($alice));
my $me = 'cli:' . getpwuid($<);
like($out, qr/^TIME \(UTC\) .*\n\S+ +\Q$me\E +created +@{[id($alice)]} .*\n\S+ +\Q$me\E +changed .*\n\S+ +\Q$me\E +rotated .*\n\z/,
    'events of a key');
my @events = map { decode_json($_) } split /\n/, (cli('audit', id($alice2), '--json'))[1];
is(join(' ', map { $_->{action} } @events), 'created rotated', 'as JSON');

($rc, $out) = cli('audit', '--verify');
is($rc, 0, 'the chain is whole');
my ($head) = $out =~ /^\d+ events, the chain is whole; the last one's hash is ([0-9a-f]{64})$/;
my $row = sql('SELECT json_array(ts, actor, action, key_id, request_id, prev_hash) FROM key_events ORDER BY rowid DESC LIMIT 1');
is(sha256_hex($row), $head, 'the hash is that of the last row');
sql("UPDATE api_keys SET name = 'by another program' WHERE hash = '" . sha256_hex($alice3) . "'");
is((cli('audit', '--expect', $head))[0], 0, 'it goes on from a hash that was noted');
like((cli('audit', id($alice3)))[1], qr/^\S+ +sql +changed /m, 'what another program did is in it');
is((cli('audit', '--expect', '0' x 64))[0], 6, 'another chain is noticed');

# a copy is tampered with in every way

sub tampered {
    my ($how) = @_;
    `sqlite3 $db ".backup $db.bad"`;
    `sqlite3 $db.bad "DROP TRIGGER aiobs_events_update; DROP TRIGGER aiobs_events_delete; $how"`;
    return $t->keys_cli('audit', '--verify', '--db', "$db.bad");
}

for my $case (["UPDATE key_events SET actor = 'me' WHERE rowid = 3", 'row 4 '],
    ['DELETE FROM key_events WHERE rowid = 2', 'row 3 '],
    ['DELETE FROM key_events WHERE rowid = 1', 'row 2 '],
    ["UPDATE key_events SET ts = '2000-01-01' WHERE rowid = (SELECT max(rowid) FROM key_events)", 'last row'],
    ['DELETE FROM key_events WHERE rowid > 5', 'last row'],
    ["INSERT INTO key_events SELECT ts, actor, action, key_id, request_id, prev_hash FROM key_events WHERE rowid = 2", 'row \d+ '])
{
    ($rc, $out, $err) = tampered($case->[0]);
    is($rc, 6, "tampered with: $case->[0]");
    like($err, qr/the chain is broken: .*$case->[1]/, 'it says where');
}

# and what happens after that does not heal the chain

for my $how ('DELETE FROM key_events WHERE rowid > 5', "UPDATE key_events SET actor = 'me' WHERE rowid = 5",
    'DELETE FROM key_events')
{
    tampered($how =~ /rowid = 5/ ? "DELETE FROM key_events WHERE rowid > 5; $how" : $how);
    $t->keys_cli('create', '--user', 'next', '--db', "$db.bad") =~ /(sk-\S+)/ and push @{$t->{secrets}}, $1;
    ($rc, $out, $err) = $t->keys_cli('audit', '--verify', '--db', "$db.bad");
    is($rc, 6, "tampered with, then a key is created: $how");
    like($err, qr/the chain is broken: row \d+ does not follow/, 'the place is told');
}

# forgetting

cli('create', '--user', 'Zaphod Beeblebrox', '--name', 'heart-of-gold', '--label', 'mail=zaphod@example.com');
sql("INSERT INTO aiobs_oidc_subjects SELECT 'https://i', '42', 'Zaphod Beeblebrox', hash, '', '' FROM api_keys WHERE name = 'heart-of-gold'");
my ($hash) = sql("SELECT hash FROM api_keys WHERE name = 'heart-of-gold'");
sql("INSERT INTO usage_daily VALUES ('$month-01', '$hash', 'm', 'e', 1, 2, 3, 0, 0, 4000000, 0)");
($rc, $out) = cli('forget', 'Zaphod Beeblebrox');
is("$rc $out", "0 forgotten: 1 key\n", 'a user is forgotten');
is(sql("SELECT user_id, name, is_active FROM api_keys WHERE hash = '$hash'"), '(forgotten)||0', 'his key is revoked');
is(sql('SELECT count(*) FROM aiobs_oidc_subjects'), 0, 'his logins are gone');
ok(!grep({ slurp($_) =~ /Zaphod|zaphod|heart-of-gold/ } glob("$db*")), 'nothing is left of him in the file');
like((cli('spend'))[1], qr/^\(forgotten\) +1 .* 4\.000000$/m, 'the sums are');
is((cli('audit', '--verify'))[0], 0, 'the chain is whole');
like((cli('audit', substr($hash, 0, 12)))[1], qr/ forgotten /, 'and says so');
is((cli('forget', 'Zaphod Beeblebrox'))[0], 3, 'he is not known any longer');

# nothing of it has a key

push @{$t->{secrets}}, @secrets;
ok(!grep({ my $s = $_; grep { index(slurp($_), $s) >= 0 } glob("$db*"), $t->dir . '/export' } @secrets),
    'no key is in any file');

Aiobs->done;
