/// Prediction of genomics.classification: FASTA in, one TSV a file out.
#include <algorithm>
#include <cstdio>
#include <set>

#include "genomics/io/fasta.hpp"
#include "genomics/tasks/classification.hpp"
#include "genomics/tasks/scoring.hpp"
#include "tenon/error.hpp"
#include "tenon/io/file.hpp"

namespace tenon::genomics {
namespace {

namespace fs = std::filesystem;

constexpr const char* kHead = "sequence\tlength\tprediction\t";  // how a table of ours begins

struct Item {
  fs::path input, output;
};

/// "promoters.fa.gz" -> "promoters".
std::string stem_of(const fs::path& file) {
  std::string name = file.filename().string();
  for (const char* ending : {".gz", ".bgz"})
    if (name.size() > std::string(ending).size() && name.ends_with(ending)) name.resize(name.size() - std::string(ending).size());
  for (const char* ending : {".fasta", ".fa", ".fna", ".txt"})
    if (name.size() > std::string(ending).size() && name.ends_with(ending)) {
      name.resize(name.size() - std::string(ending).size());
      break;
    }
  return name;
}

bool is_our_table(const fs::path& file) {
  const auto handle = files().open_read(file);
  std::string head(std::string(kHead).size(), '\0');
  return handle->read(head.data(), head.size()) == head.size() && head == kHead;
}

std::vector<Item> plan_outputs(const std::vector<fs::path>& inputs, const PredictOptions& options) {
  std::vector<Item> items;
  std::map<fs::path, fs::path> taken;
  for (const auto& input : inputs) {
    Item item{input, options.output / (stem_of(input) + ".tsv")};
    if (const auto [at, fresh] = taken.emplace(item.output, input); !fresh)
      throw Error(ErrorKind::usage, "predict.same_name",
                  "two inputs would be written to " + item.output.string() + ": " + at->second.string() + " and " + input.string(),
                  "predict them into different folders");
    std::error_code none;
    for (const auto& other : inputs)
      if (fs::equivalent(other, item.output, none))
        throw Error(ErrorKind::usage, "predict.over_input", "the result would replace an input", "choose another output folder", item.output.string());
    if (file_exists(item.output)) {
      if (!options.overwrite)
        throw Error(ErrorKind::usage, "predict.exists", "the result is there already", "choose another output folder, or say --overwrite", item.output.string());
      if (!is_our_table(item.output))
        throw Error(ErrorKind::usage, "predict.not_a_prediction", "the result would replace a file that is no prediction of Tenon's",
                    "choose another output folder, or take the file away", item.output.string());
    }
    items.push_back(std::move(item));
  }
  return items;
}

std::string table_of(const std::vector<FastaRecord>& records, std::span<const double> p, const std::vector<std::string>& classes) {
  std::string text = kHead;
  for (std::size_t k = 0; k < classes.size(); ++k) text += (k ? "\tprobability_" : "probability_") + classes[k];
  text += '\n';
  for (std::size_t i = 0; i < records.size(); ++i) {
    const double* row = p.data() + i * classes.size();
    std::string name = records[i].name;
    std::replace(name.begin(), name.end(), '\t', ' ');
    text += name + '\t' + std::to_string(records[i].sequence.size()) + '\t' + classes[std::size_t(predicted_class(row, std::int64_t(classes.size())))];
    char number[32];
    for (std::size_t k = 0; k < classes.size(); ++k) {
      std::snprintf(number, sizeof number, "\t%.6g", row[k]);
      text += number;
    }
    text += '\n';
  }
  return text;
}

}  // namespace

std::vector<fs::path> ClassificationTask::predict(nn::Module& model, const std::vector<fs::path>& inputs, const PredictOptions& options) {
  if (length_ < 1) throw_usage("ClassificationTask::predict", "neither trained nor told what training saw");
  const auto items = plan_outputs(inputs, options);
  std::vector<fs::path> written;
  std::vector<Error> failures;
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (options.monitor.interrupted && options.monitor.interrupted()) break;
    if (options.monitor.progress) options.monitor.progress("predicting", std::int64_t(i), std::int64_t(items.size()));
    const Item& item = items[i];
    try {
      const std::vector<FastaRecord> records = read_fasta(item.input);
      const Tensor codes = Tensor::empty({std::int64_t(records.size()), length_}, DType::u8);
      for (std::size_t r = 0; r < records.size(); ++r)
        encode_padded(records[r].sequence, length_, pad_, item.input.string() + ": " + records[r].name, codes.data<std::uint8_t>() + std::int64_t(r) * length_);
      Monitor quiet;
      quiet.interrupted = options.monitor.interrupted;
      const std::string table = table_of(records, probabilities(model, codes, quiet), settings_.classes);
      files().make_directories(options.output);
      write_atomic(item.output, table);
      written.push_back(item.output);
    } catch (const Error& e) {
      // Bad files must not cost the good ones their results; a full disk or a lost device would only fail again.
      if (e.kind() != ErrorKind::data || items.size() == 1) throw;
      failures.push_back(e.at(item.input.string()));
    }
  }
  if (options.monitor.progress) options.monitor.progress("predicting", std::int64_t(items.size()), std::int64_t(items.size()));
  if (!failures.empty()) {
    std::string list;
    for (const auto& e : failures) list += "\n  " + e.where() + ": " + e.message() + " [" + e.code() + "]";
    throw Error(ErrorKind::batch, "predict.some_failed", std::to_string(failures.size()) + " of " + std::to_string(items.size()) + " inputs could not be predicted:" + list,
                std::to_string(written.size()) + " results are in " + options.output.string() + "; mend or leave out the files listed");
  }
  return written;
}

}  // namespace tenon::genomics
