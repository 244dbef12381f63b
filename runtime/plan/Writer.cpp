// Implements Writer.h: lays the sections out one after the other and stamps header and checksum.
#include "runtime/plan/Writer.h"

#include "runtime/base/File.h"
#include "runtime/plan/CacheGroups.h"
#include "runtime/plan/Layout.h"
#include "runtime/plan/Sizes.h"
#include "runtime/plan/Validate.h"

#include <cassert>
#include <cstring>

namespace quire {
using namespace plan;

namespace {

template <typename Record>
uint32_t append(std::vector<Record> &records, const Record &record) {
  records.push_back(record);
  return static_cast<uint32_t>(records.size() - 1);
}

template <typename Record>
SectionBytes sectionOf(SectionKind kind, const std::vector<Record> &records) {
  return {kind, sizeof(Record),
          {reinterpret_cast<const uint8_t *>(records.data()), records.size() * sizeof(Record)}};
}

} // namespace

StringRef PlanWriter::string(std::string_view text) {
  auto [entry, isNew] = stringIndex_.try_emplace(std::string(text));
  if (isNew) {
    entry->second = {static_cast<uint32_t>(strings_.size()), static_cast<uint32_t>(text.size())};
    strings_.insert(strings_.end(), text.begin(), text.end());
  }
  return entry->second;
}

uint64_t PlanWriter::data(std::span<const uint8_t> bytes, uint64_t alignment) {
  uint64_t sum = checksum(bytes.data(), bytes.size());
  for (auto [entry, end] = dataIndex_.equal_range(sum); entry != end; ++entry) {
    auto [offset, size] = entry->second;
    if (offset % alignment == 0 && size == bytes.size() &&
        std::equal(bytes.begin(), bytes.end(), data_.begin() + static_cast<ptrdiff_t>(offset)))
      return offset;
  }
  data_.resize(roundUp(data_.size(), alignment));
  uint64_t offset = data_.size();
  data_.insert(data_.end(), bytes.begin(), bytes.end());
  dataIndex_.emplace(sum, std::pair(offset, uint64_t(bytes.size())));
  return offset;
}

uint32_t PlanWriter::add(const FileRecord &record) { return append(files_, record); }
uint32_t PlanWriter::add(const SourceRecord &record) { return append(sources_, record); }
uint32_t PlanWriter::add(const PoolRecord &record) { return append(pools_, record); }
uint32_t PlanWriter::add(const TensorRecord &record) { return append(tensors_, record); }
uint32_t PlanWriter::add(const KernelRecord &record) { return append(kernels_, record); }
uint32_t PlanWriter::add(const PartitionRecord &record) { return append(partitions_, record); }
uint32_t PlanWriter::add(const InstructionRecord &record) { return append(instructions_, record); }

uint32_t PlanWriter::addWeight(WeightRecord record, std::span<const SourceRecord> sources) {
  record.firstSource = static_cast<uint32_t>(sources_.size());
  record.sourceCount = static_cast<uint32_t>(sources.size());
  record.bytes =
      weightBytes(record.layout, record.element, record.rows, record.columns, record.panel)
          .value_or(0);
  sources_.insert(sources_.end(), sources.begin(), sources.end());
  return append(weights_, record);
}

uint32_t PlanWriter::addLaunch(uint32_t kernel, uint32_t itemsRegister,
                               std::span<const OperandRecord> operands) {
  InstructionRecord record{};
  record.opcode = Opcode::Launch;
  record.a = itemsRegister;
  record.index = kernel;
  record.firstOperand = static_cast<uint32_t>(operands_.size());
  record.operandCount = static_cast<uint32_t>(operands.size());
  operands_.insert(operands_.end(), operands.begin(), operands.end());
  return append(instructions_, record);
}

uint32_t PlanWriter::addImage(ImageTarget target, std::span<const uint8_t> code,
                              std::span<const uint64_t> entries) {
  std::vector<EntryRecord> records;
  for (uint64_t offset : entries)
    records.push_back({offset, 0, {}, 0, 0, 0, 0, 0, 0});
  return addImage(target, code, records);
}

uint32_t PlanWriter::addImage(ImageTarget target, std::span<const uint8_t> code,
                              std::span<const EntryRecord> entries,
                              std::span<const TensorMapRecord> tensorMaps) {
  ImageRecord record{};
  record.target = target;
  record.dataOffset = data(code);
  record.bytes = code.size();
  record.firstEntry = static_cast<uint32_t>(entries_.size());
  record.entryCount = static_cast<uint32_t>(entries.size());
  for (EntryRecord entry : entries) {
    if (entry.tensorMapCount)
      entry.firstTensorMap += static_cast<uint32_t>(tensorMaps_.size());
    entries_.push_back(entry);
  }
  tensorMaps_.insert(tensorMaps_.end(), tensorMaps.begin(), tensorMaps.end());
  return append(images_, record);
}

uint32_t PlanWriter::addText(std::string_view name, std::string_view text) {
  return append(texts_, TextRecord{string(name), string(text)});
}

void PlanWriter::addStop(int32_t token) { stops_.push_back(token); }

std::vector<uint8_t> PlanWriter::bytes() const {
  std::vector<InfoRecord> infos{info};
  InfoRecord &total = infos.front();
  total.weightBytes = total.workListBytes = 0;
  total.pageBytes = pageBytes(pools_);
  for (const WeightRecord &weight : weights_)
    total.weightBytes += roundUp(weight.bytes, kWeightAlignment);
  for (const PartitionRecord &partition : partitions_)
    total.workListBytes += uint64_t(partition.capacity) * sizeof(WorkItem);

  const SectionBytes sections[] = {
      sectionOf(SectionKind::Strings, strings_),
      sectionOf(SectionKind::Info, infos),
      sectionOf(SectionKind::Files, files_),
      sectionOf(SectionKind::Weights, weights_),
      sectionOf(SectionKind::Sources, sources_),
      sectionOf(SectionKind::Pools, pools_),
      sectionOf(SectionKind::Tensors, tensors_),
      sectionOf(SectionKind::Kernels, kernels_),
      sectionOf(SectionKind::Images, images_),
      sectionOf(SectionKind::Entries, entries_),
      sectionOf(SectionKind::TensorMaps, tensorMaps_),
      sectionOf(SectionKind::Partitions, partitions_),
      sectionOf(SectionKind::Instructions, instructions_),
      sectionOf(SectionKind::Operands, operands_),
      sectionOf(SectionKind::Data, data_),
      sectionOf(SectionKind::Texts, texts_),
      sectionOf(SectionKind::Stops, stops_),
  };
  return layOut(sections);
}

std::vector<uint8_t> plan::layOut(std::span<const SectionBytes> sections) {
  uint64_t end = sizeof(Header) + sections.size() * sizeof(SectionRecord);
  std::vector<SectionRecord> table;
  for (const SectionBytes &section : sections) {
    uint64_t offset = roundUp(end, kSectionAlignment);
    table.push_back({section.kind, section.elementBytes, offset, section.bytes.size()});
    end = offset + section.bytes.size();
  }

  std::vector<uint8_t> file(end);
  Header header{kMagic, kVersion, static_cast<uint32_t>(table.size()), end, 0};
  std::memcpy(file.data(), &header, sizeof(header));
  std::memcpy(file.data() + sizeof(header), table.data(), table.size() * sizeof(SectionRecord));
  for (size_t i = 0; i < table.size(); ++i)
    if (!sections[i].bytes.empty())
      std::memcpy(file.data() + table[i].offset, sections[i].bytes.data(), table[i].bytes);
  fixPlanChecksum(file);
  return file;
}

Status PlanWriter::write(const std::string &path) const {
  if (strings_.size() > UINT32_MAX)
    return Status::error(ErrorCode::OutOfRange, "the plan's strings take " +
                                                    std::to_string(strings_.size()) +
                                                    " bytes, the format holds 4 GiB");
  std::vector<uint8_t> file = bytes();
  auto sections = validateContainer(file);
  Status valid = sections.isOk() ? validateRecords(*sections) : sections.status();
  if (!valid.isOk())
    return Status::error(ErrorCode::Internal,
                         "refusing to write an invalid plan: " + valid.message());
  const std::span<const uint8_t> pieces[] = {file};
  return writeFileAtomically(path, pieces);
}

void fixPlanChecksum(std::span<uint8_t> file) {
  if (file.size() < sizeof(Header))
    return;
  uint64_t sum = checksum(file.data() + sizeof(Header), file.size() - sizeof(Header));
  std::memcpy(file.data() + offsetof(Header, checksum), &sum, sizeof(sum));
}

} // namespace quire
