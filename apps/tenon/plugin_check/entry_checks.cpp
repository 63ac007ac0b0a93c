#include <cmath>
#include <limits>
#include <set>

#include "plugin_check/subject.hpp"
#include "tenon/error.hpp"

namespace tenon::command {
namespace {

struct Declared {
  std::string owner;  ///< "model cnn", "task segmentation [data]"
  std::string help;
  ParamSpec params;
  bool is_entry = true;  ///< else a section of one
};

std::vector<Declared> declared(const Subject& s) {
  PluginHost& host = host_with(s);
  const std::string prefix = s.name() + ".";
  std::vector<Declared> out;
  for (const std::string& e : entries_of(s, "format")) out.push_back({"format " + e, host.format(prefix + e).help, host.format(prefix + e).params});
  for (const std::string& e : entries_of(s, "model")) out.push_back({"model " + e, host.model(prefix + e).help, host.model(prefix + e).params});
  for (const std::string& e : entries_of(s, "tool")) out.push_back({"tool " + e, host.tool(prefix + e).help, host.tool(prefix + e).params});
  for (const std::string& e : entries_of(s, "task")) {
    const TaskEntry& task = host.task(prefix + e);
    out.push_back({"task " + e, task.help, {}});
    for (const auto& [section, params] : task.sections) out.push_back({"task " + e + " [" + section + "]", "", params, false});
  }
  return out;
}

void for_params(const Subject& s, const std::function<void(const Declared&, const Param&)>& look) {
  for (const Declared& d : declared(s))
    for (const Param& p : d.params.params()) look(d, p);
}

std::string label(const Declared& d, const Param& p) { return d.owner + ": parameter '" + p.name + "'"; }

struct AsText {
  std::string operator()(bool v) const { return v ? "true" : "false"; }
  std::string operator()(std::int64_t v) const { return std::to_string(v); }
  std::string operator()(double v) const {
    char text[64];
    std::snprintf(text, sizeof text, "%.17g", v);
    return text;
  }
  std::string operator()(const std::string& v) const { return v; }
  std::string item(const std::string& v) const { return "\"" + v + "\""; }
  template <class T>
  std::string item(const T& v) const {
    return (*this)(v);
  }
  template <class T>
  std::string operator()(const std::vector<T>& list) const {
    std::string out = "[";
    for (std::size_t i = 0; i < list.size(); ++i) out += (i ? ", " : "") + item(list[i]);
    return out + "]";
  }
};

bool is_finite(const ParamValue& value) {
  if (const double* v = std::get_if<double>(&value)) return std::isfinite(*v);
  if (const auto* list = std::get_if<std::vector<double>>(&value))
    for (double v : *list)
      if (!std::isfinite(v)) return false;
  return true;
}

std::string error_code(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& e) {
    return e.kind() == ErrorKind::usage ? "usage" : e.code();
  }
  return "";
}

}  // namespace

std::vector<NamedCheck> entry_checks(const Subject& s) {
  std::vector<NamedCheck> out;
  const auto add = [&](std::string name, std::function<void()> run) { out.push_back({std::move(name), std::move(run)}); };
  add("entries.help", [&s] {
    for (const Declared& d : declared(s)) {
      if (!d.is_entry) continue;
      expect(d.help.size() >= 10, d.owner + ": its help says too little: '" + d.help + "'");
      expect(d.help.find('\n') == std::string::npos, d.owner + ": its help is more than one line");
    }
  });
  add("params.documented", [&s] {
    for_params(s, [](const Declared& d, const Param& p) {
      expect(p.help.size() >= 4, label(d, p) + " has no help");
      expect(p.help.find('\n') == std::string::npos, label(d, p) + ": its help is more than one line");
    });
  });
  add("params.names", [&s] { for_params(s, [](const Declared& d, const Param& p) { expect(is_valid_name(p.name), label(d, p) + ": lower-case letters, digits and underscores, a letter first"); }); });
  add("params.units", [&s] {
    for_params(s, [](const Declared& d, const Param& p) {
      for (char c : p.unit) expect(static_cast<unsigned char>(c) > 0x20 || c == ' ', label(d, p) + ": its unit holds a control character");
      expect(p.unit.size() <= 40, label(d, p) + ": its unit is a sentence: '" + p.unit + "'");
    });
  });
  add("params.defaults", [&s] {
    for_params(s, [](const Declared& d, const Param& p) {
      if (p.required || !is_finite(p.default_value)) return;
      ParamValues values(d.params);
      values.set(d.params, p.name, p.default_value, "the default of " + label(d, p));
    });
  });
  add("params.ranges", [&s] {
    for_params(s, [](const Declared& d, const Param& p) {
      if (p.low && p.high) expect(*p.low <= *p.high, label(d, p) + ": its range is empty");
      std::set<std::string> seen;
      for (const std::string& c : p.choices) expect(!c.empty() && seen.insert(c).second, label(d, p) + ": a choice is empty or there twice");
    });
  });
  add("params.round_trip", [&s] {
    for_params(s, [](const Declared& d, const Param& p) {
      if (p.required || !is_finite(p.default_value)) return;
      const std::string text = std::visit(AsText{}, p.default_value);
      ParamValues values(d.params);
      values.set_from_text(d.params, p.name, text, label(d, p));
      expect(values.all().find(p.name)->second == p.default_value, label(d, p) + ": its default, written as '" + text + "', is read as another value");
    });
  });
  add("params.out_of_range", [&s] {
    for_params(s, [](const Declared& d, const Param& p) {
      if (p.type != ParamType::integer && p.type != ParamType::real) return;
      for (const auto& [bound, step] : {std::pair{p.low, -1.0}, {p.high, 1.0}}) {
        if (!bound || std::abs(*bound) > 1e15) continue;
        ParamValues values(d.params);
        const double beyond = *bound + step * std::max(1.0, std::abs(*bound) * 0.01);
        const ParamValue value = p.type == ParamType::integer ? ParamValue(std::int64_t(beyond)) : ParamValue(beyond);
        expect(error_code([&] { values.set(d.params, p.name, value, "recipe"); }) == "usage", label(d, p) + " takes " + std::to_string(beyond) + ", which is out of its range");
      }
    });
  });
  add("params.unknown", [&s] {
    for (const Declared& d : declared(s)) {
      ParamValues values(d.params);
      expect(error_code([&] { values.set(d.params, "no_such_parameter", std::int64_t(1), "recipe"); }) == "usage", d.owner + " takes a parameter that nobody declared");
    }
  });
  add("params.sections", [&s] {
    static const std::set<std::string> kOfTheCore = {"train", "optimizer", "schedule", "model", "baselines"};
    PluginHost& host = host_with(s);
    for (const std::string& e : entries_of(s, "task")) {
      std::set<std::string> seen;
      for (const auto& [section, params] : host.task(s.name() + "." + e).sections) {
        expect(is_valid_name(section), "task " + e + ": section '" + section + "' is no name");
        expect(seen.insert(section).second, "task " + e + ": section [" + section + "] is declared twice");
        if (section != "baselines") expect(!kOfTheCore.contains(section), "task " + e + ": section [" + section + "] belongs to the core");
      }
      const std::string& model = host.task(s.name() + "." + e).default_model;
      if (!model.empty()) host.model(model.find('.') == std::string::npos ? s.name() + "." + model : model);
    }
  });
  return out;
}

}  // namespace tenon::command
