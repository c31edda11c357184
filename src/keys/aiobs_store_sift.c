
/*
 * Copyright (C) the aiobs authors
 *
 * The store of keys: telling in memory that a key is nobody's, while many such
 * are asked for.  A Bloom filter, of blocks as long as a cache line, has the
 * hashes of all keys as of a place in the log of changes; what the log has
 * since is added before it is asked.  It is given up and made anew where the
 * log does not lead on from there, and where the schema has changed: the
 * triggers that write the log may have been away.
 *
 * Keys that are deleted stay in it, and some that are nobody's are taken for
 * such as are in it: the table tells, as it does of all without a filter.
 */


#include "aiobs_store_sqlite.h"

#include <string.h>
#include <sys/mman.h>
#include <time.h>


#define AIOBS_SIFT_PIECE   1000         /* rows that are read at once */
#define AIOBS_SIFT_FOLLOW  (AIOBS_STORE_LOG / 10)   /* changes, likewise */

#define AIOBS_SIFT_LIFE    300          /* seconds, then it is made anew */
#define AIOBS_SIFT_AGAIN   5            /* and not sooner than after these */
#define AIOBS_SIFT_KEEP    10           /* seconds without being wanted */

#define AIOBS_SIFT_ROW     2            /* bytes of a key */
#define AIOBS_SIFT_MIN     4096         /* bytes */
#define AIOBS_SIFT_MAX     (16 << 20)

#define AIOBS_SIFT_HASH    16           /* bytes of a hash that are used */
#define AIOBS_SIFT_BITS    5            /* of a key, all in one block */
#define AIOBS_SIFT_BIT     9            /* bits that tell a bit of a block */


static int aiobs_sift_piece(aiobs_store_t *store);
static int aiobs_sift_begin(aiobs_store_t *store,
    const aiobs_store_place_t *end);
static int aiobs_sift_rows(aiobs_store_t *store);
static int aiobs_sift_follow(aiobs_store_t *store,
    const aiobs_store_place_t *end);
static int aiobs_sift_changes(aiobs_store_t *store,
    const aiobs_store_place_t *end);
static void aiobs_sift_add(aiobs_sift_t *sift, const char *hex);
static uint64_t *aiobs_sift_block(const aiobs_sift_t *sift,
    const unsigned char *hash, uint64_t *bits);
static int aiobs_sift_number(aiobs_store_t *store, aiobs_sql_e which,
    int64_t *n);
static int64_t aiobs_sift_now(void);


void
aiobs_store_sift(aiobs_store_t *store, int wanted)
{
    int64_t        now;
    aiobs_sift_t  *sift;

    sift = &store->sift;

    if (!wanted && sift->blocks == NULL) {
        return;
    }

    now = aiobs_sift_now();

    if (wanted) {
        sift->wanted = now;
    }

    if (now - sift->wanted > AIOBS_SIFT_KEEP
        || now - sift->begun > AIOBS_SIFT_LIFE)
    {
        aiobs_store_sift_drop(store);
    }

    if (!wanted || sift->ready
        || (sift->blocks == NULL && now - sift->begun < AIOBS_SIFT_AGAIN))
    {
        return;
    }

    if (sift->blocks == NULL) {
        sift->begun = now;
    }

    /* others are not to fail for it */

    if (aiobs_sift_piece(store) != SQLITE_OK) {
        aiobs_store_rollback(store);
        aiobs_store_sift_drop(store);
    }
}


void
aiobs_store_sift_drop(aiobs_store_t *store)
{
    aiobs_sift_t  *sift;

    sift = &store->sift;

    if (sift->blocks) {
        (void) munmap(sift->blocks, sift->nblocks * AIOBS_SIFT_BLOCK);
    }

    sqlite3_value_free(sift->last);

    sift->blocks = NULL;
    sift->last = NULL;
    sift->ready = 0;
}


static int
aiobs_sift_piece(aiobs_store_t *store)
{
    int                  rc;
    aiobs_store_place_t  end;

    rc = aiobs_store_step(store, AIOBS_SQL_BEGIN);

    if (rc == SQLITE_OK) {
        rc = aiobs_store_end(store, &end);
    }

    if (rc == SQLITE_OK) {
        rc = store->sift.blocks ? aiobs_sift_follow(store, &end)
                                : aiobs_sift_begin(store, &end);
    }

    if (rc == SQLITE_OK && store->sift.blocks) {
        rc = aiobs_sift_rows(store);
    }

    return rc == SQLITE_OK ? aiobs_store_step(store, AIOBS_SQL_COMMIT) : rc;
}


