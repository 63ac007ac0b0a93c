#!/usr/bin/env bash
# Runs a CUDA compiler (with or without ccache before it) and keeps what its assembler tells about each kernel, registers, stack frame and spills, beside the
# object as OBJECT.ptxas; all else, what the assembler advises included, is passed on. tests/cuda/kernel_report_test.cpp reads the reports.
#   kernel_report.sh COMPILER... -o OBJECT...
set -uo pipefail
while [ $# -gt 0 ] && [ -z "$1" ]; do shift; done  # a launcher that is not there
object= before=
for word in "$@"; do
  [ "$before" = -o ] && object=$word
  before=$word
done
case $object in *.o | *.obj) ;; *) exec "$@" ;; esac  # a link, or the compiler asked about itself
said=$(mktemp "$object.XXXXXX") || exit
trap 'rm -f "$said"' EXIT
"$@" -Xptxas=-v 2>"$said"
status=$?
report='^ptxas info +: ([0-9]+ bytes|Compiling|Function properties|Used|Compile time|Overriding)|^ +[0-9]+ bytes stack frame'
grep -E "$report" "$said" >"$object.ptxas"
grep -vE "$report" "$said" >&2
exit $status
