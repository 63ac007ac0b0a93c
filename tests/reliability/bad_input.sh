#!/usr/bin/env bash
# Bad input, as a user meets it: each defect is put into a small copy of the sample scans, and `tenon train` must end with the right
# exit status and a message that names code and file, with nothing written; `tenon check` must list it, `tenon predict` must refuse a bad scan.
source "$(dirname "$0")/common.sh"
samples=$root/data/samples/hippocampus
cd "$work"

# Six cases, four to train.
fresh() {
  rm -rf set
  mkdir -p set/imagesTr set/labelsTr
  for id in 017 035 001 003 004 036; do
    cp "$samples/imagesTr/hippocampus_$id.nii.gz" set/imagesTr/
    cp "$samples/labelsTr/hippocampus_$id.nii.gz" set/labelsTr/
  done
  echo '{"fold_0": ["hippocampus_017", "hippocampus_035"], "fold_1": ["hippocampus_001", "hippocampus_003", "hippocampus_004", "hippocampus_036"]}' >set/folds.json
}
recipe=(data.root="$work/set")
count=0

# refused STATUS WORDS...: training ends with STATUS, says all WORDS, and leaves no file behind that was not there.
refused() {
  local status=$1 before after got=0 word
  shift
  before=$(find "$work" -newer "$work/.start" -type f -o -type f | sort)
  "${train[@]}" "${recipe[@]}" "${more[@]}" train.steps=2 >"$work/.out" 2>"$work/.err" || got=$?
  [ "$got" = "$status" ] || { cat "$work/.err" >&2; fail "exit $got, not $status, for: $*"; }
  for word in "$@"; do grep -qF -- "$word" "$work/.err" || { cat "$work/.err" >&2; fail "'$word' is not said"; }; done
  [ -s "$work/.out" ] && fail "something on standard output for: $*"
  after=$(find "$work" -newer "$work/.start" -type f -o -type f | sort)
  [ "$before" = "$after" ] || { diff <(echo "$before") <(echo "$after") >&2; fail "files appeared for: $*"; }
  count=$((count + 1))
}
# listed WORDS...: the same defect stands in the list of `tenon check`, exit 3.
listed() {
  local got=0 word
  "$TENON" check "$root/plugins/medical/recipes/hippocampus-sample.toml" "${recipe[@]}" >"$work/.list" 2>/dev/null || got=$?
  [ "$got" = 3 ] || fail "check: exit $got, not 3, for: $*"
  for word in "$@"; do grep -qF -- "$word" "$work/.list" || { cat "$work/.list" >&2; fail "check does not list '$word'"; }; done
}
# unpredicted FILE WORD: a scan that cannot be read gives no label map.
unpredicted() {
  local got=0
  "$TENON" predict "$work/good" "$1" -o "$work/predicted" >"$work/.out" 2>"$work/.err" || got=$?
  [ "$got" = 3 ] || { cat "$work/.err" >&2; fail "predict: exit $got, not 3, for $1"; }
  grep -qF -- "$2" "$work/.err" || { cat "$work/.err" >&2; fail "predict does not say '$2'"; }
  [ -z "$(ls -A "$work/predicted" 2>/dev/null)" ] || fail "predict wrote something for $1"
}
# edit FILE EXPRESSION: changes the bytes `b` of a gzipped NIfTI file (header of 348 bytes, then voxels).
edit() {
  python3 - "$1" "$2" <<'PY'
import gzip, struct, sys
path, expression = sys.argv[1:]
b = bytearray(gzip.open(path).read())
exec(expression)
with open(path, "wb") as f, gzip.GzipFile("", "wb", mtime=0, fileobj=f) as g: g.write(bytes(b))
PY
}
more=()
touch .start .out .err .list
scan=set/imagesTr/hippocampus_001.nii.gz label=set/labelsTr/hippocampus_001.nii.gz

fresh
"${train[@]}" "${recipe[@]}" --run "$work/good" train.steps=2 >/dev/null 2>&1 || fail "the good set does not train"

