#!/usr/bin/env bash
# Runs each fuzz target of fuzz/ for ${FERREX_FUZZ_SECONDS:-60} seconds, beginning with what fuzz/corpus has; names as arguments run
# only those. Needs no nightly compiler: coverage comes from a pass of stable LLVM, libFuzzer is built from its crate. What is found
# new stays outside of the repository; an input that fails is left in fuzz/artifacts.
set -euo pipefail
cd "$(dirname "$0")/../fuzz"

seconds="${FERREX_FUZZ_SECONDS:-60}"
work="${CARGO_TARGET_DIR:-$HOME/.cache/ferrex/target}/fuzz"
export CARGO_TARGET_DIR="$work"
# What `cargo fuzz build --sanitizer none` passes. With a target named, build scripts are spared.
export RUSTFLAGS="--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
-Cllvm-args=-sanitizer-coverage-trace-compares"
host="$(rustc -vV | sed -n 's/^host: //p')"
cargo build --release --target "$host" ${CARGO_LOCKED:---locked}

targets=("$@")
[ "${#targets[@]}" -gt 0 ] || mapfile -t targets < <(cd fuzz_targets && ls *.rs | sed 's/\.rs$//')
failed=()
for target in "${targets[@]}"; do
  mkdir -p "$work/corpus/$target" "artifacts/$target"
  log="$work/$target.log"
  # A single input may not take longer than ten seconds nor more than 1.5 GB.
  if "$work/$host/release/$target" "$work/corpus/$target" "corpus/$target" -max_total_time="$seconds" -timeout=10 \
      -rss_limit_mb=1536 -artifact_prefix="artifacts/$target/" -print_final_stats=1 >"$log" 2>&1; then
    printf '%-20s %s\n' "$target" "$(sed -n 's/^Done //p' "$log") $(grep -oE 'cov: [0-9]+' "$log" | tail -1)"
  else
    tail -40 "$log" >&2
    failed+=("$target")
  fi
done
[ "${#failed[@]}" -eq 0 ] || { echo "failed: ${failed[*]}" >&2; exit 1; }
