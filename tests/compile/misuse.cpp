// Misuse that must not compile. Without MISUSE all must compile; with it the compiler must complain of every line that expects it, in the words that stand behind it.
#include "tenon/data/dataset.hpp"
#include "tenon/dtype.hpp"
#include "tenon/kernel.hpp"
#include "tenon/tensor.hpp"

using namespace tenon;

void right(const Tensor& x) {
  x.data<float>();
  const Tensor y = x.reshape({-1});
  y.span<float>();
  launch("copy", {x}, {y}, [](void* const*) {});
  parallel_for(3, [](std::int64_t) {});
  Tensor::from(std::vector<std::int64_t>{1}, {1});
  static_cast<void>(float(bf16(1.0f)));
}

#ifdef MISUSE
void wrong(const Tensor& x) {
  x.data<unsigned long long>();                            // expects: no tensor has elements of this type
  Tensor::from(std::vector<const char*>{"a"}, {1});        // expects: no tensor has elements of this type
  x.reshape({-1}).span<float>();                           // expects: use of deleted function
  for (float v : Tensor::zeros({3}).span<float>()) (void)v;  // expects: use of deleted function
  launch("bad", {x}, {x}, [](float*) {});                  // expects: no matching function for call to 'launch
  launch("bad", {x}, {x}, [](void**, int) {});             // expects: no matching function for call to 'launch
  parallel_for(3, [](const char*) {});                     // expects: (cannot|could not) convert
  data::Dataset nothing;                                   // expects: abstract type
  float product = f16(1.0f) * f16(2.0f);                   // expects: no match for 'operator\*'
  bf16 narrowed = 1.0f;                                    // expects: conversion from 'float' to non-scalar type
}
#endif
