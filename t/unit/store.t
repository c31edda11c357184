#!/usr/bin/perl

# Copyright (C) the aiobs authors
#
# The store of keys: what keys carry, what they spent, what happened to them;
# the sqlite3 command is the other program.

use strict;
use warnings;
no warnings 'qw';

use FindBin;
use lib "$FindBin::Bin/../lib";

use AiobsUnit;
use Digest::SHA qw(sha256_hex);
use File::Temp qw(tempdir);
use JSON::PP;
use Test::More;

my $dir = tempdir(CLEANUP => 1);
my $db = "$dir/keys.db";
my %variants = variants();
my $exe;

# a key whose hash is one digit over and over

my $key = "replace(hex(zeroblob(32)), '0', '%s')";

sub store { return (run_on($exe, '', $db, @_))[1] }

sub sql {
    my ($sql) = @_;
    open my $fh, '-|', 'sqlite3', $db, $sql or die "sqlite3: $!";
    my $out = join '', <$fh>;
    close $fh;
    chomp $out;
    return $out;
}

sub refused {
    my ($sql) = @_;
    return `sqlite3 $db "$sql" 2>&1`;
}

# rows of key_events are what they were, and so is their order

sub is_chained {
    my ($name) = @_;

    my $rows = decode_json(sql('SELECT json_group_array(json_array(ts, actor,'
        . ' action, key_id, request_id, prev_hash)) FROM key_events'));
    my $prev = '0' x 64;
    my $json = JSON::PP->new->utf8;
    my $bad = 0;

    for my $row (@$rows) {
        $bad++ if $row->[5] ne $prev;
        $prev = sha256_hex($json->encode($row));
    }

    is($bad, 0, "$name: every row is chained to the one before");
    is(sql("SELECT value FROM aiobs_meta WHERE name = 'audit_head'"), $prev,
        "$name: the last one is known");
    return;
}

sub events {
    return sql("SELECT group_concat(action || ' ' || substr(key_id, 1, 1)"
        . " || ' ' || actor, ', ') FROM key_events WHERE rowid > $_[0]");
}

for my $variant (sort keys %variants) {
    $exe = build('store', $variant,
        [map { "keys/$_.c" } qw(aiobs_key aiobs_key_attrs aiobs_key_form
            aiobs_key_form_text aiobs_store
            aiobs_store_events aiobs_store_list aiobs_store_login
            aiobs_store_lookup aiobs_store_manage aiobs_store_policy
            aiobs_store_schema aiobs_store_sift aiobs_store_sql
            aiobs_store_write)],
        qw(-lsqlite3 -lcrypto -ljansson -lm));

    unlink glob "$db*";

    # a store of the first version, as it was made then

    sql(<<"SQL" =~ s/'a'\)/lc "'A')"/er);
