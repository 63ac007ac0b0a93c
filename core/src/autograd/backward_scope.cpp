#include "autograd/backward_scope.hpp"

#include <algorithm>
#include <string>

#include "tensor/write_clock.hpp"
#include "tenon/error.hpp"
#include "tenon/storage.hpp"

namespace tenon {
namespace {

thread_local const BackwardScope* innermost = nullptr;

}  // namespace

BackwardScope::BackwardScope(const char* op, std::uint64_t made, const std::vector<Tensor>& d_outputs) noexcept
    : op_(op), made_(made), began_(take_tick()), d_outputs_(d_outputs), before_(innermost) {
  innermost = this;
}
BackwardScope::~BackwardScope() { innermost = before_; }

const BackwardScope* BackwardScope::current() noexcept { return innermost; }

void BackwardScope::require_unwritten(const Tensor& read) const {
  if (!read.defined()) return;
  const std::uint64_t written = read.storage()->written();
  if (written <= made_ || written > began_) return;
  if (std::any_of(d_outputs_.begin(), d_outputs_.end(), [&](const Tensor& d) { return d.storage() == read.storage(); })) return;
  throw Error(ErrorKind::usage, "autograd.overwritten",
              std::string("backward: the gradient of '") + op_ + "' needs " + read.str() + ", which was written by '" + read.storage()->writer() +
                  "' after '" + op_ + "' had used it",
              "call backward() before the write, or give the op a clone() of what is written");
}

}  // namespace tenon
