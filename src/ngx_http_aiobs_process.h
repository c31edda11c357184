
/*
 * Copyright (C) the aiobs authors
 *
 * Whether a worker whose pid lies in the zone is still there.
 */


#ifndef _NGX_HTTP_AIOBS_PROCESS_H_INCLUDED_
#define _NGX_HTTP_AIOBS_PROCESS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * All workers of a master are of one session.  A process of another one has
 * the pid of a worker that is dead, and nothing to do with what that left.
 */

static ngx_inline ngx_uint_t
ngx_http_aiobs_process_alive(ngx_pid_t pid)
{
    ngx_pid_t  session;

    session = getsid(pid);

    /* what may not be told of is there */

    return session == -1 ? ngx_errno != NGX_ESRCH : session == getsid(0);
}


#endif /* _NGX_HTTP_AIOBS_PROCESS_H_INCLUDED_ */
