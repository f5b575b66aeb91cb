#!/bin/sh
# What a machine with a GPU runs: gpu_check, then compute-sanitizer's tools on tiny shapes. Needs no network, no
# compiler and no Python. `./run gpu-check` calls it, and `./run gpu-bundle` copies it beside its program.
#
# usage: check.sh PROGRAM OUT.json [arguments of gpu_check...]
# Exit codes: 0 all pass, 1 a check failed, 2 bad arguments, 3 no GPU.
set -u
[ $# -ge 2 ] || { echo "usage: check.sh PROGRAM OUT.json [arguments of gpu_check...]" >&2; exit 2; }
program=$1 out=$2
shift 2
[ -x "$program" ] || { echo "check.sh: there is no program $program" >&2; exit 2; }

passed=0 failed=0 skipped=0
started=$(date +%s)

"$program" --out "$out" "$@"
code=$?
case $code in
  0) passed=$((passed + 1)) ;;
  1) failed=$((failed + 1)) ;;
  *) exit $code ;;
esac

# sanitize TOOL: small shapes only, as it is up to 50 times slower.
sanitize() {
  log=$(mktemp) || exit 3
  timeout 120 "$sanitizer" --tool "$1" --error-exitcode 9 "$program" --tiny >"$log" 2>&1
  code=$?
  if [ $code -eq 0 ]; then
    passed=$((passed + 1))
    echo "compute-sanitizer $1: no errors"
  elif [ $code -eq 124 ]; then
    skipped=$((skipped + 1))
    echo "compute-sanitizer $1: Skipped: not done within 120 s"
  elif [ $code -eq 9 ] || [ $code -eq 1 ] || grep -q 'SUMMARY: [1-9]' "$log"; then
    failed=$((failed + 1))
    echo "compute-sanitizer $1: FAILED"
    tail -n 40 "$log"
  else
    # Some virtual machines refuse the debugging interface that it needs.
    skipped=$((skipped + 1))
    echo "compute-sanitizer $1: Skipped: $(grep -m 1 -i -E 'error|not supported|unable' "$log" || echo "exit code $code")"
  fi
  rm -f "$log"
}

sanitizer=$(command -v compute-sanitizer || echo /usr/local/cuda/bin/compute-sanitizer)
for tool in memcheck racecheck initcheck synccheck; do
  if [ -x "$sanitizer" ]; then
    sanitize $tool
  else
    skipped=$((skipped + 1))
    echo "compute-sanitizer $tool: Skipped: no compute-sanitizer in PATH or /usr/local/cuda/bin"
  fi
done

echo "gpu-check: $(($(date +%s) - started)) s; rows in $out"
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed -eq 0 ] || exit 1
