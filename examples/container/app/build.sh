#!/bin/sh
# Stands for your build, such as `npm ci` with a private registry's token: it runs with the variables of the deployment
# that BUILD_DEPLOYMENT names, and leaves what it made in `server`.
set -eu
cp server.sh server
chmod 0755 server
