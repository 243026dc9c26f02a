#!/bin/sh
# Stands for your program. It says which variables it was given, by name only, is ready, and waits to be stopped.
set -eu
pause=
trap 'kill "$pause" 2>/dev/null; exit 0' TERM INT
# Newlines of values become blanks first, so that no piece of a value is taken for a name.
echo "variables: $(env -0 | tr '\n\0' ' \n' | sed 's/=.*//' | sort | tr '\n' ' ')"
: >/tmp/ready
while :; do
    # Whoever reads this program's output does not wait for the pause.
    sleep 3600 >/dev/null 2>&1 &
    pause=$!
    wait "$pause"
done
