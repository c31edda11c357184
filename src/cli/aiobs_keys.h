
/*
 * Copyright (C) the aiobs authors
 *
 * aiobs-keys: commands, and what they share.
 */


#ifndef _AIOBS_KEYS_H_INCLUDED_
#define _AIOBS_KEYS_H_INCLUDED_


#include "keys/aiobs_store_manage.h"

#include <stdio.h>


#define AIOBS_KEYS_VERSION    "0.1.0"

/* exit codes; --help tells them */

#define AIOBS_EXIT_OK         0
#define AIOBS_EXIT_FAILED     1
#define AIOBS_EXIT_USAGE      2
#define AIOBS_EXIT_NOT_FOUND  3
#define AIOBS_EXIT_AMBIGUOUS  4


typedef struct {
    const char   *db;
    const char   *user;
    const char   *name;
    const char   *key_id;
    int           json;
    int           from_stdin;
} aiobs_keys_options_t;


typedef struct {
    const char   *name;
    int         (*run)(const aiobs_keys_options_t *o);
    const char   *accepts;      /* letters of aiobs_keys_options[] */
    const char   *usage;
    const char   *help;
} aiobs_keys_command_t;


/* --- aiobs_keys_commands.c --- */

extern const aiobs_keys_command_t  aiobs_keys_commands[];


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


/* --- aiobs_keys_output.c --- */

/* "aiobs-keys: ..." on stderr */
void aiobs_keys_say(const char *fmt, ...)
    __attribute__((format(printf, 1, 2)));

/* text of another program: what is no valid UTF-8, or would drive a terminal,
   becomes "?"; at most width columns wide, padded if pad */
void aiobs_keys_text(FILE *out, const char *text, int width, int pad);

void aiobs_keys_row(const aiobs_key_row_t *row);
void aiobs_keys_header(void);

/* one object; text that is no valid UTF-8 is made so */
void aiobs_keys_json(const aiobs_key_row_t *row);

/* 0: all of stdout got where it belongs */
int aiobs_keys_flush(void);


/* --- aiobs_keys_file.c --- */

/*
 * Makes the file of a store, readable by nobody else.  Root's goes to the
 * owner of its directory, who is the one to use it.
 */
int aiobs_keys_make_file(const char *path);


#endif /* _AIOBS_KEYS_H_INCLUDED_ */
