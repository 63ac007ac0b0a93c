#include "genomics/tasks/sequence_set.hpp"

#include <algorithm>
#include <array>
#include <numeric>
#include <set>

#include "genomics/audit/audit.hpp"
#include "genomics/audit/split.hpp"
#include "genomics/io/letters.hpp"
#include "genomics/io/sequence_table.hpp"
#include "tenon/error.hpp"
#include "tenon/io/file.hpp"
#include "tenon/io/sha256.hpp"

namespace tenon::genomics {
namespace {

constexpr std::uint64_t kChoiceSeed = 0x63686f6963650000;  ///< "choice": added to the seed for the second draw

/// A file's records and what it says about them.
struct Source {
  std::string file;
  std::int64_t label = -1;  ///< of all records; -1: each has its own
  bool scored = false;
};

std::vector<Source> sources_of(const SetSettings& s) {
  std::vector<Source> list;
  for (std::size_t k = 0; k < s.files.size(); ++k) list.push_back({s.files[k], std::int64_t(k), false});
  for (std::size_t k = 0; k < s.test_files.size(); ++k) list.push_back({s.test_files[k], std::int64_t(k), true});
  if (!s.table.empty()) list.push_back({s.table, -1, false});
  if (!s.test_table.empty()) list.push_back({s.test_table, -1, true});
  return list;
}

/// Records as read: their labels are the classes' names, their names are made unique. `fixed`: of the part that is scored.
struct Raw {
  std::vector<SequenceRecord> records;
  std::vector<std::string> where;
  std::vector<bool> fixed;

