# shellcheck shell=sh
# One throw-away PostgreSQL cluster, alive as long as standard input stays open.
# usage: sh -c "$(cat postgres.sh)" postgres.sh BIN_DIR PORT
# Prints the address of the cluster on one line when it is ready.
#
# The end of input, and nothing else, ends it: that happens when the parent lets go, and also when the parent is
# interrupted or killed, so no server and no directory is ever left behind. A Ctrl-C at the terminal reaches this shell
# too, and must not stop it before it has cleaned up.
set -eu
trap '' INT HUP TERM QUIT
umask 077
cd /
bin=$1 port=$2
dir=$(mktemp -d /tmp/keyward-postgres.XXXXXX)

clean_up() {
    "$bin/pg_ctl" --pgdata "$dir/data" --mode immediate --silent stop >&2 || :
    rm -rf "$dir"
}
trap clean_up EXIT

# A password, because on a shared machine loopback belongs to everybody and a superuser runs programs as its owner.
password=$(od -A n -N 16 -t x1 /dev/urandom | tr -d ' \n')
printf '%s\n' "$password" >"$dir/password"
"$bin/initdb" --pgdata "$dir/data" --username keyward --auth scram-sha-256 --pwfile "$dir/password" \
    --encoding UTF8 --locale C --no-sync >"$dir/log" 2>&1 || { cat "$dir/log" >&2; exit 1; }

# The data dies with the run, so it need not survive a power cut.
cat >>"$dir/data/postgresql.conf" <<SETTINGS
listen_addresses = '127.0.0.1'
port = $port
unix_socket_directories = '$dir'
max_connections = 400
fsync = off
full_page_writes = off
SETTINGS
"$bin/pg_ctl" --pgdata "$dir/data" --log "$dir/log" --wait --timeout 60 --silent start >&2 \
    || { cat "$dir/log" >&2; exit 1; }
printf 'postgres://keyward:%s@127.0.0.1:%s/postgres\n' "$password" "$port"
exec 1>&-
cat >/dev/null
