
/*
 * Copyright (C) the aiobs authors
 *
 * aiobs-keys: commands, and what they share.
 */


#ifndef _AIOBS_KEYS_H_INCLUDED_
#define _AIOBS_KEYS_H_INCLUDED_


#include "keys/aiobs_key_form.h"

#include <stdio.h>


#define AIOBS_KEYS_VERSION    "0.1.0"

/* exit codes; --help tells them */

#define AIOBS_EXIT_OK         0
#define AIOBS_EXIT_FAILED     1
#define AIOBS_EXIT_USAGE      2
#define AIOBS_EXIT_NOT_FOUND  3
#define AIOBS_EXIT_AMBIGUOUS  4
#define AIOBS_EXIT_PARTLY     5
#define AIOBS_EXIT_BROKEN     6

#define AIOBS_KEYS_LABELS     16        /* --label, at most */


typedef struct {
    const char   *db;
    const char   *user;
    const char   *name;
    const char   *arg;          /* a key id, user, file or label */
    const char   *expires;
    const char   *models;
    const char   *endpoints;
    const char   *limits[AIOBS_LIMIT_N];
    const char   *labels[AIOBS_KEYS_LABELS];
    int           nlabels;
    const char   *grace;
    const char   *by;
    const char   *month;
    const char   *format;
    const char   *expect;
    int           admin;
    int           no_admin;
    int           may_act_for;
    int           no_may_act_for;
    int           json;
    int           csv;
    int           verify;
    int           from_stdin;
} aiobs_keys_options_t;


typedef struct {
    const char   *name;
    int         (*run)(const aiobs_keys_options_t *o);
    const char   *accepts;      /* letters of aiobs_keys_options[] */
    const char   *usage;
    const char   *help;
} aiobs_keys_command_t;


/* --- aiobs_keys_options.c --- */

/* the options of a command; an exit code, said why */
int aiobs_keys_parse(const aiobs_keys_command_t *c, int argc, char **argv,
    aiobs_keys_options_t *o);

/* what they say of a key; labels: those it has, or NULL */
int aiobs_keys_attrs(const aiobs_keys_options_t *o, aiobs_key_form_t *form,
    const char *labels);


/* --- aiobs_keys_commands.c --- */

extern const aiobs_keys_command_t  aiobs_keys_commands[];


/* --- aiobs_keys_life.c --- */

int aiobs_keys_create(const aiobs_keys_options_t *o);
int aiobs_keys_set(const aiobs_keys_options_t *o);
int aiobs_keys_rotate(const aiobs_keys_options_t *o);


/* --- aiobs_keys_end.c --- */

int aiobs_keys_revoke(const aiobs_keys_options_t *o);
int aiobs_keys_restore(const aiobs_keys_options_t *o);
int aiobs_keys_delete(const aiobs_keys_options_t *o);
int aiobs_keys_forget(const aiobs_keys_options_t *o);


/* --- aiobs_keys_show.c --- */

int aiobs_keys_list(const aiobs_keys_options_t *o);
int aiobs_keys_show(const aiobs_keys_options_t *o);
int aiobs_keys_export(const aiobs_keys_options_t *o);


/* --- aiobs_keys_report.c --- */

int aiobs_keys_spend(const aiobs_keys_options_t *o);
int aiobs_keys_audit(const aiobs_keys_options_t *o);


/* --- aiobs_keys_import.c --- */

int aiobs_keys_import(const aiobs_keys_options_t *o);


/* --- aiobs_keys_record.c --- */

typedef struct {
    char               hash[AIOBS_KEY_HEX_LEN + 1];
    char               created[AIOBS_KEY_TIME_LEN + 1];
    char               used[AIOBS_KEY_TIME_LEN + 1];
    aiobs_key_form_t   form;
} aiobs_keys_record_t;

/*
 * A row as aiobs-keys export writes it, or with the key itself, which is wiped
 * in it.  The record points into the row.  NULL, or why it is to be left out,
 * which may lie in the record.
 */
const char *aiobs_keys_record(aiobs_keys_record_t *record, const json_t *row);


/* --- aiobs_keys_litellm.c --- */

/*
 * A row of LiteLLM's table LiteLLM_VerificationToken, as JSON or CSV gives it,
 * into one as aiobs-keys export writes it, new; NULL: memory ran out.  team:
 * globs of the models that keys may which may what their team may; NULL: not
 * known.  *notes: bits of what could not be taken over.  *error: why it is to
 * be left out, or NULL.
 */

