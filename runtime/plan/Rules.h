// Small helpers of the validators: a broken rule as a status that names section, record and rule,
// and checks of references that all records share. Internal to runtime/plan.
#pragma once

#include "runtime/base/Status.h"
#include "runtime/plan/Sizes.h"
#include "runtime/plan/Validate.h"

#include <string>

namespace quire::plan {

inline constexpr uint64_t kNoRecord = ~0ull;

/// "plan section Weights, record 3: <rule>", or without a record for a rule of the whole section.
Status brokenRule(SectionKind kind, uint64_t record, const std::string &rule);

template <typename Record>
std::span<const Record> recordsOf(const Sections &sections, SectionKind kind) {
  std::span<const uint8_t> bytes = sections[static_cast<size_t>(kind)];
  return {reinterpret_cast<const Record *>(bytes.data()), bytes.size() / sizeof(Record)};
}

/// offset + size <= limit without overflow.
constexpr bool fits(uint64_t offset, uint64_t size, uint64_t limit) {
  return offset <= limit && size <= limit - offset;
}

/// Checked value of a symbolic size, empty on overflow.
constexpr std::optional<uint64_t> checkedEvaluate(const ByteSize &size, uint64_t paddedTokens,
                                                  uint64_t paddedSamples) {
  auto tokens = checkedMultiply(size.perToken, paddedTokens);
  auto samples = checkedMultiply(size.perSample, paddedSamples);
  if (!tokens || !samples)
    return std::nullopt;
  auto sum = checkedAdd(size.constant, *tokens);
  return sum ? checkedAdd(*sum, *samples) : std::nullopt;
}

/// One record under validation; remembers what to name in a message.
class RecordCheck {
public:
  RecordCheck(const Sections &sections, SectionKind kind, uint64_t record)
      : sections_(sections), kind_(kind), record_(record) {}

  Status broken(const std::string &rule) const { return brokenRule(kind_, record_, rule); }

  Status string(StringRef reference, const char *field) const {
    uint64_t limit = sections_[static_cast<size_t>(SectionKind::Strings)].size();
    if (!fits(reference.offset, reference.size, limit))
      return broken(std::string(field) + " is the string at " + std::to_string(reference.offset) +
                    " of " + std::to_string(reference.size) + " bytes, but Strings has " +
                    std::to_string(limit));
    return Status::ok();
  }

  /// low <= value <= high
  Status range(uint64_t value, uint64_t low, uint64_t high, const char *field) const {
    if (value < low || value > high)
      return broken(std::string(field) + " is " + std::to_string(value) + ", legal is " +
                    std::to_string(low) + " to " + std::to_string(high));
    return Status::ok();
  }

  Status index(uint64_t value, uint64_t count, const char *field) const {
    if (value >= count)
      return broken(std::string(field) + " is index " + std::to_string(value) + " of " +
                    std::to_string(count));
    return Status::ok();
  }

  template <typename Enum> Status enumeration(Enum value, const char *field) const {
    return index(static_cast<uint32_t>(value), static_cast<uint32_t>(Enum::Count), field);
  }

  Status equal(uint64_t value, uint64_t expected, const char *field, const char *why) const {
    if (value != expected)
      return broken(std::string(field) + " is " + std::to_string(value) + ", but " + why + " is " +
                    std::to_string(expected));
    return Status::ok();
  }

private:
  const Sections &sections_;
  SectionKind kind_;
  uint64_t record_;
};

/// One tensor map of a kernel (ValidateTensorMap.cpp).
Status validateTensorMap(const TensorMapRecord &map, const KernelRecord &kernel,
                         const RecordCheck &rule);

/// The step program: instructions and operands (ValidateProgram.cpp).
Status validateProgram(const Sections &sections);

} // namespace quire::plan
