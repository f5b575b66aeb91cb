#!/bin/sh
# The exit codes of ./run that need no build: 2 for what it does not know, 3 where the machine lacks something.
run=$1
failed=0
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT

expect() {  # expect CODE TEXT COMMAND...: exit code, and a text in the output
  code=$1 text=$2
  shift 2
  "$@" >"$folder/out" 2>&1
  got=$?
  if [ "$got" -ne "$code" ] || ! grep -q -e "$text" "$folder/out"; then
    echo "FAILED: $* gave exit $got, expected $code and '$text'; it said:"
    cat "$folder/out"
    failed=1
  fi
}

expect 0 'usage:' sh "$run"
expect 0 'usage:' sh "$run" --help
expect 2 "no verb 'tset'" sh "$run" tset
expect 2 "not '--fast'" sh "$run" demo --fast
expect 2 'one of --quick and --full' sh "$run" demo --quick --full
expect 2 "no build preset 'cuba'" sh "$run" build cuba
expect 2 'needs a Python' sh "$run" bench --peers
expect 2 'stands alone' sh "$run" bench --quick --peers python3
expect 2 'bench writes json' sh "$run" bench --benchmark_out_format=csv
expect 3 "no Python 'no-such-python'" sh "$run" bench --peers no-such-python
expect 3 "'false' cannot import torch" sh "$run" bench --peers false
expect 2 'setup-cuda takes no options' sh "$run" setup-cuda --force
expect 2 'needs the folder' sh "$run" gpu-check --bundle
expect 2 "'nowhere' is no bundle" sh "$run" gpu-check --bundle nowhere
expect 2 'takes the file' sh "$run" gpu-check --merge
expect 2 'nowhere.json' sh "$run" gpu-check --merge nowhere.json
expect 2 'exists and is no bundle' sh "$run" gpu-bundle tests
expect 3 'run ./run setup-cuda first' env SV_CUDA_HOME=/nowhere SV_ANY_SYSTEM=1 sh "$run" --no-install build cuda

# A system that has no package installed: the list is printed, nothing is installed, exit 3.
printf '#!/bin/sh\nexit 1\n' >"$folder/dpkg-query"
printf '#!/bin/sh\ntouch "%s/called"\n' "$folder" >"$folder/apt-get"
chmod +x "$folder/dpkg-query" "$folder/apt-get"
if grep -qE '^ID="?(debian|ubuntu)"?$' /etc/os-release 2>/dev/null; then
  expect 3 'missing packages: cmake ninja-build g++' env PATH="$folder:$PATH" sh "$run" demo --no-install
  expect 3 'chromium\|python3-h5py' env PATH="$folder:$PATH" sh "$run" --no-install test
fi
if [ -e "$folder/called" ]; then
  echo 'FAILED: apt-get was called in spite of --no-install'
  failed=1
fi

# The outputs of several programs become one file that `subvocal bench compare` reads.
printf '{"context": {"executable": "b/x_bench"}, "benchmarks": [{"name": "x"}]}' >"$folder/x.json"
printf '{"context": {"executable": "b/y_bench"}, "benchmarks": [{"name": "y"}]}' >"$folder/y.json"
: >"$folder/none.json"
merge=$(dirname "$run")/bench/merge.py
python3 "$merge" "$folder/all.json" "$folder/x.json" "$folder/none.json" "$folder/y.json" || failed=1
expect 0 "x y x_bench y_bench" python3 -c '
import json, sys
all = json.load(open(sys.argv[1]))
print(*[b["name"] for b in all["benchmarks"]], *all["context"])' "$folder/all.json"
exit $failed
