/// What the compiler's checks (-fsanitize=bounds,alignment and the like) report while a kernel runs.
#pragma once

namespace tenon::cuda::on_cpu {

/// How many reports there were since the last call; with a name, those that follow are that kernel's.
int reports_of(const char* kernel);

}  // namespace tenon::cuda::on_cpu
