
/*
 * Copyright (C) the aiobs authors
 *
 * The key store at configuration: is it one, and can the workers use it?
 */


#include "ngx_http_aiobs_keys.h"
#include "aiobs_store.h"

#include <grp.h>
#include <pwd.h>


#define NGX_HTTP_AIOBS_GROUPS  64

#define NGX_HTTP_AIOBS_CHECK_PATIENCE  1000  /* for a lock, milliseconds */


typedef struct {
    const char   *name;
    ngx_uint_t    said;       /* by "user", as far as that was read */
    uid_t         uid;
    gid_t         groups[NGX_HTTP_AIOBS_GROUPS];
    int           ngroups;
} ngx_http_aiobs_worker_user_t;


static ngx_int_t ngx_http_aiobs_store_permit(ngx_conf_t *cf,
    ngx_str_t *store, ngx_http_aiobs_store_access_t *access);
static ngx_int_t ngx_http_aiobs_store_give(ngx_conf_t *cf, ngx_str_t *store,
    ngx_http_aiobs_store_access_t *access, u_char *path, ngx_uint_t change);
static ngx_uint_t ngx_http_aiobs_in_group(gid_t group);
static ngx_int_t ngx_http_aiobs_store_shared(ngx_conf_t *cf, ngx_str_t *store,
    ngx_http_aiobs_store_access_t *access);
static ngx_int_t ngx_http_aiobs_store_access(ngx_conf_t *cf, ngx_str_t *store,
    ngx_http_aiobs_store_access_t *access);
static ngx_int_t ngx_http_aiobs_worker_user(ngx_conf_t *cf,
    ngx_http_aiobs_worker_user_t *user);
static ngx_int_t ngx_http_aiobs_may(ngx_conf_t *cf,
    ngx_http_aiobs_worker_user_t *user, ngx_str_t *store, u_char *path,
    ngx_uint_t want, ngx_http_aiobs_store_access_t *access);
static void ngx_http_aiobs_may_not(ngx_conf_t *cf,
    ngx_http_aiobs_worker_user_t *user, ngx_str_t *store, u_char *path,
    ngx_uint_t want, struct stat *st);
static mode_t ngx_http_aiobs_granted(ngx_http_aiobs_worker_user_t *user,
    struct stat *st);


static const char  *ngx_http_aiobs_store_suffixes[] = { "", "-wal", "-shm" };


char *
ngx_http_aiobs_keys_check_store(ngx_conf_t *cf, ngx_str_t *store,
    ngx_http_aiobs_store_access_t *access)
{
    int             rc;
    aiobs_store_t  *s;

    if (ngx_http_aiobs_store_shared(cf, store, access) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    rc = aiobs_store_open((char *) store->data, 0,
                          NGX_HTTP_AIOBS_CHECK_PATIENCE, &s);

    switch (rc) {

    case AIOBS_STORE_OK:
        break;

    case AIOBS_STORE_BUSY:

        /* it is one, and the workers will wait for it */

        ngx_conf_log_error(NGX_LOG_WARN, cf, 0, "key store \"%V\": %s", store,
                           aiobs_store_error(s));
        break;

    case AIOBS_STORE_MISSING:
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "key store \"%V\" does not exist; create it with: "
                           "aiobs-keys create --db %V --user NAME",
                           store, store);
        break;

    default:
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "key store \"%V\" cannot be used: %s", store,
                           aiobs_store_error(s));
        break;
    }

    aiobs_store_close(s);

    if (rc != AIOBS_STORE_OK && rc != AIOBS_STORE_BUSY) {
        return NGX_CONF_ERROR;
    }

    /* last, when nothing else stands against it */

    return ngx_http_aiobs_store_access(cf, store, access) == NGX_OK
           && ngx_http_aiobs_store_permit(cf, store, access) == NGX_OK
           ? NGX_CONF_OK : NGX_CONF_ERROR;
}


/* all of them, or none; nothing is changed by a test of the configuration */

