/// Memory that a call keeps.
#pragma once

#include <functional>
#include <string>

namespace tenon::command {

/// Calls `work` `calls` times after three warm-up calls, fewer where that would take longer than `seconds` (8 at least). Throws CheckFailed where
/// bytes of tensors stay, or where other memory of malloc grows by 4 kB a call in both halves: what is kept once, a table or a plan, grows in one of them.
/// `what`: "model that is made and dropped".
void expect_memory_returned(const std::function<void()>& work, int calls, double seconds, const std::string& what);

}  // namespace tenon::command
