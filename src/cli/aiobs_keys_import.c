
/*
 * Copyright (C) the aiobs authors
 *
 * aiobs-keys: keys of other stores.
 */


#include "aiobs_keys.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>


#define AIOBS_IMPORT_BATCH     1000     /* keys in a transaction */
#define AIOBS_IMPORT_PROGRESS  10000
#define AIOBS_IMPORT_ERRORS    10       /* that are told */


typedef struct {
    const aiobs_keys_options_t  *o;
    aiobs_store_t               *store;
    FILE                        *in;
    int                          litellm;
    int                          array;         /* of JSON, under way */
    size_t                       rows;
    size_t                       created;
    size_t                       exist;
    size_t                       wrong;
    size_t                       pending;       /* not yet committed */
    size_t                       notes[AIOBS_NOTES];
} aiobs_import_t;


static int aiobs_import_open(aiobs_import_t *im);
static int aiobs_import_run(aiobs_import_t *im);
static int aiobs_import_json(aiobs_import_t *im);
static void aiobs_import_word(aiobs_import_t *im);
static int aiobs_import_csv(aiobs_import_t *im);
static int aiobs_import_row(aiobs_import_t *im, json_t *row);
static int aiobs_import_key(aiobs_import_t *im, json_t *row, unsigned notes);
static void aiobs_import_wrong(aiobs_import_t *im, const char *error);
static int aiobs_import_commit(aiobs_import_t *im);
static int aiobs_import_tell(aiobs_import_t *im);


int
aiobs_keys_import(const aiobs_keys_options_t *o)
{
    int             rc;
    aiobs_import_t  im;

    memset(&im, 0, sizeof(im));
    im.o = o;

    rc = aiobs_import_open(&im);
    if (rc != AIOBS_EXIT_OK) {
        return rc;
    }

    if (aiobs_keys_make_file(o->db) != 0) {
        rc = AIOBS_EXIT_FAILED;

    } else {
        rc = aiobs_keys_open(o, AIOBS_STORE_CREATE, &im.store);

        if (rc == AIOBS_EXIT_OK) {
            rc = aiobs_import_run(&im);
            aiobs_store_close(im.store);
        }
    }

    if (im.in != stdin) {
        fclose(im.in);
    }

    return rc == AIOBS_EXIT_OK ? aiobs_import_tell(&im) : rc;
}


static int
aiobs_import_open(aiobs_import_t *im)
{
    const char  *file, *format;

    file = im->o->arg;
    format = im->o->format;

    if (file == NULL) {
        aiobs_keys_say("import what? give a file, or - for stdin");
        return AIOBS_EXIT_USAGE;
    }

    if (format && strcmp(format, "litellm") != 0
        && strcmp(format, "aiobs") != 0)
    {
        aiobs_keys_say("--format takes aiobs or litellm");
        return AIOBS_EXIT_USAGE;
    }

    im->litellm = format && strcmp(format, "litellm") == 0;
    im->in = strcmp(file, "-") == 0 ? stdin : fopen(file, "r");

    if (im->in == NULL) {
        aiobs_keys_say("cannot open %s: %s", file, strerror(errno));
        return AIOBS_EXIT_FAILED;
    }

    return AIOBS_EXIT_OK;
}


static int
aiobs_import_run(aiobs_import_t *im)
{
    int  ch, rc;

    /* a byte order mark, white space, then what tells JSON from CSV */

    do {
        ch = getc(im->in);
    } while (ch == 0xef || ch == 0xbb || ch == 0xbf || ch == ' ' || ch == '\n'
             || ch == '\r' || ch == '\t');

    im->array = ch == '[';

    if (!im->array) {
        ungetc(ch, im->in);
    }

    rc = (ch == '[' || ch == '{') ? aiobs_import_json(im)
                                  : aiobs_import_csv(im);

    if (rc == AIOBS_EXIT_OK) {
        rc = aiobs_import_commit(im);

    } else if (im->store) {
        aiobs_store_abort(im->store);
    }

    if (rc != AIOBS_EXIT_OK && im->created > im->pending) {
        aiobs_keys_say("%zu keys were imported before; import the file again to"
                       " go on", im->created - im->pending);
    }

    return rc;
}


/* an array of objects, or one after another; one at a time */

static int
aiobs_import_json(aiobs_import_t *im)
{
    int           ch, rc;
    json_t       *row;
    json_error_t  error;

    for ( ;; ) {
        do {
            ch = getc(im->in);
        } while (ch == ',' || ch == ' ' || ch == '\n' || ch == '\r'
                 || ch == '\t');

        if (ch == EOF && im->array) {
            aiobs_keys_say("the array has no end: is this all of the file?");
            return AIOBS_EXIT_FAILED;
        }

        if (ch == EOF || ch == ']') {
            return AIOBS_EXIT_OK;
        }

        if (isalnum(ch) || ch == '-') {
            im->rows++;
            aiobs_import_word(im);
            continue;
        }

        ungetc(ch, im->in);

        row = json_loadf(im->in, JSON_DISABLE_EOF_CHECK|JSON_DECODE_ANY,
                         &error);

        if (row == NULL) {
            aiobs_keys_say("row %zu is no JSON: %s", im->rows + 1, error.text);
            return AIOBS_EXIT_FAILED;
        }

        rc = aiobs_import_row(im, row);
        json_decref(row);

        if (rc != AIOBS_EXIT_OK) {
            return rc;
        }
    }
}


/* a number, true, false or null; jansson would take what follows it along */

