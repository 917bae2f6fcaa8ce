#!/usr/bin/env bash
# Weakens every edge of docs/robustness.md in turn, and fails unless the model named there fails; and if an ordering of the core,
# or a barrier, stands in no row. Weakened means relaxed, a fence taken away; "half" names the half of AcqRel that goes.
# "@N" behind a model is its bound on preemptions. Usage: ci/edges.sh [PART-OF-A-FILE'S-NAME]
set -euo pipefail
cd "$(dirname "$0")/.."
export RUST_BACKTRACE=0
binary=$(ci/loom-binary.sh)
failed=0
complain() {
    printf '%s\n' "$*" >&2
    failed=1
}

# Rows: edge, file, line of code (with " #2" behind it: the second such line), half, model. Without a model, a reason.
rows() {
    sed -n 's/`//g; /^## Edges/,/^## /s/^| \(E[0-9].*\) |$/\1/p' docs/robustness.md
}

# The number of a row's line in its file.
line_of() {
    local file=$1 code=$2 nth=1
    if [[ $code =~ ^(.*)\ \#([0-9]+)$ ]]; then
        code=${BASH_REMATCH[1]} nth=${BASH_REMATCH[2]}
    fi
    grep -nF -- "$code" "$file" | grep -vE '^[0-9]+: *//' | sed -n "${nth}s/:.*//p"
}

declare -A listed
weakened=0
while IFS='|' read -r edge file code half model; do
    read -r edge <<<"$edge"; read -r file <<<"$file"; read -r code <<<"$code"
    read -r half <<<"$half" || true
    read -r model <<<"$model" || true
    line=$(line_of "$file" "$code")
    if [ -z "$line" ]; then
        complain "$edge: $file has no line '$code'"
        continue
    fi
    listed["$file:$line"]=1
    [[ $model == *::* && $file == *"${1:-}"* ]] || continue
    weakened=$((weakened + 1))
    status=0 bound=()
    [[ $model != *@* ]] || bound=("LOOM_MAX_PREEMPTIONS=${model#*@}")
    env "${bound[@]}" RINGPIPE_WEAKEN="$file:$line${half:+:$half}" \
        timeout 600 "$binary" --exact "${model%% @*}" >/dev/null 2>&1 || status=$?
    case $status in
        101) echo "$edge $file:$line ${half:+$half }caught by $model" ;;
        0) complain "$edge $file:$line $half: $model passes without it" ;;
        *) complain "$edge $file:$line $half: $model ended with $status" ;;
    esac
done < <(rows)

while IFS=: read -r file line _; do
    [ -n "${listed["$file:$line"]:-}" ] || complain "$file:$line stands in no row"
done < <(git ls-files 'src/ring/*.rs' 'src/memory/*.rs' 'src/parking/*.rs' |
    xargs grep -nE 'Ordering::(Acquire|Release|AcqRel|SeqCst)|\.light\(\)|[^n] (heavy|full)_barrier\(\)|::(heavy|full)_barrier\(\)' |
    grep -vE '^[^:]+:[0-9]+: *//')
echo "$weakened edges weakened"
exit "$failed"
