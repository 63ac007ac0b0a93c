"""Writes tests/golden/samtools_faidx.inc: what `samtools faidx` (1.16.1) cuts out of files of the shared genomics data, byte for byte.

    python3 tests/golden/make_samtools_faidx.py ../shared/data/genomics > tests/golden/samtools_faidx.inc
"""
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile

DATA = sys.argv[1]
CASES = [
    ("corrupt/good/ref.fa", ["chrA:1-1", "chrA:60-61", "chrA", "chrB:2990", "chrC:490-500"], []),
    ("corrupt/good/ref.fa.gz", ["chrA:5,900-6,000", "chrB:1-3000"], []),
    ("corrupt/good/ref.fa", ["chrA:100-260", "chrC"], ["-i"]),
    ("corrupt/fasta/crlf.fa", ["chrA:55-130"], []),
    ("hg19-chr20/ucsc.hg19.chr20.unittest.fasta.gz", ["chr20:9994990-9995200", "chr20:10000000-10100000", "chr20:63025500-63025520"], []),
    ("hg19-chr20/ucsc.hg19.chr20.unittest.fasta.gz", ["chr20:10020000-10023000"], ["-i"]),
    ("chr22-haplotypes/mini/3utr.fa", ["ENST00000319363_3UTR:5000-5100"], []),
]
print("// Made by make_samtools_faidx.py with samtools 1.16.1: file, regions, reverse complement, SHA-256 of the output, its bytes.")
for file, regions, flags in CASES:
    with tempfile.TemporaryDirectory() as folder:  # the index is made anew, beside a copy
        copy = shutil.copy(os.path.join(DATA, file), folder)
        out = subprocess.run(["samtools", "faidx", *flags, copy, *regions], check=True, capture_output=True).stdout
    listed = ", ".join(f'"{r}"' for r in regions)
    print(f'{{"{file}", {{{listed}}}, {"true" if flags else "false"}, "{hashlib.sha256(out).hexdigest()}", {len(out)}}},')
