/// The device's clock, by which events are timed: it counts what is enqueued, and nothing else moves it, so that what is chosen by measurement is chosen the same
/// way each time.
#pragma once

#include <functional>
#include <string>

namespace tenon::cuda::on_cpu {

/// From now on a kernel takes as many microseconds as this says of its name; null: some, and more for more threads.
void count_time(std::function<double(const std::string& kernel)> microseconds);
/// Of a kernel, and of other work, when it is done.
void spend_on(const char* kernel, double threads);
void spend(double microseconds);
double device_time();  ///< in microseconds

}  // namespace tenon::cuda::on_cpu
