/// What tests ask of the stand-in for cuSOLVER.
#pragma once

namespace tenon::cuda::on_cpu {

/// Factorisations run since the last call.
int solver_calls_run();
/// The `calls` iterations (singular values, eigenvalues) after the next `skip` ones do not converge.
void leave_unconverged(int calls, int skip = 0);

}  // namespace tenon::cuda::on_cpu