/* without its triggers, or with an empty log, a store cannot be followed */

static int
aiobs_sift_begin(aiobs_store_t *store, const aiobs_store_place_t *end)
{
    int            rc;
    int64_t        rows, size;
    aiobs_sift_t  *sift;

    sift = &store->sift;

    if (end->seq == 0 || aiobs_store_adopted(store) != 1) {
        return SQLITE_OK;
    }

    rows = 0;

    rc = aiobs_sift_number(store, AIOBS_SQL_SIFT_SCHEMA, &sift->schema);

    if (rc == SQLITE_OK) {
        rc = aiobs_sift_number(store, AIOBS_SQL_SIFT_SIZE, &rows);
    }

    if (rc != SQLITE_OK) {
        return rc;
    }

    size = rows < AIOBS_SIFT_MAX / AIOBS_SIFT_ROW ? rows * AIOBS_SIFT_ROW
                                                  : AIOBS_SIFT_MAX;
    size = size > AIOBS_SIFT_MIN ? size : AIOBS_SIFT_MIN;

    sift->nblocks = size / AIOBS_SIFT_BLOCK;

    /* all of it is to go back when it is not needed any more */

    sift->blocks = mmap(NULL, sift->nblocks * AIOBS_SIFT_BLOCK,
                        PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                        -1, 0);

    if (sift->blocks == MAP_FAILED) {
        sift->blocks = NULL;
        return SQLITE_NOMEM;
    }

    sift->place = *end;

    return SQLITE_OK;
}


/* in the order of an index, which is read in one go */

static int
aiobs_sift_rows(aiobs_store_t *store)
{
    int            i, rc;
    aiobs_sift_t  *sift;
    sqlite3_stmt  *stmt;

    sift = &store->sift;

    stmt = aiobs_store_statement(store, AIOBS_SQL_SIFT_ROWS);
    if (stmt == NULL) {
        return SQLITE_ERROR;
    }

    if (sift->last) {
        rc = sqlite3_bind_value(stmt, 1, sift->last);

    } else {
        rc = sqlite3_bind_text(stmt, 1, "", 0, SQLITE_STATIC);
    }

    if (rc != SQLITE_OK) {
        return rc;
    }

    sqlite3_bind_int(stmt, 2, AIOBS_SIFT_PIECE);

    sqlite3_value_free(sift->last);
    sift->last = NULL;

    for (i = 1; (rc = sqlite3_step(stmt)) == SQLITE_ROW; i++) {
        aiobs_sift_add(sift, (const char *) sqlite3_column_text(stmt, 0));

        if (i == AIOBS_SIFT_PIECE) {
            sift->last = sqlite3_value_dup(sqlite3_column_value(stmt, 0));

            if (sift->last == NULL) {
                rc = SQLITE_NOMEM;
                break;
            }
        }
    }

    sqlite3_reset(stmt);

    if (rc != SQLITE_DONE) {
        return rc;
    }

    sift->ready = sift->last == NULL;

    return SQLITE_OK;
}


int
aiobs_store_sifted(aiobs_store_t *store, const aiobs_store_place_t *end)
{
    if (store->sift.ready && aiobs_sift_follow(store, end) != SQLITE_OK) {
        aiobs_store_sift_drop(store);
        return -1;
    }

    return store->sift.ready;
}


/* to the end of the log, or it is given up */

static int
aiobs_sift_follow(aiobs_store_t *store, const aiobs_store_place_t *end)
{
    int            rc;
    int64_t        schema;
    aiobs_sift_t  *sift;

    sift = &store->sift;

    rc = aiobs_sift_number(store, AIOBS_SQL_SIFT_SCHEMA, &schema);

    if (rc != SQLITE_OK) {
        return rc;
    }

    if (schema != sift->schema) {
        aiobs_store_sift_drop(store);
        return SQLITE_OK;
    }

    if (end->seq == sift->place.seq && end->mark == sift->place.mark) {
        return SQLITE_OK;
    }

    return aiobs_sift_changes(store, end);
}


/* the first is the one that was the last */

