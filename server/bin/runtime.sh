# Finds the runtime (Bun or Node) that runs the TypeScript sources. The launcher in this folder and scripts/runtime read
# this file with the command ".".
#
# find_runtime NAME DIR   NAME is bun or node. It looks for the runtime in node_modules of DIR and of the folders above
# DIR, and then on PATH. It sets `runtime` to the path of the runtime, and `runtime_flags` to flags for it. If it finds
# no runtime, it prints what to install and exits with 69 (EX_UNAVAILABLE of sysexits). For another NAME it exits with
# 64 (EX_USAGE).

# Looks for an executable node_modules/$2 in folder $1 and the folders above it, and prints the first one.
find_upwards() {
  folder=$1
  while :; do
    if [ -x "$folder/node_modules/$2" ]; then
      printf '%s\n' "$folder/node_modules/$2"
      return 0
    fi
    [ "$folder" != / ] || return 1
    folder=$(dirname "$folder")
  done
}

# Prints the operating system and the processor as npm names them, such as linux-x64.
platform() {
  case $(uname -s) in
    Darwin) system=darwin ;;
    *) system=linux ;;
  esac
  case $(uname -m) in
    arm64 | aarch64) printf '%s-%s\n' "$system" arm64 ;;
    *) printf '%s-%s\n' "$system" x64 ;;
  esac
}

# Prints the names of the npm packages with Bun for this machine, in the order in which to try them. The build that
# works without AVX2 comes last; on a processor without AVX2 it comes first.
bun_packages() {
  base=bun-$(platform | sed 's/arm64/aarch64/')
  case $base in
    bun-linux-*) ! ls /lib/ld-musl-* >/dev/null 2>&1 || base=$base-musl ;;
  esac
  case $base in
    bun-linux-x64*)
      grep -qsw avx2 /proc/cpuinfo || printf '%s\n' "$base-baseline"
      ;;
  esac
  printf '%s\n' "$base" "$base-baseline"
}

find_bun() {
  # Until the install script of the package has run, this file is only a short placeholder. `npm ci --ignore-scripts`
  # never runs the install script.
  if runtime=$(find_upwards "$1" bun/bin/bun.exe) && [ "$(wc -c <"$runtime")" -gt 1000000 ]; then
    return 0
  fi
  for package in $(bun_packages); do
    if runtime=$(find_upwards "$1" "@oven/$package/bin/bun"); then return 0; fi
  done
  runtime=$(command -v bun)
}

find_node() {
  runtime=$(find_upwards "$1" "node-$(platform)/bin/node") ||
    runtime=$(find_upwards "$1" "node-bin-$(platform)/bin/node") ||
    runtime=$(command -v node) || return 1
  major=$("$runtime" --version | sed 's/^v\([0-9]*\).*/\1/')
  [ "$major" -ge 24 ]
}

find_runtime() {
  runtime=
  runtime_flags=
  # A look-up of a host name occupies a thread, for many seconds if the name server does not respond.
  export UV_THREADPOOL_SIZE="${UV_THREADPOOL_SIZE:-64}"
  case $1 in
    bun)
      # With more marker threads, the garbage collector competes with the thread that serves requests.
      export BUN_JSC_numberOfGCMarkers="${BUN_JSC_numberOfGCMarkers:-1}"
      # Every 100 ms, the allocator would look for free memory to return. It returns it some seconds later too.
      export MIMALLOC_PURGE_DELAY="${MIMALLOC_PURGE_DELAY:-1000}"
      export MIMALLOC_PURGE_HOLES_MIN_INTERVAL="${MIMALLOC_PURGE_HOLES_MIN_INTERVAL:-5000}"
      find_bun "$2" && return 0
      echo "antechamber: Bun was found neither in node_modules nor on PATH: run npm ci, or set ANTECHAMBER_RUNTIME=node for Node 24 or later" >&2
      exit 69
      ;;
    node)
      # Without this flag, Node warns at every start that node:sqlite is experimental.
      runtime_flags=--disable-warning=ExperimentalWarning
      find_node "$2" && return 0
      if [ -n "$runtime" ]; then
        echo "antechamber: $runtime is $("$runtime" --version); Node 24 or later is needed: put one on PATH, or run npm ci" >&2
      else
        echo "antechamber: Node was found neither in node_modules nor on PATH: run npm ci, or put Node 24 or later on PATH" >&2
      fi
      exit 69
      ;;
    *)
      echo "antechamber: ANTECHAMBER_RUNTIME is bun or node, not '$1'" >&2
      exit 64
      ;;
  esac
}