cut() { python3 -c 'import sys; p, n = sys.argv[1], int(sys.argv[2]); b = open(p, "rb").read(); open(p, "wb").write(b[:n if n > 0 else len(b) + n])' "$1" "$2"; }
cut $scan 2000; refused 3 gzip.truncated hippocampus_001; listed gzip.truncated hippocampus_001; unpredicted $scan gzip.truncated
fresh; cut $scan -5; refused 3 gzip.truncated hippocampus_001; listed gzip.truncated; unpredicted $scan gzip.truncated            # inside the trailer
fresh; cut $label -3; refused 3 gzip.truncated labelsTr/hippocampus_001; listed gzip.truncated
fresh; gunzip $scan; cut set/imagesTr/hippocampus_001.nii -100; refused 3 nifti.truncated hippocampus_001.nii; listed nifti.truncated
unpredicted set/imagesTr/hippocampus_001.nii nifti.truncated
fresh; edit $label 'struct.pack_into("<f", b, 280, 2.0)'; refused 3 hippocampus_001 "error["; listed hippocampus_001            # sform of the label
fresh; cp set/labelsTr/hippocampus_003.nii.gz $label; refused 3 medical.geometry hippocampus_001; listed medical.geometry
fresh; edit $label 'b[352 + 100] = 7'; refused 3 medical.label_value "7 (1 voxels)" hippocampus_001; listed medical.label_value
fresh; edit $scan 'n = (len(b) - 352); import array; t = struct.unpack_from("<h", b, 70)[0]; v = {2: "B", 4: "h", 512: "H", 16: "f", 64: "d", 8: "i"}[t]; a = array.array(v); a.frombytes(bytes(b[352:])); f = array.array("f", map(float, a)); f[10] = float("nan"); struct.pack_into("<hh", b, 70, 16, 32); b[352:] = f.tobytes()'
refused 3 medical.not_finite hippocampus_001; listed medical.not_finite; unpredicted $scan not_finite
fresh; rm $label; refused 3 medical.unlabelled hippocampus_001; listed medical.unlabelled
fresh; rm $scan $label; refused 3 medical.case_absent hippocampus_001; listed medical.case_absent
fresh; edit $label 'b[352:] = bytes(len(b) - 352)'; refused 3 medical.empty_foreground hippocampus_001; listed medical.empty_foreground
fresh; cp set/imagesTr/hippocampus_017.nii.gz $scan; cp set/labelsTr/hippocampus_017.nii.gz $label; refused 3 medical.leak hippocampus_017; listed medical.leak
fresh; rm set/imagesTr/*; refused 3 medical.image_absent; listed medical.image_absent
fresh; mkdir empty; mv set/imagesTr set/labelsTr empty/; mkdir set/imagesTr set/labelsTr
more=(data.folds=); refused 3 medical.no_cases; more=(); recipe+=(data.folds=); listed medical.no_cases; recipe=(data.root="$work/set")
fresh; echo '{"train": ["hippocampus_001"]}' >set/folds.json; refused 3 train.no_validation; listed train.no_validation

# several at once: one pass lists them all
fresh; rm $label; cut set/imagesTr/hippocampus_003.nii.gz 2000; edit set/labelsTr/hippocampus_004.nii.gz 'b[400] = 9'
listed medical.unlabelled gzip.truncated medical.label_value "3 problems"
fresh; rm $label; cut set/imagesTr/hippocampus_003.nii.gz 2000; ln -sf hippocampus_004.nii.gz set/imagesTr/hippocampus_004.nii.gz  # a link to itself
listed medical.unlabelled gzip.truncated io.not_a_file "3 problems"

# the recipe
fresh
more=(train.step=5); refused 2 recipe.unknown_key "'steps'"
more=(train.batch=two); refused 2 train.batch
more=(data.root="$work/absent"); refused 2 recipe.missing_file
more=(data.fold=99); refused 2 medical.fold "command line, data.fold" "one of 0, 1"; more+=(--dry-run); refused 2 medical.fold "one of 0, 1"
more=('train.require=["Dice anterior > 0.8"]'); refused 2 train.require "is not a demand"
more=('train.require=["Dice posteror >= 0.8"]'); refused 2 train.require "Dice posterior"
more=(model.widths=[4,8,16] patch.size=[18,18,18]); refused 2 medical.unet3d "multiple of 4"
more=()

# DICOM series: a slice missing, a slice twice
"$TENON" medical convert set/imagesTr/hippocampus_001.nii.gz series >/dev/null 2>&1
slices=(series/*)
cp -r series missing; rm "missing/$(basename "${slices[5]}")"; unpredicted missing dicom.missing_slice
cp -r series twice; cp "${slices[5]}" twice/again.dcm; unpredicted twice dicom.duplicate_slice

# scoring what was trained on
fresh
got=0
"$TENON" evaluate good data.fold=1 >.out 2>.err || got=$?
[ "$got" = 3 ] && grep -qF medical.leak .err || { cat .err >&2; fail "evaluate scored cases that the model was trained on (exit $got)"; }
echo "passed: $count defects refused, each with nothing written"
