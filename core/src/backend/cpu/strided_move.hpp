/// Copies between strided layouts of elements of one size, on the CPU (private).
///
/// Axes are put into the order of the result's memory and merged. What remains is rows of bytes, constants to be spread, or planes to be
/// transposed.
#pragma once

#include <array>
#include <cstdint>

#include "tenon/shape.hpp"

namespace tenon::cpu {

class StridedMove {
 public:
  /// Strides in elements of `element` bytes: 1, 2, 4, 8 or 16. Positions of the result are distinct.
  StridedMove(const Shape& shape, const Shape& from, const Shape& to, std::int64_t element);
  void run(const void* from, void* to) const;

 private:
  struct Axis {
    std::int64_t size = 1, from = 0, to = 0;  ///< steps in bytes
  };
  enum class Way { rows, spread, planes };

  void merge(const Shape& shape, const Shape& from, const Shape& to, std::int64_t element);
  void choose();
  Axis taken(int axis);
  Axis place(std::int64_t position) const;
  template <class Body>
  void for_runs(std::int64_t grain, const Body& body) const;
  template <class Body>
  void for_pieces(std::int64_t line, const Body& body) const;
  void move_rows(const char* from, char* to) const;
  void spread(const char* from, char* to) const;
  template <int Element>
  void move_planes(const char* from, char* to) const;

  std::array<Axis, kMaxRank> axes_{};  ///< outermost of the result first; without the line and the axis across it
  int rank_ = 0;
  std::int64_t unit_;       ///< bytes that lie together on both sides
  std::int64_t count_ = 1;  ///< positions along the axes
  std::int64_t bytes_;      ///< of the result
  Way way_ = Way::rows;
  Axis line_, across_;  ///< of a spread, or of planes: along the result's memory, along the source's
};

}  // namespace tenon::cpu
