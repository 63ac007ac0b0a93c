/// CUDA's vector types, aligned as there: what loads one from a wrong address is reported.
#pragma once

#define TENON_VECTORS(name, type, two, four)                      \
  struct name##1 {                                                \
    type x;                                                       \
  };                                                              \
  struct alignas(two) name##2 {                                   \
    type x, y;                                                    \
  };                                                              \
  struct name##3 {                                                \
    type x, y, z;                                                 \
  };                                                              \
  struct alignas(four) name##4 {                                  \
    type x, y, z, w;                                              \
  };                                                              \
  inline name##1 make_##name##1(type x) {                         \
    return {x};                                                   \
  }                                                               \
  inline name##2 make_##name##2(type x, type y) {                 \
    return {x, y};                                                \
  }                                                               \
  inline name##3 make_##name##3(type x, type y, type z) {         \
    return {x, y, z};                                             \
  }                                                               \
  inline name##4 make_##name##4(type x, type y, type z, type w) { \
    return {x, y, z, w};                                          \
  }

TENON_VECTORS(char, signed char, 2, 4)
TENON_VECTORS(uchar, unsigned char, 2, 4)
TENON_VECTORS(short, short, 4, 8)
TENON_VECTORS(ushort, unsigned short, 4, 8)
TENON_VECTORS(int, int, 8, 16)
TENON_VECTORS(uint, unsigned, 8, 16)
TENON_VECTORS(long, long, 16, 16)
TENON_VECTORS(ulong, unsigned long, 16, 16)
TENON_VECTORS(longlong, long long, 16, 16)
TENON_VECTORS(ulonglong, unsigned long long, 16, 16)
TENON_VECTORS(float, float, 8, 16)
TENON_VECTORS(double, double, 16, 16)
#undef TENON_VECTORS

struct dim3 {
  unsigned x = 1, y = 1, z = 1;
  constexpr dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
};
