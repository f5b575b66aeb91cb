#!/bin/sh
# What a machine with a GPU runs: gpu_check, gpu_bench and subvocal, part by part, then compute-sanitizer's tools on tiny
# shapes. Needs no network, no compiler and no Python. `./run gpu-check` calls it, and `./run gpu-bundle` copies it beside
# its programs.
#
# usage: check.sh FOLDER OUT.json [--only OP | --repeats N]...
#   FOLDER holds the programs; with arguments only the parts about ops run, and are given them.
# Every part has a limit of time, and all of them together SV_CHECK_SECONDS (480).
# Exit codes: 0 all pass, 1 a check failed, 2 bad arguments, 3 no GPU.
set -u
[ $# -ge 2 ] || { echo "usage: check.sh FOLDER OUT.json [--only OP | --repeats N]..." >&2; exit 2; }
folder=$1 out=$2
here=$(dirname "$0")
shift 2
for program in gpu_check gpu_bench subvocal; do
  if [ ! -x "$folder/$program" ] && [ -f "$folder/$program.gz" ]; then  # as a bundle holds them
    gzip -dc "$folder/$program.gz" >"$folder/$program" && chmod +x "$folder/$program"
  fi
  [ -x "$folder/$program" ] || { echo "check.sh: there is no program $folder/$program" >&2; exit 2; }
done

passed=0 failed=0 skipped=0
started=$(date +%s)
budget=${SV_CHECK_SECONDS:-480}

left() { echo $((budget - $(date +%s) + started)); }

# part NAME SECONDS COMMAND...
part() {
  name=$1 limit=$2
  shift 2
  [ "$limit" -le "$(left)" ] || limit=$(left)
  if [ "$limit" -lt 5 ]; then
    skipped=$((skipped + 1))
    echo "== $name: Skipped: no time is left of $budget s"
    return
  fi
  echo "== $name"
  began=$(date +%s)
  timeout -k 5 "$limit" "$@"
  code=$?
  took=$(($(date +%s) - began))
  case $code in
    0) passed=$((passed + 1)) ;;
    # The first part says whether there is a GPU, and whether the arguments make sense.
    2 | 3) [ $passed -gt 0 ] || [ $failed -gt 0 ] || exit $code
       failed=$((failed + 1)) ;;
    124 | 137)
      failed=$((failed + 1))
      echo "== $name: FAILED: not done within $limit s"
      return ;;
    *) failed=$((failed + 1)) ;;
  esac
  [ $code -eq 0 ] && echo "== $name: passed in $took s" || echo "== $name: FAILED after $took s (exit code $code)"
}

# sanitize TOOL SECONDS: small shapes only, as it is up to 50 times slower.
sanitize() {
  if [ "$2" -lt 5 ]; then
    skipped=$((skipped + 1))
    echo "compute-sanitizer $1: Skipped: no time is left of $budget s"
    return
  fi
  log=$(mktemp) || exit 3
  timeout -k 5 "$2" "$sanitizer" --tool "$1" --error-exitcode 9 "$folder/gpu_check" --tiny >"$log" 2>&1
  code=$?
  if [ $code -eq 0 ]; then
    passed=$((passed + 1))
    echo "compute-sanitizer $1: no errors"
  elif [ $code -eq 124 ] || [ $code -eq 137 ]; then
    skipped=$((skipped + 1))
    echo "compute-sanitizer $1: Skipped: not done within $2 s"
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

rm -f "$out"
part "every op against the CPU, and its repeats" 170 "$folder/gpu_check" --part ops --out "$out" "$@"
if [ $# -eq 0 ]; then
  part "products on tensor cores" 20 "$folder/gpu_check" --part products --out "$out"
  part "training against the CPU, resume, from CPU to GPU and back" 80 "$folder/gpu_check" --part train --out "$out"
  part "10,000 launches" 30 "$folder/gpu_check" --part stress --out "$out"
  part "limits of the GPU" 45 "$folder/gpu_bench" --part limits --out "$out"
  part "ops against the limits" 60 "$folder/gpu_bench" --part ops --out "$out"
  part "packs of seeds" 40 "$folder/gpu_bench" --part pack --out "$out"
  part "subvocal: train, interrupt, resume, evaluate" 45 sh "$here/program.sh" "$folder/subvocal" "$here"
else
  only=
  while [ $# -gt 1 ]; do
    [ "$1" = --only ] && only=$2
    shift
  done
  part "ops against the limits" 60 "$folder/gpu_bench" --part ops --out "$out" ${only:+--only "$only"}
fi

sanitizer=$(command -v compute-sanitizer || echo /usr/local/cuda/bin/compute-sanitizer)
tools=4
for tool in memcheck racecheck initcheck synccheck; do
  if [ -x "$sanitizer" ]; then
    sanitize $tool $(($(left) / tools))
  else
    skipped=$((skipped + 1))
    echo "compute-sanitizer $tool: Skipped: no compute-sanitizer in PATH or /usr/local/cuda/bin"
  fi
  tools=$((tools - 1))
done

echo "gpu-check: $(($(date +%s) - started)) s; rows in $out"
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed -eq 0 ] || exit 1
