#include "genomics/io/sequence_file.hpp"

#include <string>

#include "genomics/io/byte_input.hpp"
#include "tenon/error.hpp"
#include "tenon/io/file.hpp"

namespace tenon::genomics {

const char* name_of(SequenceFile kind) {
  switch (kind) {
    case SequenceFile::fasta: return "FASTA";
    case SequenceFile::fastq: return "FASTQ";
    case SequenceFile::bed: return "BED";
    case SequenceFile::vcf: return "VCF";
    case SequenceFile::alignment: return "SAM or BAM";
    case SequenceFile::plink: return "PLINK";
    default: return "table";
  }
}

SequenceFile sequence_file_of(const std::filesystem::path& path) {
  auto name = path;
  if (name.extension() == ".gz" || name.extension() == ".bgz") name.replace_extension();
  const std::string extension = name.extension().string();
  auto is = [&](std::initializer_list<const char*> list) {
    for (const char* e : list)
      if (extension == e) return true;
    return false;
  };
  if (is({".fa", ".fasta", ".fna", ".ffn"})) return SequenceFile::fasta;
  if (is({".fq", ".fastq"})) return SequenceFile::fastq;
  if (is({".vcf", ".bcf"})) return SequenceFile::vcf;
  if (is({".sam", ".bam", ".cram"})) return SequenceFile::alignment;
  if (is({".bed"})) return file_exists(std::filesystem::path(name).replace_extension(".bim")) ? SequenceFile::plink : SequenceFile::bed;
  if (is({".csv", ".tsv"})) return SequenceFile::table;
  ByteInput input(path, false);
  std::string head;
  input.next(head);
  if (head.starts_with('>')) return SequenceFile::fasta;
  if (head.starts_with("##fileformat=VCF")) return SequenceFile::vcf;
  if (head.starts_with("BAM\1") || head.starts_with("@HD\t") || head.starts_with("@SQ\t")) return SequenceFile::alignment;
  if (head.starts_with("\x6c\x1b")) return SequenceFile::plink;
  if (head.starts_with('@')) return SequenceFile::fastq;
  if (head.starts_with("track") || head.starts_with("browser")) return SequenceFile::bed;
  if (extension == ".txt") return SequenceFile::table;
  throw Error(ErrorKind::data, "genomics.kind", "neither the name nor the first bytes tell what kind of file it is", "name it .fa, .fastq, .bed, .vcf, .csv or .tsv", path.string());
}

}  // namespace tenon::genomics
