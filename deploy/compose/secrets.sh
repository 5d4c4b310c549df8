#!/bin/sh
# Makes the secret files of cluster.yaml with a new password, in the folder `secrets` beside this file or in
# FOLDER. Keeps existing files.
#
#   secrets.sh [FOLDER]
set -eu
folder=${1:-$(CDPATH='' cd "$(dirname "$0")" && pwd -P)/secrets}
nodes=redis-1:6379,redis-2:6379,redis-3:6379,redis-4:6379,redis-5:6379,redis-6:6379

if [ -e "$folder/redis-auth.conf" ] || [ -e "$folder/antechamber.json" ]; then
  echo "secrets.sh: $folder has its secrets already" >&2
  exit 0
fi
# Only its owner may open the folder. The files are mounted into containers with other users, so they are readable.
mkdir -p "$folder"
chmod 0700 "$folder"
password=$(od -An -N 32 -tx1 /dev/urandom | tr -d ' \n')
printf 'requirepass %s\nmasterauth %s\n' "$password" "$password" >"$folder/redis-auth.conf"
printf '{ "store": "redis+cluster://:%s@%s" }\n' "$password" "$nodes" >"$folder/antechamber.json"
chmod 0444 "$folder/redis-auth.conf" "$folder/antechamber.json"