static void
aiobs_import_word(aiobs_import_t *im)
{
    int  ch;

    do {
        ch = getc(im->in);
    } while (isalnum(ch) || ch == '-' || ch == '+' || ch == '.');

    ungetc(ch, im->in);

    aiobs_import_wrong(im, "it is no object");
}


static int
aiobs_import_csv(aiobs_import_t *im)
{
    int           rc, n, columns;
    char        **fields, *names[AIOBS_CSV_FIELDS];
    json_t       *row;
    aiobs_csv_t  *csv, *header;

    /* the names of the columns lie in a reader of their own */

    header = aiobs_csv_open(im->in);
    csv = aiobs_csv_open(im->in);
    rc = AIOBS_EXIT_FAILED;

    columns = header && csv ? aiobs_csv_next(header, &fields) : -1;

    if (columns < 1) {
        aiobs_keys_say("there is neither JSON nor CSV in it");
        goto done;
    }

    memcpy(names, fields, columns * sizeof(char *));

    rc = AIOBS_EXIT_OK;

    while (rc == AIOBS_EXIT_OK && (n = aiobs_csv_next(csv, &fields)) != 0) {

        if (n != columns) {
            im->rows++;
            aiobs_import_wrong(im, "it has other fields than the first line");
            continue;
        }

        row = aiobs_csv_record(names, n, fields);
        rc = aiobs_import_row(im, row);
        json_decref(row);
    }

done:

    aiobs_csv_close(header);
    aiobs_csv_close(csv);

    return rc;
}


static int
aiobs_import_row(aiobs_import_t *im, json_t *row)
{
    int          rc;
    json_t      *key;
    unsigned     notes;
    const char  *error;

    im->rows++;
    notes = 0;
    error = json_is_object(row) ? NULL : "it is no object";

    if (error == NULL && (im->litellm || json_object_get(row, "token"))) {
        key = aiobs_keys_litellm(row, im->o->models, &notes, &error);

    } else {
        key = json_incref(row);
    }

    if (error) {
        aiobs_import_wrong(im, error);
        rc = AIOBS_EXIT_OK;

    } else {
        rc = aiobs_import_key(im, key, notes);
    }

    json_decref(key);

    if (im->rows % AIOBS_IMPORT_PROGRESS == 0) {
        aiobs_keys_say("%zu rows read", im->rows);
    }

    if (rc == AIOBS_EXIT_OK && im->pending == AIOBS_IMPORT_BATCH) {
        rc = aiobs_import_commit(im);
    }

    return rc;
}


static int
aiobs_import_key(aiobs_import_t *im, json_t *row, unsigned notes)
{
    int                   i;
    const char           *error;
    aiobs_keys_record_t   record;

    error = aiobs_keys_record(&record, row);

    if (error) {
        aiobs_import_wrong(im, error);
        return AIOBS_EXIT_OK;
    }

    if (im->pending == 0 && aiobs_store_begin(im->store) != AIOBS_STORE_OK) {
        aiobs_keys_say("store %s: %s", im->o->db, aiobs_store_error(im->store));
        return AIOBS_EXIT_FAILED;
    }

    switch (aiobs_store_create(im->store, aiobs_keys_actor(), record.hash,
                               &record.form.attrs))
    {
    case AIOBS_STORE_OK:
        im->pending++;
        im->created++;

        for (i = 0; i < AIOBS_NOTES; i++) {
            im->notes[i] += notes >> i & 1;
        }

        return AIOBS_EXIT_OK;

    case AIOBS_STORE_EXISTS:
        im->exist++;

        if (im->pending == 0) {
            aiobs_store_abort(im->store);
        }

        return AIOBS_EXIT_OK;

    default:
        aiobs_keys_say("store %s: %s", im->o->db, aiobs_store_error(im->store));
        return AIOBS_EXIT_FAILED;
    }
}


static void
aiobs_import_wrong(aiobs_import_t *im, const char *error)
{
    if (im->wrong++ < AIOBS_IMPORT_ERRORS) {
        aiobs_keys_say("row %zu is left out: %s", im->rows, error);
    }
}


static int
aiobs_import_commit(aiobs_import_t *im)
{
    if (im->pending == 0) {
        return AIOBS_EXIT_OK;
    }

    if (aiobs_store_commit(im->store) != AIOBS_STORE_OK) {
        aiobs_keys_say("store %s: %s", im->o->db, aiobs_store_error(im->store));
        return AIOBS_EXIT_FAILED;
    }

    im->pending = 0;

    return AIOBS_EXIT_OK;
}


static int
aiobs_import_tell(aiobs_import_t *im)
{
    int  i;

    static const char  *notes[] = {
        "were bound to routes, which are not taken over: see --endpoints",
        "had a budget for good, or of more than a month; it is one of each month"
        " now",
        "had to obey models and limits of their team, too, which are not in this"
        " table",
        "had limits of single models, or of another table, which are not taken"
        " over"
    };

    for (i = 0; i < AIOBS_NOTES; i++) {
        if (im->notes[i]) {
            aiobs_keys_say("note: %zu keys %s", im->notes[i], notes[i]);
        }
    }

    if (im->o->json) {
        printf("{\"rows\":%zu,\"created\":%zu,\"exist\":%zu,\"wrong\":%zu}\n",
               im->rows, im->created, im->exist, im->wrong);
    } else {
        printf("imported %zu keys; %zu were there already, %zu could not be"
               " imported\n", im->created, im->exist, im->wrong);
    }

    return im->wrong ? AIOBS_EXIT_PARTLY : AIOBS_EXIT_OK;
}
