# shellcheck shell=sh
# /etc/profile.d/keyward.sh: an interactive login gets a deployment's variables.
#
# Set KEYWARD_DEPLOYMENT and KEYWARD_URL for logins (ENV in an image, /etc/environment elsewhere); the token is that of
# KEYWARD_TOKEN_FILE, or of the user's own `keyward login`. Without a deployment, without keyward, and where there is
# neither a token nor anybody signed in, nothing happens. Where something fails, one line says so and the login goes on
# without the variables. Scripts, scp and the like are left alone.

keyward_profile() {
    case $- in
        *i*) ;;
        *) return 0 ;;
    esac
    [ -n "${KEYWARD_DEPLOYMENT:-}" ] || return 0
    command -v keyward >/dev/null 2>&1 || return 0
    if [ -z "${KEYWARD_TOKEN_FILE:-}${KEYWARD_TOKEN:-}" ]; then
        grep -q '^\[login\]' "${KEYWARD_HOME:-${HOME:-}/.keyward}/config.toml" 2>/dev/null || return 0
    fi
    # No login waits for a server that does not answer.
    if command -v timeout >/dev/null 2>&1; then
        set -- timeout 10 keyward
    else
        set -- keyward
    fi
    # Without input, so that nothing is asked; and an `if`, so that `set -e` does not end the login.
    if kw_exports=$("$@" deployment env-file --stdout -- "$KEYWARD_DEPLOYMENT" </dev/null 2>/dev/null); then
        eval "unset kw_exports; $kw_exports"
    else
        unset kw_exports
        echo "keyward: the variables of $KEYWARD_DEPLOYMENT were not loaded; \`keyward whoami\` may tell why" >&2
    fi
}
keyward_profile
unset -f keyward_profile
