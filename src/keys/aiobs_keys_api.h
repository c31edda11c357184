
/*
 * Copyright (C) the aiobs authors
 *
 * The keys API: one request to it, and its answer.  Plain C, run in the thread
 * that has the store.
 */


#ifndef _AIOBS_KEYS_API_H_INCLUDED_
#define _AIOBS_KEYS_API_H_INCLUDED_


#include "aiobs_store_manage.h"


#define AIOBS_KEYS_API_BODY  16384      /* bytes of a request, at most */
#define AIOBS_KEYS_API_PAGE  500        /* keys, at most */


typedef struct {
    /* the request; texts are terminated, and the caller's */

    const char     *method;
    const char     *path;               /* behind the collection's: "/ID" */
    const char     *args;               /* the query, not unescaped; or "" */
    const char     *type;               /* Content-Type, or "" */
    const char     *body;
    size_t          body_len;
    const char     *caller;             /* hash of the key that was shown */
    const char     *request_id;

    /* the answer */

    int             status;
    char           *text;               /* JSON, to be freed, or NULL */
    size_t          len;
    int             problem;            /* text is one of RFC 9457 */
    int             created;            /* key_id is a new key's */
    char            key_id[AIOBS_KEY_ID_LEN + 1];   /* the key it is about */
    const char     *event;              /* what became of it, or NULL */
    const char     *allow;              /* methods, with status 405 */
} aiobs_keys_api_t;


/*
 * Answers the request, errors of its own included.  Returns a code of the
 * store: BUSY, MISSING and FAILED leave no answer, and nothing was done;
 * unless event tells what was done, and the key could not be read after it.
 */
int aiobs_keys_api_run(aiobs_store_t *store, void *api);

/* whether it asks for a key that only its answer will show */
int aiobs_keys_api_makes(const aiobs_keys_api_t *api);

/* an answer of RFC 9457; detail: plain ASCII without quotes */
void aiobs_keys_api_problem(aiobs_keys_api_t *api, int status,
    const char *detail);

/* wipes the answer, which may have a key in it */
void aiobs_keys_api_free(aiobs_keys_api_t *api);


#endif /* _AIOBS_KEYS_API_H_INCLUDED_ */
