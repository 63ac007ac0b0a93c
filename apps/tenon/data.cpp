#include <nlohmann/json.hpp>

#include "command.hpp"
#include "fetch.hpp"
#include "tenon/catalogue.hpp"
#include "tenon/error.hpp"
#include "tenon/io/utf8.hpp"
#include "terminal.hpp"

namespace tenon::command {
namespace {

nlohmann::ordered_json as_json(const DataSet& set) {
  const auto place = locate(set);
  return {{"name", set.name}, {"title", set.title}, {"about", set.about}, {"page", set.page}, {"licence", set.licence}, {"licence_url", set.licence_url},
          {"size", set.size}, {"url", set.url}, {"md5", set.md5}, {"sample", set.sample}, {"place", place ? nlohmann::ordered_json(place->string()) : nullptr}};
}

int list(const Common& common) {
  if (common.json) {
    auto out = nlohmann::ordered_json::array();
    for (const DataSet& set : data_sets()) out.push_back(as_json(set));
    print(json_text(out));
    return 0;
  }
  Table table({"data set", "size", "licence", "place", "title"});
  for (std::size_t c : {2u, 3u, 4u}) table.left(c);
  for (const DataSet& set : data_sets()) {
    const auto place = locate(set);
    table.row({set.name, set.size, set.licence, place ? place->string() : "not here", set.title});
  }
  print(table.str());
  return 0;
}

int info(const DataSet& set, const Common& common) {
  if (common.json) {
    print(json_text(as_json(set)));
    return 0;
  }
  const auto place = locate(set);
  print(set.name + ": " + set.title + "\n\n" + set.about + "\n\n");
  print("source   " + set.page);
  if (!set.url.empty()) print("archive  " + set.url + " (MD5 " + set.md5 + ")");
  print("licence  " + set.licence + ", " + set.licence_url);
  print("size     " + set.size);
  const std::string absent = set.url.empty() ? "not on this machine: get its files from the source and set TENON_DATA to a folder that holds " + set.path.string()
                                             : "not on this machine; 'tenon data fetch " + set.name + "' gets it";
  print("place    " + (place ? visible_line(place->string()) : absent));
  print("recipe   root = \"data:" + set.name + "\"");
  return 0;
}

int fetch_set(const DataSet& set, const DataCommand& command, const Common& common) {
  std::filesystem::path place;
  bool already = true;
  if (set.sample) {
    place = resolve_data_path("data:" + set.name);
    verify_files(set, place);
  } else if (set.url.empty() && command.from.empty()) {
    const auto found = locate(set);
    if (!found)
      throw Error(ErrorKind::data, "data.by_hand", "data set '" + set.name + "' is in no archive that could be fetched and verified",
                  "get its files from " + set.page + ", set TENON_DATA to a folder that holds " + set.path.string() + ", and run this again to verify them");
    place = *found;
    verify_files(set, place);
  } else {
    catch_interrupts();
    place = command.to.empty() ? fetched_path(set) : std::filesystem::absolute(command.to).lexically_normal();
    already = fetch(set, {.to = place, .from = command.from, .quiet = common.quiet}) == FetchResult::already_there;
  }
  if (common.json) {
    print(json_text(nlohmann::ordered_json{{"name", set.name}, {"place", place.string()}, {"fetched", !already}}));
  } else {
    if (already && !common.quiet) status("already here, and every digest is right");
    print_path(place.string());
  }
  return 0;
}

}  // namespace

int data_command(const DataCommand& command, const Common& common) {
  if (command.action == DataCommand::Action::list) return list(common);
  const DataSet& set = data_set(command.name);
  return command.action == DataCommand::Action::info ? info(set, common) : fetch_set(set, command, common);
}

}  // namespace tenon::command
