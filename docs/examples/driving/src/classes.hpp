/// What a pillar can be: names, numbers and colours of the classes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace driving_plugin {

enum class Class : std::uint8_t { ground, vehicle, pedestrian, pole, structure };

inline constexpr std::size_t kClasses = 5;
inline constexpr std::uint8_t kUnseen = 255;  ///< of a cell without points: neither trained on nor scored

inline constexpr std::array<const char*, kClasses> kClassNames{"ground", "vehicle", "pedestrian", "pole", "structure"};
inline constexpr std::array<std::array<std::uint8_t, 3>, kClasses> kClassColours{
    {{200, 200, 190}, {31, 119, 220}, {225, 45, 45}, {245, 165, 0}, {60, 150, 70}}};

}  // namespace driving_plugin
