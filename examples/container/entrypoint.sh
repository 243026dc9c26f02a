#!/bin/sh
# Fetches a deployment's variables, then becomes the program:
#
#   ENTRYPOINT ["/usr/local/bin/entrypoint.sh"]
#   CMD ["/app/server"]
#
#   KEYWARD_URL          where the server is
#   KEYWARD_DEPLOYMENT   which deployment: its name or id
#   KEYWARD_TOKEN_FILE   the token: a mounted secret, or `-` for standard input (or KEYWARD_TOKEN: the token itself)
#   KEYWARD_KEEP         set to anything: the program gets keyward's own variables too, to refresh by itself
#
# The program starts with every variable, or not at all: whatever happens to keyward ends this script with keyward's exit
# code. It writes nothing, and needs no HOME, no terminal and no user name.
set -eu

if [ "$#" -eq 0 ]; then
    echo 'entrypoint.sh: there is no program to start: give one as CMD, or after the name of the image' >&2
    exit 2
fi
if [ -z "${KEYWARD_DEPLOYMENT:-}" ]; then
    echo 'entrypoint.sh: KEYWARD_DEPLOYMENT names no deployment' >&2
    exit 2
fi

# Not `eval $(keyward …)`: a keyward that was killed could not print `false`. Its exit code always tells.
kw_exports=$(keyward deployment env-file --stdout -- "$KEYWARD_DEPLOYMENT") || exit "$?"

if [ -z "${KEYWARD_KEEP:-}" ]; then
    unset KEYWARD_TOKEN KEYWARD_TOKEN_FILE KEYWARD_URL KEYWARD_CA_FILE KEYWARD_HOME
    unset KEYWARD_DEPLOYMENT KEYWARD_KEEP KEYWARD_MIN_SEQ KEYWARD_MIN_EPOCH
fi
# The text is expanded before `unset` runs, so that nothing of this script is left among the program's variables.
eval "unset kw_exports; $kw_exports"
exec "$@"
