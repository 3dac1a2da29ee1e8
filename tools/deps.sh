#!/usr/bin/env bash
# Installs what the machine lacks, from Debian's packages where we are root; says what to do where not.
set -euo pipefail

missing=()
command -v gcc >/dev/null || missing+=(gcc libc6-dev) # the race detector links with it
command -v git >/dev/null || missing+=(git)
command -v npm >/dev/null || missing+=(npm) # brings Azurite, the peer of the blob store's tests
command -v jq >/dev/null || missing+=(jq) # the steps of the sample that trains read JSON with it
command -v curl >/dev/null || missing+=(curl) # hotswap-setup downloads with it
command -v spin >/dev/null || missing+=(spin) # checks the protocol's model
python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3-venv)
[ ${#missing[@]} -eq 0 ] && exit 0

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
  echo "missing on this machine: ${missing[*]}; install them, or run make as root on Debian" >&2
  exit 1
fi
apt-get update -q
DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends "${missing[@]}"
