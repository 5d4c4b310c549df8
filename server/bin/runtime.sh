# Finds the runtime to run TypeScript sources with; read by `.` from the
# launcher beside it and from scripts/runtime.
#
# find_runtime NAME DIR   NAME is bun or node; packages are looked for in
# node_modules of DIR and of the folders above it, then the command on PATH.
# Sets `runtime` (path) and `runtime_flags` (words), or says what is missing
# and exits with 69 (EX_UNAVAILABLE of sysexits); 64 (EX_USAGE) for another NAME.

# Prints the first node_modules/$2 at or above folder $1 that can be run.
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

# Prints the system and the processor as npm names them, such as linux-x64.
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

# Prints the names of Bun's packages for this machine, the best first: the
# build for processors without AVX2 comes last, or first on such a processor.
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
  # The package holds a short placeholder here until its install script has put
  # the program in its place, which `npm ci --ignore-scripts` never does.
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
  case $1 in
    bun)
      # More threads that mark for the collector only take turns with the one that serves.
      export BUN_JSC_numberOfGCMarkers="${BUN_JSC_numberOfGCMarkers:-1}"
      find_bun "$2" && return 0
      echo "antechamber: Bun was found neither in node_modules nor on PATH: run npm ci, or set ANTECHAMBER_RUNTIME=node for Node 24 or later" >&2
      exit 69
      ;;
    node)
      # node:sqlite still announces itself as experimental at every start.
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
