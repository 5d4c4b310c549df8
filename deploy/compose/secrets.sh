#!/bin/sh
# Makes the secrets of cluster.yaml, each with a password of its own, in the folder `secrets` beside this
# file or the one that is named. Keeps those that are there.
#
#   secrets.sh [FOLDER]
set -eu
folder=${1:-$(CDPATH='' cd "$(dirname "$0")" && pwd -P)/secrets}
nodes=redis-1:6379,redis-2:6379,redis-3:6379,redis-4:6379,redis-5:6379,redis-6:6379

if [ -e "$folder/redis-auth.conf" ] || [ -e "$folder/antechamber.json" ]; then
  echo "secrets.sh: $folder has its secrets already" >&2
  exit 0
fi
# The folder is its owner's alone. The files in it are mounted into containers, whose users are others.
mkdir -p "$folder"
chmod 0700 "$folder"
password=$(od -An -N 32 -tx1 /dev/urandom | tr -d ' \n')
printf 'requirepass %s\nmasterauth %s\n' "$password" "$password" >"$folder/redis-auth.conf"
printf '{ "store": "redis+cluster://:%s@%s" }\n' "$password" "$nodes" >"$folder/antechamber.json"
chmod 0444 "$folder/redis-auth.conf" "$folder/antechamber.json"