#define AIOBS_NOTE_ROUTES    0x01       /* it was bound to routes */
#define AIOBS_NOTE_LIFETIME  0x02       /* its budget's period is too long */
#define AIOBS_NOTE_TEAM      0x04       /* it had to obey its team, too */
#define AIOBS_NOTE_LIMITS    0x08       /* it had limits of other kinds */

#define AIOBS_NOTES          4

json_t *aiobs_keys_litellm(const json_t *row, const char *team,
    unsigned *notes, const char **error);


/* --- aiobs_keys_csv.c --- */

/*
 * RFC 4180.  Fields of the next record, AIOBS_CSV_FIELDS at most, in memory
 * that lasts until the next call; 0: the end, -1: a record that is none or is
 * too large.
 */

#define AIOBS_CSV_FIELDS  128

typedef struct aiobs_csv_s  aiobs_csv_t;

aiobs_csv_t *aiobs_csv_open(FILE *in);
int aiobs_csv_next(aiobs_csv_t *csv, char ***fields);
void aiobs_csv_close(aiobs_csv_t *csv);

/*
 * A record as if it were JSON, where limits are an object.  The caller's; NULL
 * only without memory.
 */
json_t *aiobs_csv_record(char **names, int n, char **fields);

/*
 * One field, quoted where needed; "?" for what is no UTF-8; NULL: an empty one.
 */
void aiobs_csv_put(FILE *out, const char *field);

/* the same of what spreadsheets are to take for a text, whatever it is */
void aiobs_csv_put_text(FILE *out, const char *field);


/* --- aiobs_keys_store.c --- */

/* an exit code; unless it is AIOBS_EXIT_OK all is said and closed */
int aiobs_keys_open(const aiobs_keys_options_t *o, unsigned flags,
    aiobs_store_t **store);

/* who runs this: "cli:" and the name of the user */
const aiobs_actor_t *aiobs_keys_actor(void);

/* says why, closes, returns AIOBS_EXIT_FAILED */
int aiobs_keys_failed(const aiobs_keys_options_t *o, aiobs_store_t *store);

/* the hash of the key that is meant; an exit code */
int aiobs_keys_which(const aiobs_keys_options_t *o, aiobs_store_t *store,
    char *hash);

/* opens the store and finds the one key that is meant; likewise */
int aiobs_keys_one(const aiobs_keys_options_t *o, aiobs_store_t **store,
    char *hash);


/* --- aiobs_keys_output.c --- */

/* "aiobs-keys: ..." on stderr */
void aiobs_keys_say(const char *fmt, ...)
    __attribute__((format(printf, 1, 2)));

/* text of another program: what is no valid UTF-8, or would drive a terminal,
   becomes "?"; at most width columns wide, padded if pad */
void aiobs_keys_text(FILE *out, const char *text, int width, int pad);

/* the same, then two spaces; NULL: "-" */
void aiobs_keys_cell(const char *text, int width);

/* not cut, however narrow the column; but at AIOBS_KEYS_LONGEST */
void aiobs_keys_whole(const char *text, int width);

/* columns that a text takes, AIOBS_KEYS_LONGEST at most */
int aiobs_keys_count(const char *text);

#define AIOBS_KEYS_LONGEST  1024

/* one object; text that is no valid UTF-8 is made so */
void aiobs_keys_json(const char *json);

/* the same, new; NULL: it is none by these flags of jansson's */
json_t *aiobs_keys_read_json(const char *json, size_t flags);

/* a text, "?" for what is no UTF-8; new; null of NULL; NULL: no memory */
json_t *aiobs_keys_sound(const char *text);

/* 0: all of stdout got where it belongs */
int aiobs_keys_flush(void);


/* --- aiobs_keys_table.c --- */

#define AIOBS_KEYS_TABLE_ROWS  256      /* that tell how wide columns are */

typedef struct {
    int              user;              /* columns; likewise: */
    int              name;
    int              created;
    int              used;
    int              fitted;
    size_t           n;
    aiobs_key_row_t  rows[AIOBS_KEYS_TABLE_ROWS];
} aiobs_keys_table_t;

void aiobs_keys_table(aiobs_keys_table_t *t);
void aiobs_keys_table_row(aiobs_keys_table_t *t, const aiobs_key_row_t *row);
void aiobs_keys_table_end(aiobs_keys_table_t *t);


/* --- aiobs_keys_file.c --- */

/*
 * Makes the file of a store, readable by nobody else.  Root's goes to the
 * owner of its directory, who is the one to use it.
 */
int aiobs_keys_make_file(const char *path);


#endif /* _AIOBS_KEYS_H_INCLUDED_ */
