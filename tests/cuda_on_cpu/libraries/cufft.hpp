/// What tests ask of the stand-in for cuFFT.
#pragma once

namespace tenon::cuda::on_cpu {

/// Transforms run since the last call.
int fft_calls_run();

}  // namespace tenon::cuda::on_cpu
