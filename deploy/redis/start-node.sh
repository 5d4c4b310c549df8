#!/bin/sh
# Starts a node whose address changes at every start, as that of a pod. Nodes know each other by address:
# when many restart at once, each has to learn the new addresses of the others.
#
#   NODE_ADDRESS   the address of this node
#   NODE_NAME      the name by which clients find it
#   PEERS          the names of all nodes
#   CONFIG         the file for redis-server; /etc/redis/redis.conf by default
set -eu
port=${PORT:-6379}
auth=${REDIS_AUTH_FILE:-/run/secrets/redis-auth.conf}
if [ -r "$auth" ]; then
  REDISCLI_AUTH=$(sed -n 's/^requirepass //p' "$auth")
  export REDISCLI_AUTH
fi

ask() { redis-cli -h "$NODE_ADDRESS" -p "$port" "$@" 2>/dev/null; }

# A node that has never been in a cluster waits for form-cluster.sh. Any other node introduces itself to all
# others, and repeats that until it has a connection to each.
introduce() {
  until [ "$(ask ping)" = PONG ]; do sleep 0.5; done
  for _ in 1 2 3 4 5 6 7 8 9 10 11 12; do
    case $(ask cluster info) in *cluster_known_nodes:1[!0-9]*) return 0 ;; esac
    for peer in $PEERS; do
      ip=$(getent ahostsv4 "$peer" | awk 'NR == 1 { print $1 }')
      [ -z "$ip" ] || [ "$ip" = "$NODE_ADDRESS" ] || ask cluster meet "$ip" "$port" >/dev/null || true
    done
    sleep 5
    case $(ask cluster nodes) in *disconnected* | *fail*) ;; *) return 0 ;; esac
  done
}

introduce &
exec redis-server "${CONFIG:-/etc/redis/redis.conf}" \
  --cluster-announce-ip "$NODE_ADDRESS" \
  --cluster-announce-hostname "$NODE_NAME" \
  --cluster-preferred-endpoint-type hostname
