#!/bin/sh
# subvocal on a GPU: the same weights when a run is repeated, and when it is interrupted and resumed; an evaluation there
# and on the CPU. Exit codes: 0 it does all that, 1 it does not, 3 no GPU.
#
# usage: program.sh SUBVOCAL FOLDER [DEVICE]      (FOLDER holds program.toml; DEVICE is cuda)
set -u
program=$1 settings=$2/program.toml device=${3:-cuda}
runs=$(mktemp -d) || exit 3
trap 'rm -rf "$runs"' EXIT

wrong() {
  echo "program.sh: $*" >&2
  exit 1
}
train() { "$program" train "$settings" --device "$device" --quiet --out "$runs/$1"; }
same() {  # same NAME: the run of that name has the weights of the first
  cmp "$runs/whole/model.safetensors" "$runs/$1/model.safetensors" || wrong "the run '$1' has other weights"
}

train whole
code=$?
[ $code -eq 0 ] || exit $code
train again || wrong "a second run failed"
same again

# Not the function: $! would be a shell around the program.
"$program" train "$settings" --device "$device" --quiet --out "$runs/cut" >"$runs/log" 2>&1 &
pid=$!
tries=0
until ls "$runs"/cut/checkpoint-*.safetensors >/dev/null 2>&1; do  # then it is on its way
  tries=$((tries + 1))
  [ $tries -lt 300 ] && kill -0 $pid 2>/dev/null || break
  sleep 0.1
done
kill -TERM $pid 2>/dev/null
wait $pid
code=$?
case $code in
  0) echo "the run was over before it could be interrupted" ;;
  4) echo "interrupted and resumed"
     "$program" resume "$runs/cut" --device "$device" --quiet || wrong "the resume failed" ;;
  *) cat "$runs/log" >&2
     wrong "an interrupted run ended with exit code $code, not 4" ;;
esac
same cut

"$program" eval "$runs/whole" --device "$device" --quiet || wrong "the evaluation failed"
"$program" eval "$runs/whole" --device cpu --quiet || wrong "the evaluation on the CPU failed"
