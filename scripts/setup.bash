# SPDX-License-Identifier: Apache-2.0
#
# Sourced first by every script here: strict mode, the repository root as working directory, --help.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
jobs=$(nproc)

say() { printf '==> %s\n' "$*"; }

die() {
  printf '%s: %s\n' "$(basename "$0")" "$*" >&2
  exit 1
}

# Builds a preset, quietly while nothing goes wrong.
build_preset() { # PRESET [CMAKE-OPTION...]
  local preset=$1
  shift
  say "build/$preset"
  cmake --preset "$preset" "$@" >/dev/null &&
    cmake --build --preset "$preset" --parallel "$jobs"
}

case "${1-}" in
  -h | --help)
    awk 'NR > 3 { if (!/^#/) exit; sub(/^# ?/, ""); print }' "$0"
    exit 0
    ;;
esac
