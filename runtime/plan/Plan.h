// A validated, read-only view of a plan (Format.h): a mapped file or an owned byte buffer. Whoever
// holds a Plan may use every index, offset and string reference in it without another check, because
// `open` and `fromBytes` refuse everything that breaks a rule (Validate.h lists them).
#pragma once

#include "runtime/base/File.h"
#include "runtime/base/Status.h"
#include "runtime/plan/Format.h"
#include "runtime/plan/Sizes.h"

#include <array>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace quire {

/// Move-only. Spans and string views live as long as the Plan (moving it keeps them valid).
class Plan {
public:
  /// Maps and validates a file. Errors: Io/NotFound for the file, Unsupported for a version from the
  /// future, Corrupt for everything else, with section, record and rule.
  static Result<Plan> open(const std::string &path);
  /// Validates bytes and owns them. `name` stands for the path in messages.
  static Result<Plan> fromBytes(std::vector<uint8_t> bytes, std::string name = "plan");

  const std::string &name() const { return name_; } ///< path or given name
  const plan::Header &header() const;
  const plan::InfoRecord &info() const { return records<plan::InfoRecord>()[0]; }

  std::span<const plan::FileRecord> files() const { return records<plan::FileRecord>(); }
  std::span<const plan::WeightRecord> weights() const { return records<plan::WeightRecord>(); }
  std::span<const plan::SourceRecord> sources() const { return records<plan::SourceRecord>(); }
  std::span<const plan::PoolRecord> pools() const { return records<plan::PoolRecord>(); }
  std::span<const plan::TensorRecord> tensors() const { return records<plan::TensorRecord>(); }
  std::span<const plan::KernelRecord> kernels() const { return records<plan::KernelRecord>(); }
  std::span<const plan::ImageRecord> images() const { return records<plan::ImageRecord>(); }
  std::span<const plan::EntryRecord> entries() const { return records<plan::EntryRecord>(); }
  std::span<const plan::TensorMapRecord> tensorMaps() const {
    return records<plan::TensorMapRecord>();
  }
  /// Those of one entry.
  std::span<const plan::TensorMapRecord> tensorMaps(const plan::EntryRecord &entry) const {
    return tensorMaps().subspan(entry.firstTensorMap, entry.tensorMapCount);
  }
  std::span<const plan::PartitionRecord> partitions() const {
    return records<plan::PartitionRecord>();
  }
  std::span<const plan::InstructionRecord> instructions() const {
    return records<plan::InstructionRecord>();
  }
  std::span<const plan::OperandRecord> operands() const { return records<plan::OperandRecord>(); }
  std::span<const plan::TextRecord> texts() const { return records<plan::TextRecord>(); }
  std::span<const int32_t> stops() const { return records<int32_t>(); } ///< token ids
  std::span<const uint8_t> data() const { return section(plan::SectionKind::Data); }

  std::string_view string(plan::StringRef reference) const;
  /// The native code of one image.
  std::span<const uint8_t> code(const plan::ImageRecord &image) const {
    return data().subspan(image.dataOffset, image.bytes);
  }
  /// Index of the tensor with this name, kNone if there is none.
  uint32_t findTensor(std::string_view name) const;

  /// The bytes of a section; empty if the file has none of that kind.
  std::span<const uint8_t> section(plan::SectionKind kind) const {
    return sections_[static_cast<size_t>(kind)];
  }
  std::span<const uint8_t> bytes() const { return bytes_; } ///< the whole file

private:
  Plan() = default;
  Status validateAndIndex();

  template <typename Record> static constexpr plan::SectionKind kindOf();
  template <typename Record> std::span<const Record> records() const {
    std::span<const uint8_t> bytes = section(kindOf<Record>());
    return {reinterpret_cast<const Record *>(bytes.data()), bytes.size() / sizeof(Record)};
  }

  std::string name_;
  Mapping mapping_;
  std::vector<uint8_t> owned_;
  std::span<const uint8_t> bytes_;
  std::array<std::span<const uint8_t>, static_cast<size_t>(plan::SectionKind::Count)> sections_;
};

template <typename Record> constexpr plan::SectionKind Plan::kindOf() {
  using namespace plan;
  if constexpr (std::is_same_v<Record, InfoRecord>)
    return SectionKind::Info;
  else if constexpr (std::is_same_v<Record, FileRecord>)
    return SectionKind::Files;
  else if constexpr (std::is_same_v<Record, WeightRecord>)
    return SectionKind::Weights;
  else if constexpr (std::is_same_v<Record, SourceRecord>)
    return SectionKind::Sources;
  else if constexpr (std::is_same_v<Record, PoolRecord>)
    return SectionKind::Pools;
  else if constexpr (std::is_same_v<Record, TensorRecord>)
    return SectionKind::Tensors;
  else if constexpr (std::is_same_v<Record, KernelRecord>)
    return SectionKind::Kernels;
  else if constexpr (std::is_same_v<Record, ImageRecord>)
    return SectionKind::Images;
  else if constexpr (std::is_same_v<Record, EntryRecord>)
    return SectionKind::Entries;
  else if constexpr (std::is_same_v<Record, TensorMapRecord>)
    return SectionKind::TensorMaps;
  else if constexpr (std::is_same_v<Record, PartitionRecord>)
    return SectionKind::Partitions;
  else if constexpr (std::is_same_v<Record, InstructionRecord>)
    return SectionKind::Instructions;
  else if constexpr (std::is_same_v<Record, OperandRecord>)
    return SectionKind::Operands;
  else if constexpr (std::is_same_v<Record, TextRecord>)
    return SectionKind::Texts;
  else {
    static_assert(std::is_same_v<Record, int32_t>, "not a record of the plan format");
    return SectionKind::Stops;
  }
}

} // namespace quire
