// How a plan file is put together from its sections (Format.h), for those who write one.
#pragma once

#include "runtime/plan/Format.h"

#include <span>
#include <vector>

namespace quire::plan {

struct SectionBytes {
  SectionKind kind;
  uint32_t elementBytes;
  std::span<const uint8_t> bytes;
};

/// Header, section table and sections, with the checksum; not validated.
std::vector<uint8_t> layOut(std::span<const SectionBytes> sections);

} // namespace quire::plan