static int
aiobs_sift_changes(aiobs_store_t *store, const aiobs_store_place_t *end)
{
    int                  i, rc, lost;
    const char          *hex;
    aiobs_sift_t        *sift;
    sqlite3_stmt        *stmt;
    aiobs_store_place_t  place;

    sift = &store->sift;

    stmt = aiobs_store_statement(store, AIOBS_SQL_SIFT_CHANGES);
    if (stmt == NULL) {
        return SQLITE_ERROR;
    }

    sqlite3_bind_int64(stmt, 1, sift->place.seq);
    sqlite3_bind_int(stmt, 2, AIOBS_SIFT_FOLLOW);

    lost = 1;                           /* unless it is there still */
    place.seq = 0;
    place.mark = 0;

    for (i = 0; (rc = sqlite3_step(stmt)) == SQLITE_ROW; i++) {
        place.seq = sqlite3_column_int64(stmt, 0);
        place.mark = sqlite3_column_int64(stmt, 1);
        hex = (const char *) sqlite3_column_text(stmt, 2);

        if (i == 0) {
            lost = place.seq != sift->place.seq
                   || place.mark != sift->place.mark;

        } else {
            lost = hex && strcmp(hex, "*") == 0;
            aiobs_sift_add(sift, hex);
        }

        if (lost) {
            rc = SQLITE_DONE;
            break;
        }
    }

    sqlite3_reset(stmt);

    if (rc != SQLITE_DONE) {
        return rc;
    }

    if (lost || place.seq != end->seq || place.mark != end->mark) {
        aiobs_store_sift_drop(store);
        return SQLITE_OK;
    }

    sift->place = place;

    return SQLITE_OK;
}


/*
 * What is no hash can be nobody's key.  Where the table compares letters of
 * either case alike, or without spaces behind them, so is it here.
 */

static void
aiobs_sift_add(aiobs_sift_t *sift, const char *hex)
{
    int            i;
    char           low[AIOBS_SIFT_HASH * 2];
    uint64_t       bits, *block;
    unsigned char  hash[AIOBS_SIFT_HASH];

    if (hex == NULL || strlen(hex) < AIOBS_KEY_HEX_LEN) {
        return;
    }

    for (i = 0; i < AIOBS_SIFT_HASH * 2; i++) {
        low[i] = hex[i] | 0x20;
    }

    if (aiobs_key_from_hex(low, hash, AIOBS_SIFT_HASH) != 0) {
        return;
    }

    block = aiobs_sift_block(sift, hash, &bits);

    for (i = 0; i < AIOBS_SIFT_BITS; i++) {
        block[bits >> 6 & 7] |= 1ULL << (bits & 63);
        bits >>= AIOBS_SIFT_BIT;
    }
}


int
aiobs_store_sift_has(const aiobs_sift_t *sift, const unsigned char *hash)
{
    int        i;
    uint64_t   bits, *block;

    block = aiobs_sift_block(sift, hash, &bits);

    for (i = 0; i < AIOBS_SIFT_BITS; i++) {

        if ((block[bits >> 6 & 7] >> (bits & 63) & 1) == 0) {
            return 0;
        }

        bits >>= AIOBS_SIFT_BIT;
    }

    return 1;
}


/* bits: one after another, nine of them for each */

static uint64_t *
aiobs_sift_block(const aiobs_sift_t *sift, const unsigned char *hash,
    uint64_t *bits)
{
    uint32_t  n;

    memcpy(&n, hash, sizeof(n));
    memcpy(bits, hash + 8, sizeof(*bits));

    return sift->blocks + ((uint64_t) n * sift->nblocks >> 32)
                          * (AIOBS_SIFT_BLOCK / sizeof(uint64_t));
}


static int
aiobs_sift_number(aiobs_store_t *store, aiobs_sql_e which, int64_t *n)
{
    int            rc;
    sqlite3_stmt  *stmt;

    stmt = aiobs_store_statement(store, which);
    if (stmt == NULL) {
        return SQLITE_ERROR;
    }

    rc = sqlite3_step(stmt);

    if (rc == SQLITE_ROW) {
        *n = sqlite3_column_int64(stmt, 0);
        rc = SQLITE_OK;
    }

    sqlite3_reset(stmt);

    return rc == SQLITE_DONE ? SQLITE_ERROR : rc;
}


static int64_t
aiobs_sift_now(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return ts.tv_sec;
}
