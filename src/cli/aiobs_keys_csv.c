
/*
 * Copyright (C) the aiobs authors
 *
 * aiobs-keys: comma-separated values, RFC 4180, UTF-8.  A spreadsheet takes a
 * text that begins with a sign for a formula: such a text has a "'" before it,
 * and so has one that has "'" there already, which makes all of them come back
 * as they were.
 */


#include "aiobs_keys.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>


#define AIOBS_CSV_RECORD  (256 * 1024)  /* bytes */


struct aiobs_csv_s {
    FILE    *in;
    int      n;
    size_t   len;
    char    *fields[AIOBS_CSV_FIELDS];
    char     text[AIOBS_CSV_RECORD];
};


static int aiobs_csv_field(aiobs_csv_t *csv);
static int aiobs_csv_add(aiobs_csv_t *csv, int ch);
static int aiobs_csv_skip(aiobs_csv_t *csv);
static void aiobs_csv_write(FILE *out, const char *before, const char *field);
static int aiobs_csv_formula(const char *text);
static int aiobs_csv_sign(const unsigned char *p);
static void aiobs_csv_value(json_t *row, const char *name, const char *text);


aiobs_csv_t *
aiobs_csv_open(FILE *in)
{
    aiobs_csv_t  *csv;

    csv = malloc(sizeof(aiobs_csv_t));

    if (csv) {
        csv->in = in;
    }

    return csv;
}


void
aiobs_csv_close(aiobs_csv_t *csv)
{
    free(csv);
}


int
aiobs_csv_next(aiobs_csv_t *csv, char ***fields)
{
    int  ch;

    csv->n = 0;
    csv->len = 0;
    *fields = csv->fields;

    /* empty lines are none */

    do {
        ch = getc(csv->in);
    } while (ch == '\n' || ch == '\r');

    if (ch == EOF) {
        return 0;
    }

    ungetc(ch, csv->in);

    do {
        ch = aiobs_csv_field(csv);
    } while (ch == ',');

    if (ch == -1) {
        return aiobs_csv_skip(csv);
    }

    return csv->n;
}


/* what ends the field: ',', '\n', or 0 for the end of the file; -1: wrong */

static int
aiobs_csv_field(aiobs_csv_t *csv)
{
    int  ch, quoted;

    if (csv->n == AIOBS_CSV_FIELDS) {
        return -1;
    }

    csv->fields[csv->n++] = csv->text + csv->len;

    ch = getc(csv->in);
    quoted = ch == '"';

    if (quoted) {
        ch = getc(csv->in);
    }

    for ( ;; ) {

        if (quoted && ch == '"') {
            ch = getc(csv->in);
            quoted = ch == '"';
        }

        if (ch == EOF) {
            return quoted ? -1 : aiobs_csv_add(csv, '\0');
        }

        if (!quoted && (ch == ',' || ch == '\n')) {
            return aiobs_csv_add(csv, '\0') == -1 ? -1 : ch;
        }

        if (ch == '\0'
            || ((quoted || ch != '\r') && aiobs_csv_add(csv, ch) == -1))
        {
            return -1;
        }

        ch = getc(csv->in);
    }
}


static int
aiobs_csv_add(aiobs_csv_t *csv, int ch)
{
    if (csv->len == AIOBS_CSV_RECORD) {
        return -1;
    }

    csv->text[csv->len++] = ch;

    return 0;
}


static int
aiobs_csv_skip(aiobs_csv_t *csv)
{
    int  ch;

    do {
        ch = getc(csv->in);
    } while (ch != EOF && ch != '\n');

    return -1;
}


void
aiobs_csv_put(FILE *out, const char *field)
{
    if (field) {
        aiobs_csv_write(out, "", field);
    }
}


void
aiobs_csv_put_text(FILE *out, const char *field)
{
    if (field) {
        aiobs_csv_write(out, aiobs_csv_formula(field) ? "'" : "", field);
    }
}


/* some spreadsheets part fields by ";" or tabs */

static void
aiobs_csv_write(FILE *out, const char *before, const char *field)
{
    int                   quoted;
    size_t                n;
    const unsigned char  *p, *end;

    quoted = *before || strpbrk(field, ",;\"\t\r\n");

    fputs(quoted ? "\"" : "", out);
    fputs(before, out);

    p = (const unsigned char *) field;

    for (end = p + strlen(field); p < end; p += n) {
        n = *p < 0x80 ? 1 : aiobs_key_utf8(p, end);

        if (n == 0) {
            n = 1;
            putc('?', out);
            continue;
        }

        fputs(*p == '"' ? "\"" : "", out);
        fwrite(p, 1, n, out);
    }

    fputs(quoted ? "\"" : "", out);
}


/* with any number of "'" before it */

static int
aiobs_csv_formula(const char *text)
{
    return aiobs_csv_sign((const unsigned char *) text + strspn(text, "'"));
}


/* U+FF1D, U+FF0B, U+FF0D and U+FF20 are "=", "+", "-" and "@" in full width */

static int
aiobs_csv_sign(const unsigned char *p)
{
    if (p[0] == 0xef && p[1] == 0xbc) {
        return p[2] == 0x9d || p[2] == 0x8b || p[2] == 0x8d || p[2] == 0xa0;
    }

    return p[0] && strchr("=+-@\t\r\n", p[0]);
}


json_t *
aiobs_csv_record(char **names, int n, char **fields)
{
    int      i, limit;
    char    *end;
    double   value;
    json_t  *row, *limits;

    row = json_object();
    limits = json_object();

    for (i = 0; i < n; i++) {

        if (fields[i][0] == '\0') {
            continue;
        }

        for (limit = 0; limit < AIOBS_LIMIT_N; limit++) {
            if (strcmp(names[i], aiobs_limit_name(limit)) == 0) {
                break;
            }
        }

        if (limit == AIOBS_LIMIT_N) {
            aiobs_csv_value(row, names[i], fields[i]);
            continue;
        }

        value = strtod(fields[i], &end);
        json_object_set_new(limits, names[i], *end || !isfinite(value)
                                              ? json_string(fields[i])
                                              : json_real(value));
    }

    if (json_object_size(limits)) {
        json_object_set(row, "limits", limits);
    }

    json_decref(limits);

    return row;
}


static void
aiobs_csv_value(json_t *row, const char *name, const char *text)
{
    size_t   i;
    json_t  *value;

    static const char  *typed[] = {
        "active", "is_active", "models", "endpoints", "labels", "admin",
        "may_act_for", NULL
    };

    value = NULL;

    for (i = 0; typed[i]; i++) {
        if (strcmp(name, typed[i]) == 0) {
            value = json_loads(text, JSON_DECODE_ANY, NULL);
        }
    }

    /* an empty array of PostgreSQL's looks like an empty object */

    if (json_is_object(value) && json_object_size(value) == 0
        && strcmp(name, "labels") != 0)
    {
        json_decref(value);
        value = NULL;
    }

    /* a raw key is what it is */

    if (text[0] == '\'' && strcmp(name, "key") != 0
        && strcmp(name, "token") != 0 && aiobs_csv_formula(text))
    {
        text++;
    }

    json_object_set_new(row, name, value ? value : json_string(text));
}
