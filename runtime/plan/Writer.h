// Collects the records, strings and data of one plan and writes the file. Strings and equal inline
// data are stored once; indices are handed out in the order of the calls. The derived totals of
// InfoRecord (weightBytes, pageBytes, workListBytes) are computed here, so that a writer cannot state
// them wrongly. What comes out is validated with the reader's own rules before it reaches the disk.
#pragma once

#include "runtime/base/Status.h"
#include "runtime/plan/Format.h"

#include <array>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace quire {

class PlanWriter {
public:
  /// The one InfoRecord; fill it freely until `bytes` or `write`. The three derived totals are
  /// overwritten.
  plan::InfoRecord info{};

  plan::StringRef string(std::string_view text);
  /// Appends bytes to Data at a multiple of `alignment` and returns their offset there. Equal bytes
  /// of equal alignment are stored once.
  uint64_t data(std::span<const uint8_t> bytes, uint64_t alignment = 64);

  // Each returns the index of its record.
  uint32_t add(const plan::FileRecord &record);
  uint32_t add(const plan::SourceRecord &record);
  /// `sources` are appended to Sources; firstSource, sourceCount and bytes are filled in.
  uint32_t addWeight(plan::WeightRecord record, std::span<const plan::SourceRecord> sources);
  uint32_t add(const plan::PoolRecord &record);
  uint32_t add(const plan::TensorRecord &record);
  uint32_t add(const plan::KernelRecord &record);
  uint32_t add(const plan::PartitionRecord &record);
  uint32_t add(const plan::InstructionRecord &record);
  /// A Launch of `kernel` with r[itemsRegister] items.
  uint32_t addLaunch(uint32_t kernel, uint32_t itemsRegister,
                     std::span<const plan::OperandRecord> operands);
  /// CPU code: `entries` holds one code offset per kernel, in kernel order.
  uint32_t addImage(plan::ImageTarget target, std::span<const uint8_t> code,
                    std::span<const uint64_t> entries);
  /// CUDA code: `entries` holds one whole record per kernel, in kernel order; `firstTensorMap` counts
  /// from the first of `tensorMaps`.
  uint32_t addImage(plan::ImageTarget target, std::span<const uint8_t> code,
                    std::span<const plan::EntryRecord> entries,
                    std::span<const plan::TensorMapRecord> tensorMaps = {});
  uint32_t addText(std::string_view name, std::string_view text);
  void addStop(int32_t token);

  /// Changes a record in place, for branch targets that were not known when it was added.
  plan::InstructionRecord &instruction(uint32_t index) { return instructions_[index]; }
  uint32_t instructionCount() const { return static_cast<uint32_t>(instructions_.size()); }
  const std::vector<plan::WeightRecord> &weights() const { return weights_; }
  const std::vector<plan::KernelRecord> &kernels() const { return kernels_; }
  const std::vector<plan::PartitionRecord> &partitions() const { return partitions_; }

  /// The whole file, without validation (tests break it on purpose).
  std::vector<uint8_t> bytes() const;
  /// Validates and writes atomically; the file appears whole or not at all.
  Status write(const std::string &path) const;

private:
  std::vector<uint8_t> strings_;
  std::unordered_map<std::string, plan::StringRef> stringIndex_;
  std::vector<uint8_t> data_;
  std::multimap<uint64_t, std::pair<uint64_t, uint64_t>> dataIndex_; ///< hash to (offset, bytes)
  std::vector<plan::FileRecord> files_;
  std::vector<plan::WeightRecord> weights_;
  std::vector<plan::SourceRecord> sources_;
  std::vector<plan::PoolRecord> pools_;
  std::vector<plan::TensorRecord> tensors_;
  std::vector<plan::KernelRecord> kernels_;
  std::vector<plan::ImageRecord> images_;
  std::vector<plan::EntryRecord> entries_;
  std::vector<plan::TensorMapRecord> tensorMaps_;
  std::vector<plan::PartitionRecord> partitions_;
  std::vector<plan::InstructionRecord> instructions_;
  std::vector<plan::OperandRecord> operands_;
  std::vector<plan::TextRecord> texts_;
  std::vector<int32_t> stops_;
};

/// Recomputes the checksum of a plan file in memory after a change. For tests and fuzzers.
void fixPlanChecksum(std::span<uint8_t> file);

} // namespace quire
