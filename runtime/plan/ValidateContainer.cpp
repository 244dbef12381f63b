// Checks a plan as a container: header, checksum, section table. Nothing here looks into a record.
#include "runtime/plan/Rules.h"

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

namespace quire::plan {
namespace {

uint32_t elementBytesOf(SectionKind kind) {
  switch (kind) {
  case SectionKind::Strings:
  case SectionKind::Data:
    return 1;
  case SectionKind::Info:
    return sizeof(InfoRecord);
  case SectionKind::Files:
    return sizeof(FileRecord);
  case SectionKind::Weights:
    return sizeof(WeightRecord);
  case SectionKind::Sources:
    return sizeof(SourceRecord);
  case SectionKind::Pools:
    return sizeof(PoolRecord);
  case SectionKind::Tensors:
    return sizeof(TensorRecord);
  case SectionKind::Kernels:
    return sizeof(KernelRecord);
  case SectionKind::Images:
    return sizeof(ImageRecord);
  case SectionKind::Entries:
    return sizeof(EntryRecord);
  case SectionKind::TensorMaps:
    return sizeof(TensorMapRecord);
  case SectionKind::Partitions:
    return sizeof(PartitionRecord);
  case SectionKind::Instructions:
    return sizeof(InstructionRecord);
  case SectionKind::Operands:
    return sizeof(OperandRecord);
  case SectionKind::Texts:
    return sizeof(TextRecord);
  case SectionKind::Stops:
    return sizeof(int32_t);
  case SectionKind::Count:
    break;
  }
  return 0;
}

Status corrupt(const std::string &message) { return Status::error(ErrorCode::Corrupt, message); }

Status validateHeader(std::span<const uint8_t> file, Header &header) {
  if (file.size() < sizeof(Header))
    return corrupt("a plan starts with a header of " + std::to_string(sizeof(Header)) +
                   " bytes, the file has only " + std::to_string(file.size()));
  std::memcpy(&header, file.data(), sizeof(Header));
  if (header.magic != kMagic)
    return corrupt("this is not a plan: it does not start with the bytes QUREPLN1");
  if (header.version > kVersion)
    return Status::error(ErrorCode::Unsupported,
                         "the plan has format version " + std::to_string(header.version) +
                             ", this program reads version " + std::to_string(kVersion) +
                             "; use a newer quire or compile the model again");
  if (header.version < kVersion)
    return Status::error(ErrorCode::Unsupported,
                         "the plan has the old format version " + std::to_string(header.version) +
                             ", this program reads version " + std::to_string(kVersion) +
                             "; compile the model again");
  if (header.fileBytes != file.size())
    return corrupt("the plan should have " + std::to_string(header.fileBytes) + " bytes but has " +
                   std::to_string(file.size()) + "; it was cut short or something was appended");
  uint64_t sum = checksum(file.data() + sizeof(Header), file.size() - sizeof(Header));
  if (sum != header.checksum)
    return corrupt("the plan's checksum does not match its content; the file was damaged, "
                   "compile the model again");
  // The checksum leaves the header out; a count that lost a section must not hide it.
  if (header.sectionCount != static_cast<uint32_t>(SectionKind::Count))
    return corrupt("the plan has " + std::to_string(header.sectionCount) + " sections, version " +
                   std::to_string(kVersion) + " has " +
                   std::to_string(static_cast<uint32_t>(SectionKind::Count)));
  return Status::ok();
}

} // namespace

const char *sectionName(SectionKind kind) {
  static constexpr const char *names[] = {
      "Strings", "Info",    "Files",      "Weights",    "Sources",      "Pools",
      "Tensors", "Kernels", "Images",     "Entries",    "TensorMaps",   "Partitions",
      "Instructions", "Operands", "Data", "Texts", "Stops"};
  static_assert(std::size(names) == static_cast<size_t>(SectionKind::Count));
  auto index = static_cast<size_t>(kind);
  return index < std::size(names) ? names[index] : "unknown";
}

Status brokenRule(SectionKind kind, uint64_t record, const std::string &rule) {
  std::string where = std::string("plan section ") + sectionName(kind);
  if (record != kNoRecord)
    where += ", record " + std::to_string(record);
  return corrupt(where + ": " + rule);
}

Result<Sections> validateContainer(std::span<const uint8_t> file) {
  Header header;
  QUIRE_RETURN_IF_ERROR(validateHeader(file, header));

  uint64_t tableBytes = uint64_t(header.sectionCount) * sizeof(SectionRecord);
  if (!fits(sizeof(Header), tableBytes, file.size()))
    return corrupt("the plan's section table goes beyond the end of the file");
  std::vector<SectionRecord> table(header.sectionCount);
  if (tableBytes)
    std::memcpy(table.data(), file.data() + sizeof(Header), tableBytes);

  Sections sections;
  std::array<bool, static_cast<size_t>(SectionKind::Count)> seen{};
  for (const SectionRecord &record : table) {
    if (record.kind >= SectionKind::Count)
      return corrupt("the plan has a section of unknown kind " +
                     std::to_string(static_cast<uint32_t>(record.kind)));
    auto broken = [&](const std::string &rule) { return brokenRule(record.kind, kNoRecord, rule); };
    if (std::exchange(seen[static_cast<size_t>(record.kind)], true))
      return broken("appears twice");
    uint32_t element = elementBytesOf(record.kind);
    if (record.elementBytes != element)
      return broken("its records have " + std::to_string(record.elementBytes) +
                    " bytes, this version's have " + std::to_string(element));
    if (record.bytes % element != 0)
      return broken("its " + std::to_string(record.bytes) + " bytes are no whole number of " +
                    std::to_string(element) + "-byte records");
    if (record.offset % kSectionAlignment != 0)
      return broken("starts at byte " + std::to_string(record.offset) + ", not a multiple of " +
                    std::to_string(kSectionAlignment));
    if (record.offset < sizeof(Header) + tableBytes)
      return broken("overlaps the header or the section table");
    if (!fits(record.offset, record.bytes, file.size()))
      return broken("holds bytes " + std::to_string(record.offset) + " to +" +
                    std::to_string(record.bytes) + ", the file has " + std::to_string(file.size()));
    sections[static_cast<size_t>(record.kind)] = file.subspan(record.offset, record.bytes);
  }

  std::sort(table.begin(), table.end(), [](const SectionRecord &a, const SectionRecord &b) {
    return a.offset != b.offset ? a.offset < b.offset : a.bytes < b.bytes;
  });
  for (size_t i = 1; i < table.size(); ++i)
    if (table[i - 1].offset + table[i - 1].bytes > table[i].offset)
      return brokenRule(table[i].kind, kNoRecord,
                        std::string("overlaps section ") + sectionName(table[i - 1].kind));
  return sections;
}

} // namespace quire::plan
