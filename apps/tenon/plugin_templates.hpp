/// The files of a new plugin (templates/plugin/), put into the program by the build, and how one is filled in.
///
/// A template is the text itself with `{{WORD}}` for what differs, and lines of their own that keep or drop what follows:
///
///     @@if format tool      kept where the plugin has one of these
///     @@if !format          kept where it has not
///     @@else
///     @@end
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>

namespace tenon::command {

extern const char* const kTemplateCMake;
extern const char* const kTemplatePlugin;
extern const char* const kTemplateTrace;
extern const char* const kTemplateDenoise;
extern const char* const kTemplateRecipe;
extern const char* const kTemplateTest;
extern const char* const kTemplateReadme;
extern const char* const kTemplateClangFormat;

/// `parts`: what the plugin has, "model", "format", ...; `words`: what stands for {{WORD}}. A defect of a template is an internal error.
std::string fill_template(std::string_view text, const std::set<std::string>& parts, const std::map<std::string, std::string>& words);

}  // namespace tenon::command
