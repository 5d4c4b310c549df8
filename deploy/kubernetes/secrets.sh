#!/bin/sh
# Prints the secrets of this folder's manifests, with a new password at each call:
#
#   secrets.sh | kubectl create --namespace antechamber --filename -
set -eu
nodes=redis-0.redis:6379,redis-1.redis:6379,redis-2.redis:6379,redis-3.redis:6379,redis-4.redis:6379,redis-5.redis:6379
password=$(od -An -N 32 -tx1 /dev/urandom | tr -d ' \n')
cat <<SECRETS
apiVersion: v1
kind: Secret
metadata:
  name: redis-auth
stringData:
  redis-auth.conf: |
    requirepass $password
    masterauth $password
---
apiVersion: v1
kind: Secret
metadata:
  name: antechamber
stringData:
  store: redis+cluster://:$password@$nodes
SECRETS