CREATE TABLE api_keys (hash TEXT PRIMARY KEY, user_id TEXT, name TEXT, created_at TEXT, last_used TEXT, is_active INTEGER DEFAULT 1);
CREATE TABLE aiobs_meta (name TEXT PRIMARY KEY, value);
CREATE TABLE aiobs_changes (seq INTEGER PRIMARY KEY AUTOINCREMENT, hash TEXT, mark INTEGER);
CREATE TABLE aiobs_key_attrs (hash TEXT PRIMARY KEY, revoked_at TEXT);
INSERT INTO aiobs_meta VALUES ('schema', 1);
CREATE TRIGGER aiobs_api_keys_insert AFTER INSERT ON api_keys BEGIN
INSERT INTO aiobs_changes (hash, mark) VALUES (NEW.hash, random());
DELETE FROM aiobs_key_attrs WHERE hash = NEW.hash; END;
INSERT INTO api_keys VALUES (@{[sprintf $key, 'a']}, 'alice', 'old', '2026-01-01T00:00:00.000000', '2026-01-02T00:00:00.000000', 1);
SQL
    is(store('lookup', 'a'), "active user alice name old account a\n0\n",
        "$variant: a store of the first version is taken over");
    is(sql("SELECT value FROM aiobs_meta WHERE name = 'schema'"), 2,
        "$variant: and is of the second then");

    # what a key carries

    my $full = 'expires 1798761599 admin acts models gpt-*,claude-3 endpoints chat'
        . ' labels {"team":"a b"} rpm 60 tpm 1000 tokens_per_day 5'
        . ' tokens_per_month 6 cost_usd_per_day 7 cost_usd_per_month 8 parallel 2';
    is(store(qw(create b user=bob name=laptop expires=2026-12-31T23:59:59
        models=gpt-*,claude-3 endpoints=chat admin=1 may_act_for=1 rpm=60
        tpm=1000 tokens_per_day=5 tokens_per_month=6 cost_usd_per_day=7
        cost_usd_per_month=8 parallel=2), 'labels={"team": "a b"}', ',',
        qw(lookup b)),
        "0\nactive fresh user bob name laptop $full account b\n0\n",
        "$variant: a key has all it was made with");
    is(store(qw(create b user=eve)), "7\n", "$variant: it is there already");
    is(store(qw(edit b models= rpm= admin=0 parallel=3 name= , lookup b)),
        "0\nactive fresh user bob name  " . ($full =~ s/ admin//r =~ s/gpt-\*,claude-3//r
        =~ s/ rpm 60//r =~ s/parallel 2/parallel 3/r) . " account b\n0\n",
        "$variant: what is named changes, the rest stays");
    is(store(qw(edit c rpm=1)), "1\n", "$variant: a key that is not there");

    for my $bad (['models=a,,b', 'one of its'], ['models=a b', 'its models or'],
        ['expires=2026-13-01T00:00:00', 'its end'], ['expires=tomorrow', 'its end'],
        ['labels={"a":1}', "a label's value"], ['labels=[]', 'its labels'],
        ['labels={"a b":"c"}', "a label's name"], ['labels={"a":"b","a":"c"}', 'its labels'],
        ['labels={"a":"\u0007"}', "a label's value"], ['rpm=-2', 'a limit'],
        ['models=' . 'x' x 513, 'its models'], ['user=', 'a key needs'])
    {
        like(store('edit', 'b', $bad->[0]), qr/^\Q$bad->[1]\E.*\n-1\n\z/,
            "$variant: refused: " . substr $bad->[0], 0, 30);
    }

    # other programs

    sql("UPDATE aiobs_key_attrs SET rpm = 'many' WHERE models IS NULL");
    like(store(qw(lookup b)), qr/ broken .* rpm 0 /, "$variant: what is no limit allows nothing");
    sql("UPDATE aiobs_key_attrs SET rpm = NULL, expires_at = 'soon', labels = '[1]', models = x'00'");
    like(store(qw(lookup b)), qr/ expires 1 broken .* labels  /,
        "$variant: nor does what is no time or no text");
    sql("UPDATE aiobs_key_attrs SET expires_at = NULL, labels = NULL, models = printf('%600s', 'x')");
    like(store(qw(lookup b)), qr/ broken /, "$variant: or what is too long");
    sql('UPDATE aiobs_key_attrs SET models = NULL');

    # changes of what keys may are changes of keys

    is(store(qw(changes , changes , edit b rpm=9 , changes , create c user=carol
        rpm=1 , changes)) =~ s/^active.*?(?= rpm)//gmr =~ s/^0\n//gmr,
        "1\n rpm 9 tpm 1000 tokens_per_day 5 tokens_per_month 6 cost_usd_per_day 7"
        . " cost_usd_per_month 8 parallel 3 account b\n rpm 1 account c\n rpm 1 account c\n",
        "$variant: a change of limits is followed");
    my $n = sql('SELECT max(seq) FROM aiobs_changes');
    sql("UPDATE aiobs_key_attrs SET tpm = 2 WHERE rpm = 1");
    is(sql('SELECT max(seq) FROM aiobs_changes'), $n + 1,
        "$variant: by whomever it is made");

    # rotation

    my $carol = 'fresh user carol name  expires 0 models  endpoints  labels  rpm 1 tpm 2 [0 60 5] account c';
    is(store(qw(window c 0 60 5 , rotate c d 3600 , lookup d , lookup c , rotate c e 0))
        =~ s/expires [1-9]\d+/expires 0/r,
        "0\n0\nactive $carol\n0\nactive $carol\n0\n6\n",
        "$variant: a rotated key hands on what it has, once");
    my $end = sql("SELECT strftime('%s', expires_at) - strftime('%s', 'now') FROM aiobs_key_attrs WHERE replaced_by IS NOT NULL");
    cmp_ok($end, '>', 3500, "$variant: and ends after a while");
    is(store(qw(rotate d e 0 , lookup d , lookup e)) =~ s/expires [1-9]\d+/expires 0/gr,
        "0\nrevoked $carol\n0\nactive $carol\n0\n",
        "$variant: or at once; its limits are those of the first");
    is(store(qw(rotate d f 0 , rotate 0 1 0)), "6\n1\n",
        "$variant: a revoked key is not rotated, nor one that is not there");

    # windows and usage

    is(store(qw(window c 0 60 -2 , window c 0 120 7 , window c 0 60 100 , window c 4 86400 3 , lookup e))
        =~ s/^.*?( \[.*)\n0\n\z/$1/sr,
        " [0 120 7] [4 86400 3] account c", "$variant: windows add up, later ones replace");
    store(qw(usage c 2026-11-26 gpt chat 10 20 5 , usage c 2026-11-26 gpt chat 1 2 3 ,
        usage c 2026-11-27 gpt chat 1 1));
    is(sql('SELECT day, model, endpoint, calls, input, output, cost_microusd, estimated_calls FROM usage_daily'),
        "2026-11-26|gpt|chat|2|11|22|8|0\n2026-11-27|gpt|chat|1|1|1|0|0", "$variant: usage adds up");

    # login

    my $events = sql('SELECT max(rowid) FROM key_events');
    is(store(qw(login https://i 42 mail@a 1 0 , login https://i 42 mail@a 2 60 ,
        login https://j 42 other@a 3 0 , revoke 2 , login https://i 42 new@a 4 0)),
        "rotated 0\n0\nrotated 1\n0\nrotated 0\n0\n0\nrotated 0\n0\n",
        "$variant: a login makes a key, the next one rotates it, unless it works no longer");
    is(sql('SELECT issuer, sub, email, substr(hash, 1, 1) FROM aiobs_oidc_subjects ORDER BY issuer'),
        "https://i|42|new\@a|4\nhttps://j|42|other\@a|3", "$variant: the person is known by issuer and subject");
    is(store(qw(lookup 4)), "active fresh user new\@a name google-oauth account 1\n0\n",
        "$variant: after a revocation the same limits hold, under the new address");
    is(events($events), join(', ', map { "$_ test:unit" } 'created 1', 'logged_in 1',
        'rotated 1', 'created 2', 'logged_in 2', 'created 3', 'logged_in 3', 'revoked 2',
        'rotated 2', 'created 4', 'logged_in 4'), "$variant: each step is an event");

    # events of others

    store('trim');
    $events = sql('SELECT max(rowid) FROM key_events');
    sql(sprintf "INSERT INTO api_keys VALUES ($key, 'py', '', '', NULL, 1);"
        . "UPDATE api_keys SET last_used = '2026-01-01' WHERE user_id = 'py';"
        . "UPDATE api_keys SET is_active = 0 WHERE user_id = 'py';"
        . "UPDATE api_keys SET is_active = 1 WHERE user_id = 'py';"
        . "UPDATE api_keys SET user_id = 'p' WHERE user_id = 'py';"
        . "DELETE FROM api_keys WHERE user_id = 'p'", 5);
    is(store('trim'), "0\n", "$variant: events of another program are taken");
    is(events($events), 'created 5 sql, first_used 5 key:555555555555, revoked 5 sql,'
        . ' restored 5 sql, changed 5 sql, deleted 5 sql', "$variant: as they happened");
    is(sql('SELECT count(*) FROM aiobs_event_queue'), 0, "$variant: once");
    like(refused("UPDATE key_events SET actor = 'x'"), qr/append-only/, "$variant: events cannot be changed");
    like(refused('DELETE FROM key_events'), qr/append-only/, "$variant: nor deleted");
    is_chained($variant);

    # one transaction for many; a failed one leaves nothing

    is(store(qw(begin , create 6 user=a , create 6 user=b , create 7 user=c , commit , delete 6 , delete 6)),
        "0\n0\n7\n0\n0\n0\n1\n", "$variant: a batch goes on after a key that is there");
    $n = sql('SELECT count(*) FROM key_events');
    store(qw(begin , create 8 user=a));
    is(sql('SELECT count(*) FROM key_events'), $n, "$variant: what is not committed did not happen");
    is(sql("SELECT count(*) FROM api_keys WHERE user_id = 'a'"), 0, "$variant: at all");
    is(store(qw(lookup 7)), "active fresh user c name  account 7\n0\n", "$variant: the rest is there");
    is_chained("$variant, a batch");

    # pages

    my @all = sort split /\n/, sql('SELECT hash FROM api_keys');
    my @seen = map { decode_json($_)->{hash} } grep { /^\{/ } map { split /\n/, store('list', @$_) }
        ['0', 3], [substr($all[2], 0, 1), 100];
    is_deeply(\@seen, \@all, "$variant: pages together are the whole");
}

done_testing();
