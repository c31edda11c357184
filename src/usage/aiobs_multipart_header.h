
/*
 * Copyright (C) the aiobs authors
 *
 * Inside of the reader of forms: what stands in their headers.
 */


#ifndef _AIOBS_MULTIPART_HEADER_H_INCLUDED_
#define _AIOBS_MULTIPART_HEADER_H_INCLUDED_


#include "aiobs_multipart.h"


/* the length of the boundary; 0: it is no form, or one that is not understood */
size_t aiobs_multipart_type(const char *type, size_t len,
    char boundary[AIOBS_MULTIPART_BOUNDARY]);

/* takes the line of a part's header that is in m; -1: not understood */
int aiobs_multipart_field(aiobs_multipart_t *m);


#endif /* _AIOBS_MULTIPART_HEADER_H_INCLUDED_ */