  void keep(const std::vector<bool>& kept) {
    std::size_t to = 0;
    for (std::size_t i = 0; i < kept.size(); ++i) {
      if (!kept[i]) continue;
      if (to != i) {
        records[to] = std::move(records[i]);
        where[to] = std::move(where[i]);
      }
      fixed[to] = fixed[i];
      ++to;
    }
    records.resize(to);
    where.resize(to);
    fixed.resize(to);
  }
};

void read_source(const SetSettings& s, const Source& source, Raw& raw) {
  const auto path = s.root / source.file;
  std::set<std::string> taken;
  for (auto& r : read_sequences(path)) {
    const std::string where = path.string() + ":" + std::to_string(r.line);
    if (source.label >= 0)
      r.label = s.classes[std::size_t(source.label)];
    else if (std::find(s.classes.begin(), s.classes.end(), r.label) == s.classes.end())
      throw Error(ErrorKind::data, "genomics.class", "'" + r.name + "' is of class '" + r.label + "', which data.classes does not name",
                  suggestion(r.label, s.classes), where);
    const std::string id = source.file + ":" + r.name;
    r.name = id;
    for (int k = 2; !taken.insert(r.name).second; ++k) r.name = id + "#" + std::to_string(k);
    raw.records.push_back(std::move(r));
    raw.where.push_back(where);
    raw.fixed.push_back(source.scored);
  }
}

Raw read_all(const SetSettings& s, const Monitor& monitor) {
  Raw raw;
  const auto sources = sources_of(s);
  for (std::size_t i = 0; i < sources.size(); ++i) {
    read_source(s, sources[i], raw);
    monitor.turn("reading", std::int64_t(i) + 1, std::int64_t(sources.size()));
  }
  return raw;
}

/// Of equal sequences of a part the first stays, and none where their labels differ. Copies across the parts of a fixed split stay: they
/// are the leak that the audit is asked for.
void drop_duplicates(Raw& raw, std::vector<std::string>& notes) {
  std::vector<bool> kept(raw.records.size(), true);
  std::int64_t dropped = 0, contradicting = 0;
  for (const bool part : {false, true}) {
    std::vector<SequenceRecord> records;
    std::vector<std::size_t> at;
    for (std::size_t i = 0; i < raw.records.size(); ++i)
      if (raw.fixed[i] == part) {
        records.push_back(raw.records[i]);
        at.push_back(i);
      }
    if (records.empty()) continue;
    const AuditSet set{records, std::vector<int>(records.size(), 0), {"part"}};
    const Audit found = audit(set);
    const auto keep = without_duplicates(set, found);
    for (std::size_t i = 0; i < at.size(); ++i) kept[at[i]] = keep[i];
    dropped += std::count(keep.begin(), keep.end(), false);
    contradicting += found.two_label_groups;
  }
  raw.keep(kept);
  notes.push_back(std::to_string(dropped) + " records dropped: repeated sequences, and " + std::to_string(contradicting) +
                  (contradicting == 1 ? " sequence that stands" : " sequences that stand") + " under two classes");
}

std::string count_by_class(const SequenceSet& set, const std::vector<std::int64_t>& rows, const std::vector<std::string>& classes) {
  std::vector<std::int64_t> count(classes.size(), 0);
  for (auto row : rows) ++count[std::size_t(set.labels[std::size_t(row)])];
  std::string text;
  for (std::size_t k = 0; k < classes.size(); ++k) text += (k ? ", " : "") + classes[k] + " " + std::to_string(count[k]);
  return text;
}

void require_every_class(const SequenceSet& set, const std::vector<std::int64_t>& rows, const std::vector<std::string>& classes, const char* part) {
  std::vector<bool> there(classes.size(), false);
  for (auto row : rows) there[std::size_t(set.labels[std::size_t(row)])] = true;
  for (std::size_t k = 0; k < classes.size(); ++k)
    if (!there[k])
      throw Error(ErrorKind::data, "genomics.empty_class", std::string("the ") + part + " part holds no sequence of class '" + classes[k] + "'",
                  "give more data, or another data.test_share or data.split_seed");
}

std::vector<SequenceRecord> take(const std::vector<SequenceRecord>& records, const std::vector<std::int64_t>& rows) {
  std::vector<SequenceRecord> out;
  for (auto row : rows) out.push_back(records[std::size_t(row)]);
  return out;
}

/// Moves a share of `from`, drawn by cluster (at random: sequence by sequence), to `to`.
void draw(const std::vector<SequenceRecord>& records, bool at_random, double share, std::uint64_t seed, std::vector<std::int64_t>& from, std::vector<std::int64_t>& to) {
  const auto part = take(records, from);
  std::vector<std::string> labels;
  for (const auto& r : part) labels.push_back(r.label);
  std::vector<std::int32_t> cluster(part.size());
  std::iota(cluster.begin(), cluster.end(), 0);
  if (!at_random) cluster = audit({part, std::vector<int>(part.size(), 0), {"part"}}).cluster_both;
  const std::array<double, 2> sizes{1 - share, share};
  const auto dealt = split_by_cluster(cluster, labels, sizes, seed);
  std::vector<std::int64_t> kept;
  for (std::size_t i = 0; i < from.size(); ++i) (dealt[i] == 1 ? to : kept).push_back(from[i]);
  from = std::move(kept);
}

/// Throws genomics.leak, or notes what was found.
void judge_leak(const SetSettings& s, const std::vector<SequenceRecord>& records, SequenceSet& set) {
  std::vector<std::int64_t> rows = set.train;
  rows.insert(rows.end(), set.scored.begin(), set.scored.end());
  const auto both = take(records, rows);
  AuditSet parts{both, std::vector<int>(both.size(), 0), {"training", "the scored part"}};
  std::fill(parts.part.begin() + std::ptrdiff_t(set.train.size()), parts.part.end(), 1);
  const Audit found = audit(parts);
  std::string text;
  for (const Leak& leak : leaks(found))
    if (leak.to == 1) text = text_of(leak, parts.parts);
  if (text.empty()) {
    set.notes.push_back("audit: no duplicate and no near duplicate, on either strand, between training and scored part");
    return;
  }
  if (!s.allow_leak.empty()) {
    set.notes.push_back("LEAKING SPLIT, allowed because: " + s.allow_leak + ". " + text);
    return;
  }
  if (s.random_split) {
    set.notes.push_back("RANDOM SPLIT, its scores are not those of unlike sequences. " + text);
    return;
  }
  std::string first;
  for (std::size_t i = set.train.size(); i < both.size() && first.empty(); ++i)
    if (found.near_in[i] & 1u) first = both[i].name;
  throw Error(ErrorKind::data, "genomics.leak", "the split leaks: " + text + "; the first is " + first,
              "let a split be drawn by homology (no data.test_files, no data.test_table), or say why this one may leak: data.allow_leak = \"...\"");
}

/// Split and judged, without codes.
SequenceSet split_set(const SetSettings& s, Raw raw) {
  SequenceSet set;
  if (s.drop_duplicates) drop_duplicates(raw, set.notes);
  bool fixed = false;
  for (std::size_t i = 0; i < raw.records.size(); ++i) {
    fixed |= raw.fixed[i];
    (raw.fixed[i] ? set.scored : set.train).push_back(std::int64_t(i));
    set.labels.push_back(std::find(s.classes.begin(), s.classes.end(), raw.records[i].label) - s.classes.begin());
  }
  if (!fixed) draw(raw.records, s.random_split, s.test_share, s.seed, set.train, set.scored);
  if (s.choose) {
    set.scored.clear();  // the test part is looked at by nothing from here on
    draw(raw.records, s.random_split, s.test_share, s.seed + kChoiceSeed, set.train, set.scored);
  }
  require_every_class(set, set.train, s.classes, "training");
  require_every_class(set, set.scored, s.classes, "scored");
  set.notes.push_back("trained on " + std::to_string(set.train.size()) + " sequences (" + count_by_class(set, set.train, s.classes) + "), scored on " +
                      std::to_string(set.scored.size()) + " (" + count_by_class(set, set.scored, s.classes) + ")");
  set.notes.push_back(s.choose ? "the scored part is held back from the training part, for choices; the test part was not looked at"
                      : fixed  ? "the split is the source's"
                      : s.random_split ? "split drawn at random with seed " + std::to_string(s.seed) + ": near duplicates may stand in both parts, classes are balanced"
                               : "split drawn with seed " + std::to_string(s.seed) + ": clusters of near duplicates on either strand stay whole, classes are balanced");
  judge_leak(s, raw.records, set);
  for (auto& r : raw.records) {
    set.ids.push_back(std::move(r.name));
    set.lengths.push_back(std::int64_t(r.sequence.size()));
    set.letters.push_back(std::move(r.sequence));
  }
  return set;
}

/// Whether the codes come after those of their reverse complement in the order of dictionaries: of two strands that differ, one does.
bool is_larger_strand(const std::vector<std::uint8_t>& codes) {
  for (std::size_t i = 0; i < codes.size(); ++i)
    if (const std::uint8_t other = complement_code(codes[codes.size() - 1 - i]); codes[i] != other) return codes[i] > other;
  return false;
}

}  // namespace

void encode_padded(std::string_view letters, std::int64_t length, bool pad, const std::string& where, std::uint8_t* codes) {
  const auto n = std::int64_t(letters.size());
  if (n > length)
    throw Error(ErrorKind::data, "genomics.length", "a sequence of " + std::to_string(n) + " bases, the model reads " + std::to_string(length),
                "cut it to the window the model was trained on", where);
  if (n < length && !pad)
    throw Error(ErrorKind::data, "genomics.length", "a sequence of " + std::to_string(n) + " bases among those of " + std::to_string(length),
                "give sequences of one length, or set data.pad = \"N\" to set shorter ones in the middle of unknown bases", where);
  std::vector<std::uint8_t> bases;
  bases.reserve(letters.size());
  for (char letter : letters) {
    const std::uint8_t code = base_code(letter);
    if (code == kNoBase)
      throw Error(ErrorKind::data, "genomics.letter", std::string("'") + letter + "' at base " + std::to_string(bases.size() + 1) + " is no nucleotide",
                  "use A, C, G, T, U, or IUPAC codes", where);
    bases.push_back(code);
  }
  const std::int64_t spare = length - n, before = spare / 2 + (spare % 2 != 0 && is_larger_strand(bases));
  std::fill(codes, codes + length, kUnknownBase);
  std::copy(bases.begin(), bases.end(), codes + before);
}

SequenceSet load_set(const SetSettings& s, const Monitor& monitor) {
  Raw raw = read_all(s, monitor);
  std::int64_t longest = 0;
  for (const auto& r : raw.records) longest = std::max(longest, std::int64_t(r.sequence.size()));
  SequenceSet set = split_set(s, std::move(raw));
  set.length = s.length > 0 ? s.length : longest;
  set.codes = Tensor::empty({std::int64_t(set.letters.size()), set.length}, DType::u8);
  for (std::size_t i = 0; i < set.letters.size(); ++i)
    encode_padded(set.letters[i], set.length, s.pad, set.ids[i], set.codes.data<std::uint8_t>() + std::int64_t(i) * set.length);
  for (const auto& file : files_of(s)) set.digests[file] = sha256_of_file(s.root / file);
  return set;
}

std::vector<Problem> check_set(const SetSettings& s, const Monitor&) {
  std::vector<Problem> problems;
  const auto add = [&](const Error& e, const std::string& place) {
    problems.push_back({e.code(), e.where().empty() ? place : e.where(), e.message(), e.hint()});
  };
  Raw raw;
  for (const auto& source : sources_of(s)) try {
      read_source(s, source, raw);
    } catch (const Error& e) {
      if (e.kind() != ErrorKind::data) throw;
      add(e, source.file);
    }
  std::int64_t longest = s.length;
  if (longest == 0)
    for (const auto& r : raw.records) longest = std::max(longest, std::int64_t(r.sequence.size()));
  std::vector<std::uint8_t> codes(static_cast<std::size_t>(longest));
  for (std::size_t i = 0; i < raw.records.size(); ++i) try {
      encode_padded(raw.records[i].sequence, longest, s.pad, raw.where[i], codes.data());
    } catch (const Error& e) {
      add(e, raw.records[i].name);
    }
  if (!problems.empty()) return problems;
  try {
    split_set(s, std::move(raw));
  } catch (const Error& e) {
    if (e.kind() != ErrorKind::data) throw;
    add(e, "split");
  }
  return problems;
}

}  // namespace tenon::genomics
