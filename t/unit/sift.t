#!/usr/bin/perl

# Copyright (C) the aiobs authors
#
# What the store tells of keys that nobody has without asking its table: never
# anything else than the table, whatever other programs do to it meanwhile.

use strict;
use warnings;
no warnings 'qw';

use FindBin;
use lib "$FindBin::Bin/../lib";

use AiobsUnit;
use Digest::SHA qw(sha256_hex);
use File::Copy qw(copy);
use File::Temp qw(tempdir);
use Test::More;

my $dir = tempdir(CLEANUP => 1);
my $db = "$dir/keys.db";
my %variants = variants();
my $columns = 'user_id TEXT, name TEXT, created_at TEXT, last_used TEXT, is_active INTEGER';
my ($exe, $v);

sub sql {
    my ($file, @sql) = @_;
    open my $fh, '|-', 'sqlite3', '-bail', $file or die "sqlite3: $!";
    print $fh join "\n", @sql, '';
    close $fh or die "sqlite3: $?";
    return;
}

sub hash { return "'" . sha256_hex($_[0]) . "'" }
sub insert { return 'INSERT INTO api_keys VALUES (' . hash($_[0]) . ", '$_[0]', NULL, NULL, NULL, 1);" }
sub remove { return 'DELETE FROM api_keys WHERE hash = ' . hash($_[0]) . ';' }

# what other programs do while the store is open

sub run { return ('run', $_[0], ',') }
sub other { return run("sqlite3 $db \"@_\"") }
sub backup { return run("sqlite3 $db '.backup $dir/backup.db'") }
sub restore { return run("sqlite3 $db '.restore $dir/backup.db'") }

# keys for three pieces of the filter

