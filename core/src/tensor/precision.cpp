#include "tenon/precision.hpp"

namespace tenon {
namespace {

thread_local bool allowed = false;

}  // namespace

bool tf32_allowed() noexcept { return allowed; }
Tf32Scope::Tf32Scope(bool allow) noexcept : before_(allowed) { allowed = allow; }
Tf32Scope::~Tf32Scope() { allowed = before_; }

}  // namespace tenon
