
/*
 * Copyright (C) the aiobs authors
 *
 * aiobs-keys: the table of list.  Its columns are as wide as the first rows
 * want them, which wait for that; whose a key is and what it is called is
 * never cut, times are where a terminal is narrow.
 */


#include "aiobs_keys.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>


#define AIOBS_KEYS_WIDE   160           /* of a text, more is not aligned */
#define AIOBS_KEYS_REST   (AIOBS_KEY_ID_LEN + 5 * 2 + (int) sizeof("revoked") - 1)


static int aiobs_keys_columns(void);
static int aiobs_keys_width(const char *text, int width);
static void aiobs_keys_fit(aiobs_keys_table_t *t);
static void aiobs_keys_keep(aiobs_keys_table_t *t, const aiobs_key_row_t *row);
static void aiobs_keys_flush_table(aiobs_keys_table_t *t);
static void aiobs_keys_print_row(const aiobs_keys_table_t *t,
    const aiobs_key_row_t *row);


void
aiobs_keys_table(aiobs_keys_table_t *t)
{
    memset(t, 0, sizeof(aiobs_keys_table_t));

    t->user = sizeof("USER") - 1;
    t->name = sizeof("NAME") - 1;
}


void
aiobs_keys_table_row(aiobs_keys_table_t *t, const aiobs_key_row_t *row)
{
    if (!t->fitted) {
        t->user = aiobs_keys_width(row->user, t->user);
        t->name = aiobs_keys_width(row->name, t->name);

        aiobs_keys_keep(t, row);

        if (t->n == AIOBS_KEYS_TABLE_ROWS) {
            aiobs_keys_flush_table(t);
        }

        return;
    }

    aiobs_keys_print_row(t, row);
}


void
aiobs_keys_table_end(aiobs_keys_table_t *t)
{
    if (!t->fitted) {
        aiobs_keys_flush_table(t);
    }
}


/* without memory it is as if the text was not there */

static void
aiobs_keys_keep(aiobs_keys_table_t *t, const aiobs_key_row_t *row)
{
    aiobs_key_row_t *kept = &t->rows[t->n++];

    *kept = *row;

    kept->hash = row->hash ? strdup(row->hash) : NULL;
    kept->user = row->user ? strdup(row->user) : NULL;
    kept->name = row->name ? strdup(row->name) : NULL;
    kept->created_at = row->created_at ? strdup(row->created_at) : NULL;
    kept->last_used = row->last_used ? strdup(row->last_used) : NULL;
}


static void
aiobs_keys_flush_table(aiobs_keys_table_t *t)
{
    size_t            i;
    aiobs_key_row_t  *row;

    aiobs_keys_fit(t);
    t->fitted = 1;

    aiobs_keys_cell("KEY ID", AIOBS_KEY_ID_LEN);
    aiobs_keys_cell("USER", t->user);
    aiobs_keys_cell("NAME", t->name);
    aiobs_keys_cell("CREATED (UTC)", t->created);
    aiobs_keys_cell("LAST USED (UTC)", t->used);
    puts("STATE");

    for (i = 0; i < t->n; i++) {
        row = &t->rows[i];

        aiobs_keys_print_row(t, row);

        free((char *) row->hash);
        free((char *) row->user);
        free((char *) row->name);
        free((char *) row->created_at);
        free((char *) row->last_used);
    }
}


static void
aiobs_keys_fit(aiobs_keys_table_t *t)
{
    int     room;
    size_t  i;

    /* to the second, to the minute, the day */

    static const struct {
        int  created;
        int  used;
    } times[] = { { 19, 19 }, { 10, 19 }, { 10, 16 }, { 10, 10 } };

    room = aiobs_keys_columns() - AIOBS_KEYS_REST - t->user - t->name;

    for (i = 0; i < sizeof(times) / sizeof(times[0]) - 1; i++) {
        if (times[i].created + times[i].used <= room) {
            break;
        }
    }

    t->created = times[i].created;
    t->used = times[i].used;
}


/* a file or a program has any number of them */

static int
aiobs_keys_columns(void)
{
    int              n;
    const char      *env;
    struct winsize   size;

    if (!isatty(STDOUT_FILENO)) {
        return 0x7fff;
    }

    env = getenv("COLUMNS");
    n = env ? atoi(env) : 0;

    if (n <= 0 && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0) {
        n = size.ws_col;
    }

    return n > 0 ? n : 80;
}


static int
aiobs_keys_width(const char *text, int width)
{
    int  n;

    n = text ? aiobs_keys_count(text) : 1;

    return n > width && n <= AIOBS_KEYS_WIDE ? n : width;
}


static void
aiobs_keys_print_row(const aiobs_keys_table_t *t, const aiobs_key_row_t *row)
{
    aiobs_keys_cell(row->hash, AIOBS_KEY_ID_LEN);
    aiobs_keys_whole(row->user, t->user);
    aiobs_keys_whole(row->name, t->name);
    aiobs_keys_cell(row->created_at, t->created);
    aiobs_keys_cell(row->last_used ? row->last_used : "never", t->used);

    puts(!row->active ? "revoked" : row->expired ? "expired" : "active");
}
