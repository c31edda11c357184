
/*
 * Copyright (C) the aiobs authors
 *
 * Files that are named in the configuration and read by workers later: can
 * they?  The master, as root, can read any.
 */


#include "ngx_http_aiobs.h"

#include <grp.h>
#include <pwd.h>


#define NGX_HTTP_AIOBS_FILE_GROUPS  256


static ngx_err_t ngx_http_aiobs_file_unreadable(ngx_str_t *path);
static ngx_err_t ngx_http_aiobs_file_open_as(ngx_str_t *path, const char *user,
    uid_t uid, gid_t gid);


ngx_int_t
ngx_http_aiobs_worker_reads(ngx_conf_t *cf, ngx_str_t *path,
    ngx_uint_t level)
{
    ngx_err_t         err;
    ngx_uint_t        said;
    struct passwd    *pw;
    ngx_core_conf_t  *ccf;

    err = ngx_http_aiobs_file_unreadable(path);

    if (err) {
        ngx_conf_log_error(level, cf, err,
                           ngx_open_file_n " \"%V\" failed", path);
        return NGX_ERROR;
    }

    if (geteuid() != 0) {
        return NGX_OK;
    }

    ccf = (ngx_core_conf_t *) ngx_get_conf(cf->cycle->conf_ctx,
                                           ngx_core_module);

    /* "user" may stand below http{}, or nowhere */

    said = ccf->user != (ngx_uid_t) NGX_CONF_UNSET_UINT;
    pw = said ? getpwuid(ccf->user) : getpwnam(NGX_USER);

    if (pw == NULL) {
        return NGX_OK;
    }

    err = ngx_http_aiobs_file_open_as(path, pw->pw_name, pw->pw_uid,
                                      said ? ccf->group : pw->pw_gid);

    if (err == 0) {
        return NGX_OK;
    }

    ngx_conf_log_error(said ? level : NGX_LOG_WARN, cf, err,
                       "workers run as user \"%s\"%s, who cannot read \"%V\", "
                       "as they have to later: give it to a group of theirs "
                       "(chgrp, chmod 0640), and mind the directories above",
                       pw->pw_name,
                       said ? "" : " (\"user\" does not stand above http{})",
                       path);

    return said ? NGX_ERROR : NGX_OK;
}


/* 0: it can be read; a directory can be opened, but nothing be read of it */

static ngx_err_t
ngx_http_aiobs_file_unreadable(ngx_str_t *path)
{
    ngx_fd_t         fd;
    ngx_err_t        err;
    ngx_file_info_t  fi;

    fd = ngx_open_file(path->data, NGX_FILE_RDONLY|NGX_FILE_NONBLOCK,
                       NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        return ngx_errno;
    }

    err = ngx_fd_info(fd, &fi) == NGX_FILE_ERROR ? ngx_errno
          : ngx_is_dir(&fi) ? NGX_EISDIR : 0;

    (void) ngx_close_file(fd);

    return err;
}


/*
 * By trying, as modes are not all that counts: there are access lists and file
 * systems that do not heed root.  Called as root, and root again afterwards.
 */

static ngx_err_t
ngx_http_aiobs_file_open_as(ngx_str_t *path, const char *user, uid_t uid,
    gid_t gid)
{
    int        n, changed;
    gid_t      own, groups[NGX_HTTP_AIOBS_FILE_GROUPS];
    ngx_err_t  err;
#if (NGX_HAVE_PR_SET_DUMPABLE)
    int        dumpable;
#endif

    own = getegid();
    n = getgroups(NGX_HTTP_AIOBS_FILE_GROUPS, groups);

    if (n == -1) {
        return 0;
    }

    err = 0;

#if (NGX_HAVE_PR_SET_DUMPABLE)
    dumpable = prctl(PR_GET_DUMPABLE, 0, 0, 0, 0);
#endif

    /* containers may keep it from root; then only modes tell, elsewhere */

    changed = (initgroups(user, gid) == 0);

    if (changed && setegid(gid) == 0 && seteuid(uid) == 0) {
        err = ngx_http_aiobs_file_unreadable(path);
    }

    if (seteuid(0) == -1 || setegid(own) == -1
        || (changed && setgroups(n, groups) == -1))
    {
        return ngx_errno;
    }

#if (NGX_HAVE_PR_SET_DUMPABLE)
    (void) prctl(PR_SET_DUMPABLE, dumpable == 1, 0, 0, 0);
#endif

    return err;
}
