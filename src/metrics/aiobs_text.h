
/*
 * Copyright (C) the aiobs authors
 *
 * Label values and numbers as the text formats of Prometheus write them.
 */


#ifndef _AIOBS_TEXT_H_INCLUDED_
#define _AIOBS_TEXT_H_INCLUDED_


#include <stddef.h>
#include <stdint.h>


#define AIOBS_LABEL_MAX   128       /* bytes of a label value */
#define AIOBS_NUMBER_MAX  32        /* bytes that a number takes at most */


/*
 * Copies a label value made safe to store and to show: at most
 * AIOBS_LABEL_MAX bytes of valid UTF-8, cut between characters; what is no
 * character, and every control byte but the line feed, becomes "?".
 * dst has room for AIOBS_LABEL_MAX bytes.  Returns the length.
 */
size_t aiobs_text_label(unsigned char *dst, const unsigned char *src,
    size_t len);

/* the same with at most max bytes */
size_t aiobs_text_clean(unsigned char *dst, size_t max,
    const unsigned char *src, size_t len);

/*
 * Copies with backslash and line feed escaped, and double quotes if asked.
 * dst has room for 2 * len bytes.  These return what follows the last byte.
 */
unsigned char *aiobs_text_escape(unsigned char *dst, const unsigned char *src,
    size_t len, int quotes);

unsigned char *aiobs_text_integer(unsigned char *p, uint64_t n);

/* value / scale as an exact decimal fraction; scale: a power of 10 */
unsigned char *aiobs_text_number(unsigned char *p, uint64_t value,
    uint64_t scale);

/*
 * The same as the "le" of a bucket, in the canonical form of OpenMetrics that
 * Prometheus too brings every other form to: 0.005, 1.0, 1.048576e+06.
 */
unsigned char *aiobs_text_bound(unsigned char *p, uint64_t value,
    uint64_t scale);


#endif /* _AIOBS_TEXT_H_INCLUDED_ */
