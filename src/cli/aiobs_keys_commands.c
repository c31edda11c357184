
/*
 * Copyright (C) the aiobs authors
 *
 * aiobs-keys: what commands there are, and what --help tells of them.
 */


#include "aiobs_keys.h"


#define AIOBS_HELP_DB                                                         \
    "  --db PATH              the store\n"

#define AIOBS_HELP_KEY                                                        \
    "  KEY_ID                 the key id, as logs and lists have it, or the\n" \
    "                         first 4 digits of it or more\n"                 \
    "  --stdin                the key itself is read from stdin instead\n"

#define AIOBS_HELP_ATTRS                                                      \
    "  --name NAME            what the key is for, 1 to 64 bytes of UTF-8\n"  \
    "  --expires WHEN         a time in UTC such as 2026-12-31T23:59:59, a\n" \
    "                         period such as 90d, 12h or 30m, or never\n"     \
    "  --models GLOBS         models it may call, such as gpt-5*,claude-*\n"  \
    "  --endpoints GLOBS      endpoints it may call (aiobs_endpoint)\n"       \
    "  --label NAME=VALUE     a label such as team=search; again for more\n"  \
    "  --admin                it may use the keys API\n"                      \
    "  --may-act-for          it may name the user it acts for\n"             \
    "                         (X-User-ID)\n"                                  \
    "  --rpm N                requests a minute\n"                            \
    "  --tpm N                tokens a minute\n"                              \
    "  --tokens-per-day N     tokens a day, UTC\n"                            \
    "  --tokens-per-month N   tokens a month, UTC\n"                          \
    "  --cost-per-day USD     US dollars a day, UTC\n"                        \
    "  --cost-per-month USD   US dollars a month, UTC\n"                      \
    "  --parallel N           calls at the same time\n"


