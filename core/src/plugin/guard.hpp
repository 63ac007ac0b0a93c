/// Guards around code that a plugin provides.
///
/// Every function and every Task of a plugin is wrapped when it is registered, so that whatever it throws reaches the
/// host as a `tenon::Error`: an Error passes as it is, anything else becomes "plugin.exception", naming plugin and call.
/// Cost: one indirect call. As thread-safe as what is wrapped.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "tenon/task.hpp"

namespace tenon {

/// To be called in a handler: throws the exception being handled again, as a tenon::Error.
[[noreturn]] void rethrow_from_plugin(const std::string& plugin, const std::string& call);
/// To be called in a handler: what the exception being handled says, with its type.
std::string current_exception_text();

template <class F>
decltype(auto) guarded_call(const std::string& plugin, const std::string& call, F&& f) {
  try {
    return std::forward<F>(f)();
  } catch (...) {
    rethrow_from_plugin(plugin, call);
  }
}

/// `call` as it shows in messages: "read of format nifti". An empty function stays empty.
template <class R, class... A>
std::function<R(A...)> guarded(const std::string& plugin, std::string call, std::function<R(A...)> f) {
  if (!f) return f;
  return [plugin, call = std::move(call), f = std::move(f)](A... a) -> R {
    return guarded_call(plugin, call, [&]() -> R { return f(std::forward<A>(a)...); });
  };
}

/// A Task that hands every call on to `task`, guarded.
std::unique_ptr<Task> guarded_task(const std::string& plugin, const std::string& name, std::unique_ptr<Task> task);

}  // namespace tenon