sub fresh {
    my ($table) = @_;

    unlink glob "$dir/*.db*";
    return copy("$dir/made", $db) if !$table && -f "$dir/made";

    sql($db, $table // "CREATE TABLE api_keys (hash TEXT PRIMARY KEY, $columns);");
    run_on($exe, '', $db);
    sql($db, 'BEGIN;', (map { insert("key$_") } 1 .. 2500), 'COMMIT;');
    copy($db, "$dir/made") if !$table;
    return;
}

sub is_told {
    my ($name, $expected, @commands) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return is((run_on($exe, '', $db, @commands))[1], "$expected, ", "$v: $name");
}

# a filter that does not have the key, and what makes that out of date: done to one that is
# complete, and to one of which there is a piece

sub is_noticed {
    my ($name, $key, @what) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;

    fresh();
    is_told($name, "ready, - 0, $key 1", qw(sift , find), $key, ',', @what, 'find', $key);
    fresh();
    is_told("$name, while it is made", "begun, - 1, $key", qw(sift 1 , find), $key, ',', @what,
        qw(later 6 , wait , again), $key);
    return;
}

# all triggers go, something is done, and they come again

sub swap {
    my ($file, $sql) = @_;

    open my $fh, '>', "$dir/swap.sql" or die "swap.sql: $!";
    print $fh "$_\n" for ".once $dir/triggers.sql",
        "SELECT sql || ';' FROM sqlite_master WHERE type = 'trigger';", 'BEGIN;',
        map({ "DROP TRIGGER aiobs_$_;" } qw(api_keys_insert api_keys_delete api_keys_update
            api_keys_used attrs_insert attrs_delete attrs_update events_update events_delete)),
        $sql, ".read $dir/triggers.sql", 'COMMIT;';
    close $fh;
    return run("sqlite3 -bail $file < $dir/swap.sql");
}

for my $variant (sort keys %variants) {
    $v = $variant;
    $exe = build('sift', $variant,
        [map { "keys/$_.c" } qw(aiobs_key aiobs_key_attrs aiobs_key_form
            aiobs_key_form_text aiobs_store
            aiobs_store_events aiobs_store_list aiobs_store_login
            aiobs_store_lookup aiobs_store_manage aiobs_store_policy
            aiobs_store_schema aiobs_store_sift aiobs_store_sql aiobs_store_write)],
        qw(-lsqlite3 -lcrypto -ljansson -lm));

    my @some = qw(find nobody key1);

    fresh();
    is_told('without a filter the table is asked', '- key1 2', @some);
    is_told('it is made in pieces', 'begun, - key1 2, begun, ready, - key1 1',
        qw(sift 1 ,), @some, qw(, sift 1 , sift ,), @some);
    is_told('of keys that somebody has the table tells, and of few others',
        'ready, 2500 all, 0 few', qw(sift , count key 2500 , count no 5000));
    is_told('it has two bytes for a key', 'ready, 4992', qw(sift , size));

    # how long it lives

    is_told('it stays a while', 'ready, ready, - key1 1', qw(sift , later 9 , rest ,), @some);
    is_told('and goes when it is not wanted', 'ready, none, - key1 2',
        qw(sift , later 11 , rest ,), @some);
    is_told('half of one goes as well', 'begun, none', qw(sift 1 , later 11 , rest));
    is_told('an old one is made anew', 'ready, begun, ready',
        qw(sift , later 301 , once , sift));

    # keys come and go

    is_told('another program adds a key', 'ready, - 0, added 1, - 0',
        qw(sift , find added ,), other(insert('added')), qw(find added , find nobody));
    is_told('while it is made', 'begun, early late 2, ready, early late - 2',
        qw(sift 1 ,), other(insert('early'), insert('late')), qw(find early late ,
        sift , find early late nobody));
    is_told('our own handle adds one', 'ready, - 0, 0, own 1',
        qw(sift , find mine , create mine , find mine));
    is_told('a key is deleted, and comes again', 'ready, key2 1, - 1, key2 1',
        qw(sift , find key2 ,), other(remove('key2')), qw(find key2 ,),
        other(insert('key2')), qw(find key2));
    is_told('it was deleted before', 'ready, - 0, key3 1',
        other(remove('key3')), qw(sift , find key3 ,), other(insert('key3')), qw(find key3));
    is_told('a key is written over another', 'ready, - 0, key4 1', qw(sift , find other ,),
        other('UPDATE api_keys SET hash = ' . hash('other') . ' WHERE hash = ' . hash('key4')),
        qw(find other));
    is_told('one is replaced', 'ready, - 0, swapped 1', qw(sift , find swapped ,),
        other(insert('swapped') =~ s/INSERT/INSERT OR REPLACE/r), qw(find swapped));
    fresh();
    is_told('there are more changes than are followed', 'ready, many 1, - 1, none, ready, 2500 all',
        qw(sift ,), other('WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n'
            . ' WHERE i < 11000) INSERT INTO api_keys SELECT printf(\'%064x\', i), NULL, NULL,'
            . ' NULL, NULL, 1 FROM n;', insert('many'), insert('other')),
        qw(find many , find nobody , sift 3 , later 6 , sift , count key 2500));

    # the log does not lead on

    is_noticed('the log was emptied', 'new', other(insert('new'), 'DELETE FROM aiobs_changes;'));
    is_told('an empty one cannot be followed', 'none, - 1', qw(sift 9 , find nobody));
    is_noticed('its beginning is gone', 'new', other(insert('new'),
        'DELETE FROM aiobs_changes WHERE seq < (SELECT max(seq) FROM aiobs_changes);'));
    is_noticed('it is of another history', 'new', other(insert('new'),
        'DELETE FROM aiobs_changes WHERE seq = (SELECT max(seq) - 1 FROM aiobs_changes);',
        'UPDATE aiobs_changes SET seq = seq - 1 WHERE hash = ', hash('new'), ';', insert('more')));
    is_noticed('it tells of every key', 'new', other(
        q(UPDATE api_keys SET name = 'new' WHERE hash = ) . hash('key1') . ';', insert('new'),
        q(UPDATE aiobs_changes SET hash = '*' WHERE hash = ) . hash('new')));

    # the triggers did not see it

    is_noticed('a trigger is gone', 'new', other('DROP TRIGGER aiobs_api_keys_insert;',
        insert('new')));
    fresh();
    is_told('there is no filter without it', 'none, - 1',
        other('DROP TRIGGER aiobs_api_keys_insert;'), qw(sift 9 , find nobody));
    is_noticed('all were away for a moment', 'new', swap($db, insert('new')));
    is_noticed('the table is another one', 'new', other('BEGIN; CREATE TABLE other AS SELECT *'
        . ' FROM api_keys; DROP TABLE api_keys; CREATE TABLE api_keys (hash TEXT PRIMARY KEY,'
        . " $columns); INSERT INTO api_keys SELECT * FROM other; DROP TABLE other;",
        insert('new'), 'COMMIT'));

    # backups

    fresh();
    is_told('a backup is restored that has a key more', 'ready, - 0, gone 1',
        other(insert('gone')), backup(), other(remove('gone')), qw(sift , find gone ,),
        restore(), qw(find gone));
    fresh();
    is_told('one whose log is as long', 'ready, - here 1, there - 3',
        backup(), other(insert('here')), run("sqlite3 $dir/backup.db \"" . insert('there') . '"'),
        qw(sift , find there here ,), restore(), qw(find there here));
    fresh();
    is_told('one that goes on from here', 'ready, - 0, there 1', backup(),
        run("sqlite3 $dir/backup.db \"" . insert('there') . '"'),
        qw(sift , find there ,), restore(), qw(find there));
    fresh();
    is_told('one that was changed behind the log', 'ready, - 0, slipped 1',
        backup(), qw(sift , find slipped ,), swap("$dir/backup.db", insert('slipped')),
        restore(), qw(find slipped));

    # tables as others may have made them

    fresh("CREATE TABLE api_keys (hash TEXT PRIMARY KEY COLLATE NOCASE, $columns);");
    sql($db, 'UPDATE api_keys SET hash = upper(hash);');
    is_told('letters of either case', 'ready, 2500 all, 0 few',
        qw(sift , count key 2500 , count no 5000));
    fresh("CREATE TABLE api_keys (hash TEXT PRIMARY KEY, $columns) WITHOUT ROWID;");
    is_told('without numbers of rows there is no filter', 'none, - key1 2', qw(sift ,), @some);
    fresh("CREATE TABLE api_keys (hash TEXT, $columns);");
    sql($db, 'INSERT INTO api_keys (hash) SELECT hash FROM api_keys;',
        "INSERT INTO api_keys (hash) SELECT 'fff' FROM api_keys;",
        "INSERT INTO api_keys (hash) VALUES (NULL), (''), (x'ff'), (1), (printf('%0100d', 1)),"
        . " (replace(hex(zeroblob(999)), '0', '~'));");
    is_told('what is no hash, or there twice', 'ready, 20 all, 0 none',
        qw(sift , count key 20 , count no 5000));
}

done_testing();
