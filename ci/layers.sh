#!/usr/bin/env bash
# Holds the source to the layers of docs/design.md, as far as a search can.
set -euo pipefail
cd "$(dirname "$0")/.."
failed=0

# forbid WHAT WHY FILES...: fails if a line of code (comments apart) in the files matches.
forbid() {
    local pattern=$1 why=$2
    shift 2
    local found
    found=$(grep -nE "$pattern" "$@" /dev/null | grep -vE '^[^:]+:[0-9]+:\s*//' || true)
    if [ -n "$found" ]; then
        printf '%s:\n%s\n' "$why" "$found" >&2
        failed=1
    fi
}

mapfile -t all < <(git ls-files 'src/*.rs' 'src/**/*.rs' | sort -u)
outside() { printf '%s\n' "${all[@]}" | grep -vE "$1"; }
inside() { printf '%s\n' "${all[@]}" | grep -E "$1"; }

mapfile -t files < <(outside '^src/sys/')
forbid '\b(libc|nix)::' 'the system is called in src/sys alone' "${files[@]}"

mapfile -t files < <(outside '^src/(sync\.rs|sync/|sys/(fork|process_local|atfork|thread)\.rs)')
forbid '(core|std)::sync::atomic|cell::UnsafeCell|loom::' 'atomics and cells come from src/sync.rs' "${files[@]}"

mapfile -t files < <(outside '^src/(sys/|memory/(board|region|view)\.rs|sync/mortal\.rs)')
forbid '\bunsafe\b' 'unsafe code stands in src/sys and in three files of src/memory alone' "${files[@]}"

mapfile -t files < <(inside '^src/(ring|memory)/')
forbid 'std::(io|time|process|fs|thread)|crate::(segment|spsc|name|error)' \
    'the core and its memory know no files, clocks, processes or names' "${files[@]}"

mapfile -t files < <(inside '^src/ring/')
forbid 'crate::sys' 'the core makes no system call' "${files[@]}"

mapfile -t files < <(git ls-files 'cli/*.rs' 'cli/**/*.rs' | sort -u)
forbid '\blibc::' 'the program makes no call of its own kind' "${files[@]}"
mapfile -t files < <(printf '%s\n' "${files[@]}" | grep -vE '^cli/src/soak/fork\.rs$')
forbid '\bunsafe\b' 'the program forks in one file, and has no other unsafe code' "${files[@]}"

# Each ordering stronger than Relaxed names its edge, at most a few lines above.
mapfile -t files < <(inside '^src/(ring|memory|parking)/')
unnamed=$(awk '
    /E[0-9]/ { named = FNR; file = FILENAME }
    /Ordering::(Acquire|Release|AcqRel|SeqCst)/ && !(file == FILENAME && FNR - named < 12) { print FILENAME ":" FNR ": " $0 }
' "${files[@]}")
if [ -n "$unnamed" ]; then
    printf 'an ordering without the label of its edge:\n%s\n' "$unnamed" >&2
    failed=1
fi

# Files stay readable: 400 lines of code, tests in them included.
for file in "${all[@]}"; do
    lines=$(grep -cvE '^\s*(//|$)' "$file" || true)
    if [ "$lines" -gt 450 ]; then
        echo "$file has $lines lines of code: split it by role" >&2
        failed=1
    fi
done
[ "$failed" -eq 0 ] && echo "the layers hold"
exit "$failed"
