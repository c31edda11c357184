
/*
 * Copyright (C) the aiobs authors
 *
 * aiobs-keys: the file of a new store, and whom it belongs to.
 */


#define _GNU_SOURCE

#include "aiobs_keys.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>


static void aiobs_keys_unlink(const char *path, const char *suffix);
static int aiobs_keys_give(int fd, const char *path);
static void aiobs_keys_not_made(const char *path);


int
aiobs_keys_make_file(const char *path)
{
    int  fd, rc;

    fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd == -1) {
        if (errno == EEXIST) {
            return 0;
        }

        aiobs_keys_not_made(path);
        return -1;
    }

    /* logs beside it, if any, are of a store that was deleted */

    aiobs_keys_unlink(path, "-wal");
    aiobs_keys_unlink(path, "-shm");
    aiobs_keys_unlink(path, "-journal");

    /* whatever the umask took away */

    rc = fchmod(fd, 0600);

    if (rc == 0 && geteuid() == 0) {
        rc = aiobs_keys_give(fd, path);
    }

    if (rc != 0) {
        aiobs_keys_say("cannot give %s to its user: %s", path,
                       strerror(errno));
        (void) unlink(path);
    }

    close(fd);

    return rc;
}


static void
aiobs_keys_unlink(const char *path, const char *suffix)
{
    char  name[4096];

    if (snprintf(name, sizeof(name), "%s%s", path, suffix)
        < (int) sizeof(name))
    {
        (void) unlink(name);
    }
}


static int
aiobs_keys_give(int fd, const char *path)
{
    int             rc;
    char           *copy, *dir;
    struct stat     st;
    struct passwd  *pw;

    copy = strdup(path);
    if (copy == NULL) {
        return -1;
    }

    dir = dirname(copy);
    rc = stat(dir, &st);

    if (rc == 0) {
        rc = fchown(fd, st.st_uid, st.st_gid);
    }

    if (rc == 0) {
        pw = getpwuid(st.st_uid);
        aiobs_keys_say("created %s, mode 0600, of user %s like its directory",
                       path, pw ? pw->pw_name : "(without a name)");

        if (st.st_uid == 0) {
            aiobs_keys_say("note: nginx workers that do not run as root cannot"
                           " use it there; give the directory %s to their user"
                           " and the file with it", dir);
        }
    }

    free(copy);

    return rc;
}


/* errno: why; a directory that is missing is the reason most often met */

static void
aiobs_keys_not_made(const char *path)
{
    int          error;
    char        *copy, *dir;
    struct stat  st;

    error = errno;
    aiobs_keys_say("cannot create %s: %s", path, strerror(error));

    copy = error == ENOENT ? strdup(path) : NULL;
    if (copy == NULL) {
        return;
    }

    dir = dirname(copy);

    if (stat(dir, &st) == -1 && errno == ENOENT) {
        aiobs_keys_say("note: there is no directory %s; make it, of the user"
                       " of the nginx workers: install -d -o www-data -m 0700"
                       " %s", dir, dir);
    }

    free(copy);
}