static ngx_int_t
ngx_http_aiobs_store_permit(ngx_conf_t *cf, ngx_str_t *store,
    ngx_http_aiobs_store_access_t *access)
{
    u_char      *path;
    ngx_uint_t   i, n;

    path = ngx_pnalloc(cf->temp_pool, store->len + sizeof("-wal"));
    if (path == NULL) {
        return NGX_ERROR;
    }

    n = ngx_test_config ? 3 : 6;

    for (i = 0; i < n; i++) {
        ngx_sprintf(path, "%V%s%Z", store,
                    ngx_http_aiobs_store_suffixes[i % 3]);

        if (ngx_http_aiobs_store_give(cf, store, access, path, i >= 3)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* change: else it is only seen whether that can be done */

static ngx_int_t
ngx_http_aiobs_store_give(ngx_conf_t *cf, ngx_str_t *store,
    ngx_http_aiobs_store_access_t *access, u_char *path, ngx_uint_t change)
{
    int          rc;
    char         mode[16];
    ngx_uint_t   group, other;
    struct stat  st;

    if (stat((char *) path, &st) == -1) {
        return NGX_OK;                      /* said when it is opened */
    }

    rc = 0;
    group = access->group != (gid_t) -1 && st.st_gid != access->group;
    other = access->mode != (mode_t) -1
            && (st.st_mode & 07777) != access->mode;

    if (!change) {

        if ((group || other) && geteuid() != 0
            && (st.st_uid != geteuid()
                || (group && !ngx_http_aiobs_in_group(access->group))))
        {
            ngx_set_errno(NGX_EPERM);
            rc = -1;
        }

    } else {
        rc = group ? chown((char *) path, (uid_t) -1, access->group) : 0;

        if (rc == 0 && other) {
            rc = chmod((char *) path, access->mode);
        }
    }

    if (rc == -1) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           "key store \"%V\": cannot give \"%s\" the mode or "
                           "the group that \"aiobs_key_store\" names", store,
                           path);
        return NGX_ERROR;
    }

    if (!change && access->mode == (mode_t) -1 && (st.st_mode & 077)) {
        snprintf(mode, sizeof(mode), "%04o", (unsigned) st.st_mode & 07777);

        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "key store \"%V\": \"%s\" is open to others than "
                           "its owner (mode %s); make it 0600, or name the "
                           "mode that is meant: mode=%s", store, path, mode, mode);
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_http_aiobs_in_group(gid_t group)
{
    int    i, n;
    gid_t  groups[NGX_HTTP_AIOBS_GROUPS];

    if (getegid() == group) {
        return 1;
    }

    n = getgroups(NGX_HTTP_AIOBS_GROUPS, groups);

    for (i = 0; i < n; i++) {
        if (groups[i] == group) {
            return 1;
        }
    }

    return 0;
}


/* SQLite makes files in it, which are to be of the group as well */

static ngx_int_t
ngx_http_aiobs_store_shared(ngx_conf_t *cf, ngx_str_t *store,
    ngx_http_aiobs_store_access_t *access)
{
    u_char       *p, *path;
    struct stat   st;

    if (access->group == (gid_t) -1) {
        return NGX_OK;
    }

    path = ngx_pnalloc(cf->temp_pool, store->len + 1);
    if (path == NULL) {
        return NGX_ERROR;
    }

    /* the directory, unless it is the root */

    p = ngx_cpymem(path, store->data, store->len);

    while (p > path + 1 && *p != '/') {
        p--;
    }

    *p = '\0';

    if (stat((char *) path, &st) == -1
        || (st.st_gid == access->group && (st.st_mode & 02070) == 02070))
    {
        return NGX_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "key store \"%V\": group \"%V\" cannot share it, as "
                       "files beside it are made in \"%s\"; do: "
                       "chgrp %V %s; chmod g+rwxs %s", store,
                       &access->group_name, path, &access->group_name, path,
                       path);

    return NGX_ERROR;
}


/*
 * Root reads and writes everything; whether the workers do is seen from the
 * modes.  SQLite makes files beside the store: the directory counts as well.
 */

static ngx_int_t
ngx_http_aiobs_store_access(ngx_conf_t *cf, ngx_str_t *store,
    ngx_http_aiobs_store_access_t *access)
{
    u_char                        *p, *path;
    ngx_uint_t                     i, want;
    ngx_http_aiobs_worker_user_t   user;

    if (geteuid() != 0) {
        user.name = NULL;

    } else if (ngx_http_aiobs_worker_user(cf, &user) != NGX_OK) {
        return NGX_ERROR;
    }

    path = ngx_pnalloc(cf->temp_pool, store->len + sizeof("-wal"));
    if (path == NULL) {
        return NGX_ERROR;
    }

    /* each directory above, the last of them to be written */

    for (p = store->data + 1; *p; p++) {

        if (*p != '/') {
            continue;
        }

        want = ngx_strchr(p + 1, '/') ? 1 : 3;
        ngx_cpystrn(path, store->data, p - store->data + 1);

        if (ngx_http_aiobs_may(cf, &user, store, path, want, NULL) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    for (i = 0; i < 3; i++) {
        ngx_sprintf(path, "%V%s%Z", store, ngx_http_aiobs_store_suffixes[i]);

        if (ngx_http_aiobs_may(cf, &user, store, path, 6, access) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_aiobs_worker_user(ngx_conf_t *cf, ngx_http_aiobs_worker_user_t *user)
{
    gid_t             gid;
    struct passwd    *pw;
    ngx_core_conf_t  *ccf;

    ccf = (ngx_core_conf_t *) ngx_get_conf(cf->cycle->conf_ctx,
                                           ngx_core_module);

    /* "user" may stand below http{}, or nowhere */

    user->said = ccf->user != (ngx_uid_t) NGX_CONF_UNSET_UINT;

    if (user->said) {
        user->name = ccf->username;
        user->uid = ccf->user;
        gid = ccf->group;

    } else {
        pw = getpwnam(NGX_USER);

        if (pw == NULL) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                               "there is no user \"" NGX_USER "\"");
            return NGX_ERROR;
        }

        user->name = NGX_USER;
        user->uid = pw->pw_uid;
        gid = pw->pw_gid;
    }

    user->ngroups = NGX_HTTP_AIOBS_GROUPS;

    if (getgrouplist(user->name, gid, user->groups, &user->ngroups) == -1) {
        user->ngroups = NGX_HTTP_AIOBS_GROUPS;
    }

    return NGX_OK;
}


/*
 * want: bits as in a mode; access: what it is to be given first, or NULL.  What
 * is not there is nobody's trouble yet.
 */

static ngx_int_t
ngx_http_aiobs_may(ngx_conf_t *cf, ngx_http_aiobs_worker_user_t *user,
    ngx_str_t *store, u_char *path, ngx_uint_t want,
    ngx_http_aiobs_store_access_t *access)
{
    ngx_uint_t   refused, given;
    struct stat  st;

    if (stat((char *) path, &st) == -1) {

        if (ngx_errno == NGX_ENOENT) {
            return NGX_OK;
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           "key store \"%V\": stat() \"%s\" failed", store,
                           path);
        return NGX_ERROR;
    }

    given = access && access->mode != (mode_t) -1;

    if (given) {
        st.st_mode = (st.st_mode & ~07777) | access->mode;
    }

    if (access && access->group != (gid_t) -1) {
        st.st_gid = access->group;
    }

    if (user->name == NULL) {
        refused = !(given && st.st_uid == geteuid())
                  && eaccess((char *) path, want) == -1;

    } else {
        refused = user->uid != 0
                  && (ngx_http_aiobs_granted(user, &st) & want) != want;
    }

    if (!refused) {
        return NGX_OK;
    }

    ngx_http_aiobs_may_not(cf, user, store, path, want, &st);

    return NGX_ERROR;
}


/* says who may not what, and what would help */

static void
ngx_http_aiobs_may_not(ngx_conf_t *cf, ngx_http_aiobs_worker_user_t *user,
    ngx_str_t *store, u_char *path, ngx_uint_t want, struct stat *st)
{
    char            mode[16], owner[64], worker[64], help[256];
    struct passwd  *pw;

    pw = getpwuid(st->st_uid);
    snprintf(owner, sizeof(owner), "%s", pw ? pw->pw_name : "without a name");

    /* without root's rights all processes are of one user */

    pw = user->name ? NULL : getpwuid(geteuid());
    snprintf(worker, sizeof(worker), "%s",
             user->name ? user->name : pw ? pw->pw_name : "of this process");

    if (want == 1) {
        snprintf(help, sizeof(help), "keep it where they may go, such as "
                 "/var/lib/aiobs/keys.db");

    } else if (user->name && !user->said && st->st_uid != 0) {
        snprintf(help, sizeof(help), "is \"user %s;\" missing at the top of "
                 "the configuration?", owner);

    } else if (want == 6) {
        snprintf(help, sizeof(help), "give it to them (chown %s)", worker);

    } else {
        snprintf(help, sizeof(help), "the store wants a directory of its own "
                 "that is theirs: install -d -o %s -m 0700 /var/lib/aiobs",
                 worker);
    }

    /* nginx prints no octal numbers */

    snprintf(mode, sizeof(mode), "%04o", (unsigned) st->st_mode & 07777);

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "key store \"%V\": workers run as user \"%s\", who "
                       "may not %s \"%s\" (mode %s, owner %s); %s", store,
                       worker, want == 1 ? "enter" : "read and write", path,
                       mode, owner, help);
}


static mode_t
ngx_http_aiobs_granted(ngx_http_aiobs_worker_user_t *user, struct stat *st)
{
    int  i;

    if (st->st_uid == user->uid) {
        return st->st_mode >> 6 & 7;
    }

    for (i = 0; i < user->ngroups; i++) {
        if (user->groups[i] == st->st_gid) {
            return st->st_mode >> 3 & 7;
        }
    }

    return st->st_mode & 7;
}