const aiobs_keys_command_t  aiobs_keys_commands[] = {

    { "create", aiobs_keys_create, "dunjao",
      "create --db PATH --user NAME [ATTRIBUTE]... [--json]",

      "Creates a key and prints it, this once, alone on stdout.  Only its\n"
      "SHA-256 is stored: a lost key cannot be had again, revoke it and create\n"
      "another.  A store that is missing is created with mode 0600; by root,\n"
      "it is given the owner and group of its directory, so that the nginx\n"
      "workers can use it.\n"
      "\n"
      AIOBS_HELP_DB
      "  --user NAME            whose key it is, 1 to 128 bytes of UTF-8\n"
      "  --json                 an object: api_key, key_id, hash\n"
      "\n"
      "Attributes; without them a key may do everything, for good:\n"
      AIOBS_HELP_ATTRS },

    { "list", aiobs_keys_list, "duj",
      "list --db PATH [--user NAME] [--json]",

      "Lists keys, oldest first; never the keys themselves.\n"
      "\n"
      AIOBS_HELP_DB
      "  --user NAME            keys of this user only\n"
      "  --json                 an array of objects, times in UTC\n" },

    { "show", aiobs_keys_show, "dkjs",
      "show --db PATH (KEY_ID | --stdin) [--json]",

      "Tells all that is stored of one key.\n"
      "\n"
      AIOBS_HELP_DB
      AIOBS_HELP_KEY
      "  --json                 as an object, times in UTC\n" },

    { "set", aiobs_keys_set, "dkunsaoe",
      "set --db PATH (KEY_ID | --stdin) ATTRIBUTE...",

      "Changes attributes of a key; those that are not named stay.  An empty\n"
      "value takes one away, as do \"--expires never\", \"--rpm none\" (and\n"
      "so of each limit), and \"--label NAME=\".\n"
      "\n"
      AIOBS_HELP_DB
      AIOBS_HELP_KEY
      "\n"
      "Attributes:\n"
      "  --user NAME            whose key it is, 1 to 128 bytes of UTF-8\n"
      AIOBS_HELP_ATTRS
      "  --no-admin             it may not use the keys API any longer\n"
      "  --no-may-act-for       it may not name the user any longer\n" },

    { "rotate", aiobs_keys_rotate, "dksgj",
      "rotate --db PATH (KEY_ID | --stdin) [--grace PERIOD] [--json]",

      "Creates a key in the place of another and prints it, this once, alone\n"
      "on stdout.  It has the same user, name, and attributes; limits are\n"
      "shared.  Both keys work until the grace period is over.\n"
      "\n"
      AIOBS_HELP_DB
      AIOBS_HELP_KEY
      "  --grace PERIOD         such as 7d, 12h, or 0 to end the old key at\n"
      "                         once; 24h by default\n"
      "  --json                 an object: api_key, key_id, hash\n" },

    { "revoke", aiobs_keys_revoke, "dkus",
      "revoke --db PATH (KEY_ID | --stdin | --user NAME)",

      "Revokes a key, or all keys of a user, and says which.\n"
      "\n"
      AIOBS_HELP_DB
      AIOBS_HELP_KEY
      "  --user NAME            all keys of this user\n" },

    { "restore", aiobs_keys_restore, "dkus",
      "restore --db PATH (KEY_ID | --stdin | --user NAME)",

      "Makes a revoked key valid again, or all keys of a user, and says which.\n"
      "A key that has expired needs another --expires besides.\n"
      "\n"
      AIOBS_HELP_DB
      AIOBS_HELP_KEY
      "  --user NAME            all keys of this user\n" },

    { "delete", aiobs_keys_delete, "dks",
      "delete --db PATH (KEY_ID | --stdin)",

      "Removes a key and its attributes.  What it spent stays, and whose it\n"
      "was.  A key that is to stop working is better revoked.\n"
      "\n"
      AIOBS_HELP_DB
      AIOBS_HELP_KEY },

    { "spend", aiobs_keys_spend, "dkbmujc",
      "spend --db PATH [--by user|key|model|endpoint|day|label NAME]"
      " [--month YYYY-MM] [--user NAME] [--json | --csv]",

      "Tells what was spent in a month (UTC), most expensive first.\n"
      "\n"
      AIOBS_HELP_DB
      "  --by WHAT              sums by user (the default), key, model,\n"
      "                         endpoint, day, or by a label, which is named\n"
      "                         then: --by label team\n"
      "  --month YYYY-MM        this month by default\n"
      "  --user NAME            keys of this user only\n"
      "  --json                 an array of objects\n"
      "  --csv                  comma-separated values with a first line of\n"
      "                         names; texts that look like a formula have\n"
      "                         a ' before them\n" },

    { "import", aiobs_keys_import, "dkfoj",
      "import --db PATH FILE [--format aiobs|litellm] [--models GLOBS]"
      " [--json]",

      "Creates keys of which the hashes are known, 1000 in a transaction; those\n"
      "that are there already are left as they are.  The file is JSON (an array\n"
      "of objects, or one a line) or CSV with a first line of names, as written\n"
      "by \"aiobs-keys export\": hash, user_id, name, created_at, last_used,\n"
      "active, expires_at, models, endpoints, labels, admin, may_act_for,\n"
      "limits; hash and user_id are needed.  A member key, instead of hash, is a\n"
      "raw key.\n"
      "\n"
      "Rows of LiteLLM's table LiteLLM_VerificationToken, as JSON or as CSV of\n"
      "PostgreSQL, are known by their member token: key_alias becomes the name,\n"
      "user_id (or team_id, or key_alias) the user, max_budget a limit of cost;\n"
      "expires, models, rpm_limit, tpm_limit, max_parallel_requests, metadata,\n"
      "team_id and blocked are taken over.  Keys that may call what their team\n"
      "may are left out unless --models tells which models that is.\n"
      "\n"
      AIOBS_HELP_DB
      "  FILE                   what to read; - for stdin\n"
      "  --format FORMAT        aiobs or litellm, where it is not to be told\n"
      "                         by the rows\n"
      "  --models GLOBS         models of LiteLLM's keys that may call what\n"
      "                         their team may, such as gpt-5*,claude-*\n"
      "  --json                 the counts as an object\n" },

    { "export", aiobs_keys_export, "ducj",
      "export --db PATH [--user NAME] [--json | --csv]",

      "Writes keys for \"aiobs-keys import\", in JSON by default.  There are no\n"
      "keys in it, nor can they be had from their hashes.\n"
      "\n"
      AIOBS_HELP_DB
      "  --user NAME            keys of this user only\n"
      "  --json                 an array of objects\n"
      "  --csv                  comma-separated values; texts that look like a\n"
      "                         formula have a ' before them, which import\n"
      "                         takes off again\n" },

    { "forget", aiobs_keys_forget, "dk",
      "forget --db PATH USER",

      "Removes what is known of a user: his keys are revoked and lose user, name\n"
      "and labels, his logins are deleted.  What the keys spent stays, under\n"
      "\"(forgotten)\", and so do events, which name keys only.  Backups, and\n"
      "logs of nginx, are not changed.\n"
      "\n"
      AIOBS_HELP_DB
      "  USER                   the user's name\n" },

    { "audit", aiobs_keys_audit, "dkvj",
      "audit --db PATH [KEY_ID] [--verify] [--expect HASH] [--json]",

      "Lists what happened to keys, oldest first.\n"
      "\n"
      AIOBS_HELP_DB
      "  KEY_ID                 of this key only, all 12 digits\n"
      "  --verify               follows the chain of events instead, and tells\n"
      "                         the hash of the last one\n"
      "  --expect HASH          an event with this hash, which --verify told\n"
      "                         before, is to be among them\n"
      "  --json                 an object a line\n" },

    { NULL, NULL, NULL, NULL, NULL }
};
