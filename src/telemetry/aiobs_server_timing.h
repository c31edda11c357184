
/*
 * Copyright (C) the aiobs authors
 *
 * The Server-Timing header, https://www.w3.org/TR/server-timing/: what an
 * application says it did with its time.
 */


#ifndef _AIOBS_SERVER_TIMING_H_INCLUDED_
#define _AIOBS_SERVER_TIMING_H_INCLUDED_


#include <stddef.h>
#include <stdint.h>


#define AIOBS_TIMING_PARAMS     8       /* of a step */
#define AIOBS_TIMING_NAME_MAX   64      /* bytes of a name, the rest is cut */
#define AIOBS_TIMING_VALUE_MAX  128     /* bytes of a value */
#define AIOBS_TIMING_MAX_MS     86400000.0


typedef struct {
    char           name[AIOBS_TIMING_NAME_MAX + 1];
    char           value[AIOBS_TIMING_VALUE_MAX + 1];
    size_t         len;                 /* of the value */
} aiobs_timing_param_t;


/* one step; a number that is none, or absurd, counts for 0 */

typedef struct {
    char                  name[AIOBS_TIMING_NAME_MAX + 1];
    double                dur;          /* milliseconds, 0 to a day */
    double                start;        /* of the request; -1: not said */
    unsigned              seen;         /* of these two and desc */
    int                   n;            /* all other parameters, of desc too;
                                           no two have the same name */
    aiobs_timing_param_t  params[AIOBS_TIMING_PARAMS];
} aiobs_timing_t;


/*
 * The next step of a header's value; 0: there is none.  What follows no
 * grammar is skipped up to the next comma.  A desc of "k=v" pairs is taken for
 * these, any other is a parameter of that name.
 */
int aiobs_timing_next(const char **p, const char *end, aiobs_timing_t *step);

/* whether text is a whole number ("-12") or any other ("1.5") */
int aiobs_timing_integer(const char *text, size_t len, int64_t *n);
int aiobs_timing_number(const char *text, size_t len, double *n);


#endif /* _AIOBS_SERVER_TIMING_H_INCLUDED_ */
