#!/bin/sh
# Forms one cluster of empty nodes, half of them primaries and half replicas, unless they are one already:
#
#   form-cluster.sh NAME[:PORT] NAME[:PORT] ...      six of them for 3 + 3
#
# Exits with 0 once every slot is served. May be run again, also after an interruption.
set -eu

# Passes the password, if there is one, without showing it in the list of processes.
auth=${REDIS_AUTH_FILE:-/run/secrets/redis-auth.conf}
if [ -r "$auth" ]; then
  REDISCLI_AUTH=$(sed -n 's/^requirepass //p' "$auth")
  export REDISCLI_AUTH
fi

say() { printf '%s\n' "form-cluster: $*" >&2; }

# ask ADDRESS COMMAND...
ask() {
  address=$1
  shift
  redis-cli -h "${address%:*}" -p "${address##*:}" "$@" 2>&1
}

is_whole() {
  state=$(ask "$1" cluster info) || return 1
  case $state in *cluster_state:ok*) ;; *) return 1 ;; esac
  case $state in *cluster_slots_assigned:16384*) return 0 ;; *) return 1 ;; esac
}

# Nodes need addresses: looks up the name of each node once it responds.
addresses=
for node in "$@"; do
  case $node in *:*) ;; *) node=$node:6379 ;; esac
  tries=0
  until [ "$(ask "$node" ping)" = PONG ]; do
    tries=$((tries + 1))
    [ "$tries" -le 120 ] || { say "$node does not answer: $(ask "$node" ping)"; exit 1; }
    sleep 0.5
  done
  ip=$(getent ahostsv4 "${node%:*}" | awk 'NR == 1 { print $1 }')
  addresses="$addresses $ip:${node##*:}"
done

# shellcheck disable=SC2086 # a list of words
set -- $addresses
if is_whole "$1"; then
  say "$1 is in a cluster already"
  exit 0
fi
case $(ask "$1" cluster info) in
  *cluster_slots_assigned:0*) redis-cli --cluster create "$@" --cluster-replicas 1 --cluster-yes ;;
  *) redis-cli --cluster fix "$1" --cluster-yes ;;
esac
until is_whole "$1"; do sleep 0.5; done
say "every slot is served"
