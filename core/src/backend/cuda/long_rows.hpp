/// Sorts and running sums of long rows by CUB, which is part of the toolkit (private). The calls are made in library/long_rows.cu, which
/// rows go there is said in long_rows.cu.
///
/// CUB's sort reads and writes a record once a digit, where ours (radix_sort.cuh) reads it twice; its running sum reads a number once,
/// where ours (ops/cumulative.cu) does so twice. Results are the same bits: a stable sort by the same digits has one result, and sums of
/// whole numbers that wrap do not depend on their order. A call takes one row. What it works in is asked for when the call is made and held
/// by it (scratch.cuh); it allocates nothing and waits for nothing, so it may be captured.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

namespace tenon::cuda {

/// What TENON_CUB says: nothing, "none" or "always". For tests and measurements.
enum class LongRows { by_size, ours, library };
/// Read anew each time. Throws a usage error for anything else.
LongRows wanted_long_rows();

/// Whether rows of n records, too long for shared memory, are sorted by the library, by the digits of 8 bits at `shifts`.
bool library_sorts(LongRows wanted, std::int64_t rows, std::int64_t n, const std::vector<int>& shifts);
/// Whether lines of n numbers of 64 bits, one after another, are added up by the library.
bool library_sums(LongRows wanted, std::int64_t lines, std::int64_t n);

/// Sorts n numbers, stable, by their bits [first, last); n < 2^32. True: the result lies in `other`; the rest of the two is undefined.
using NumberSort = std::function<bool(std::uint64_t* numbers, std::uint64_t* other)>;
NumberSort make_number_sort(std::int64_t n, int first, int last);

/// The same of keys and their positions, by all bits of the keys.
using PairSort = std::function<bool(std::uint64_t* keys, std::uint64_t* other_keys, std::uint32_t* at, std::uint32_t* other_at)>;
PairSort make_pair_sort(std::int64_t n);

/// y[i] = x[0] + .. + x[i], modulo 2^64; n < 2^31.
using WholeSum = std::function<void(const std::uint64_t* x, std::uint64_t* y)>;
WholeSum make_whole_sum(std::int64_t n);

}  // namespace tenon::cuda
