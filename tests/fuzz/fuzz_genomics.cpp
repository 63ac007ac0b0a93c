#include <cstdlib>

#include "files.hpp"
#include "genomics/io/alignment.hpp"
#include "genomics/io/bed.hpp"
#include "genomics/io/bgzf_output.hpp"
#include "genomics/io/fasta.hpp"
#include "genomics/io/fastq.hpp"
#include "genomics/io/sequence_table.hpp"
#include "genomics/io/vcf.hpp"
#include "target.hpp"
#include "tenon/error.hpp"

using namespace tenon::genomics;

const std::size_t fuzz::kMemoryPerByte = 4000;  // gzip and BGZF expand by up to 1032, and a piece is read into a buffer that doubles

namespace {

std::string packed(const std::string& text) {
  fuzz::MemoryFiles files;
  TextOutput out("x.gz");
  out.write(text);
  out.commit();
  return files["x.gz"];
}

std::string number(std::uint32_t v, int bytes) {
  std::string out;
  for (int i = 0; i < bytes; ++i) out += char(v >> (8 * i));
  return out;
}

/// One contig and one read of 4 bases.
std::string bam() {
  std::string record = number(0, 4) + number(10, 4) + "\2" + "\x3c" + number(4680, 2) + number(1, 2) + number(0, 2) + number(4, 4) + number(~0u, 4) + number(~0u, 4) + number(0, 4) +
                       std::string("r\0", 2) + number(4 << 4, 4) + "\x12\x48" + "IIII";
  return "BAM\1" + number(0, 4) + number(1, 4) + number(2, 4) + std::string("c\0", 2) + number(100, 4) + number(std::uint32_t(record.size()), 4) + record;
}

const char kVcf[] =
    "##fileformat=VCFv4.2\n##contig=<ID=c,length=100>\n##INFO=<ID=AC,Number=A,Type=Integer,Description=\"a, b\">\n"
    "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\ts1\nc\t10\t.\tA\tG,<DEL>,*\t50\tPASS\tAC=1,2,3\tGT:DP\t0/1:3\nc\t99\trs1\tAC\tA[c:5[\t.\tq10\t.\tGT\t.|0\n";

}  // namespace

std::vector<std::string> fuzz::corpus() {
  const std::string fasta = ">a first\nACGTN\nACG\n>b\nacgu\n", fastq = "@r1 x\nACGT\n+\nIIII\n@r2\nAC\n+r2\n!~\n", bed = "# c\nc\t0\t10\tn\t0\t+\nc\t5\t20\tm\t1\t-\n",
                    table = "label,name,sequence,split\nx,\"a, \"\"b\"\"\",ACGT,train\ny,b,ACGG,test\n", sam = "@SQ\tSN:c\tLN:100\nr\t0\tc\t11\t60\t4M\t*\t0\t0\tACGT\tIIII\n";
  return {fasta, fastq, bed, table, kVcf, sam, packed(fasta), packed(kVcf), packed(bam())};
}

void fuzz::read(const std::string& bytes) {
  MemoryFiles files;
  files["x"] = bytes;
  int good = 0;
  auto attempt = [&](auto&& call) {
    try {
      call();
      ++good;
    } catch (const tenon::Error& e) {
      if (e.kind() != tenon::ErrorKind::data) throw;
    }
  };
  attempt([] {
    const Genome genome = Genome::read("x");
    const auto set = read_fasta("x");
    // Two readers, one file.
    if (set.size() != genome.contigs()) std::abort();
    for (std::size_t i = 0; i < set.size(); ++i)
      if (genome.letters(i, 0, genome.length(i)) != set[i].sequence) std::abort();
  });
  attempt([] { read_sequences("x"); });
  attempt([] { visit_fastq("x", [](const FastqRecord& r) { if (r.quality.size() != r.sequence.size()) std::abort(); }); });
  attempt([] {
    for (const auto& b : read_bed("x").intervals)
      if (b.begin < 0 || b.end < b.begin) std::abort();
  });
  attempt([] {
    VcfReader reader("x");
    VcfRecord r;
    while (reader.next(r))
      if (r.alts.size() != r.kinds.size() || r.position < -1) std::abort();
  });
  attempt([] { check_alignments("x"); });
  if (good == 0) throw tenon::Error(tenon::ErrorKind::data, "fuzz.refused", "by every reader");
}
