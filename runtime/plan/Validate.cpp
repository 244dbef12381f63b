// Checks every record of a plan but the program (ValidateProgram.cpp) and the insides of tensor maps
// (ValidateTensorMap.cpp): strings, limits, weights and
// their sources, pools, tensors, kernels, native code, partitions, and the totals in Info.
#include "runtime/plan/FloatElement.h"
#include "runtime/plan/Rules.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <string_view>
#include <vector>

namespace quire::plan {
namespace {

class RecordValidator {
public:
  explicit RecordValidator(const Sections &sections) : sections_(sections) {}

  Status run() {
    QUIRE_RETURN_IF_ERROR(info());
    QUIRE_RETURN_IF_ERROR(files());
    QUIRE_RETURN_IF_ERROR(sources());
    QUIRE_RETURN_IF_ERROR(weights());
    QUIRE_RETURN_IF_ERROR(pools());
    QUIRE_RETURN_IF_ERROR(tensors());
    QUIRE_RETURN_IF_ERROR(kernels());
    QUIRE_RETURN_IF_ERROR(images());
    QUIRE_RETURN_IF_ERROR(partitions());
    QUIRE_RETURN_IF_ERROR(texts());
    return stops();
  }

private:
  template <typename Record> std::span<const Record> records(SectionKind kind) const {
    return recordsOf<Record>(sections_, kind);
  }
  RecordCheck check(SectionKind kind, uint64_t record) const { return {sections_, kind, record}; }
  const InfoRecord &infoRecord() const { return records<InfoRecord>(SectionKind::Info)[0]; }

  Status info() {
    auto all = records<InfoRecord>(SectionKind::Info);
    if (all.size() != 1)
      return brokenRule(SectionKind::Info, kNoRecord,
                        "has " + std::to_string(all.size()) + " records instead of one");
    const InfoRecord &info = all[0];
    RecordCheck rule = check(SectionKind::Info, 0);
    QUIRE_RETURN_IF_ERROR(rule.string(info.modelName, "modelName"));
    QUIRE_RETURN_IF_ERROR(rule.string(info.modelDirectory, "modelDirectory"));
    QUIRE_RETURN_IF_ERROR(rule.string(info.compiler, "compiler"));
    QUIRE_RETURN_IF_ERROR(rule.string(info.options, "options"));
    QUIRE_RETURN_IF_ERROR(rule.range(info.maxTokens, 1, kMaxTokens, "maxTokens"));
    QUIRE_RETURN_IF_ERROR(rule.range(info.maxSequences, 0, kMaxTokens, "maxSequences"));
    QUIRE_RETURN_IF_ERROR(rule.range(info.maxSamples, 0, kMaxTokens, "maxSamples"));
    QUIRE_RETURN_IF_ERROR(rule.range(info.maxContext, 0, kMaxContext, "maxContext"));
    QUIRE_RETURN_IF_ERROR(rule.range(info.pageSize, 0, kMaxPageSize, "pageSize"));
    QUIRE_RETURN_IF_ERROR(rule.range(info.vocabularySize, 0, INT32_MAX, "vocabularySize"));
    QUIRE_RETURN_IF_ERROR(rule.index(info.weightElement, static_cast<uint32_t>(ElementType::Count),
                                     "weightElement"));
    QUIRE_RETURN_IF_ERROR(rule.range(info.registerCount,
                                     static_cast<uint32_t>(InputRegister::Count), kMaxRegisters,
                                     "registerCount"));
    QUIRE_RETURN_IF_ERROR(rule.range(info.rowPadding, 1, kMaxRowPadding, "rowPadding"));
    if (!std::has_single_bit(info.rowPadding))
      return rule.broken("rowPadding is " + std::to_string(info.rowPadding) +
                         ", legal are powers of two");
    if ((info.maxContext == 0) != (info.pageSize == 0))
      return rule.broken("maxContext is " + std::to_string(info.maxContext) + " and pageSize " +
                         std::to_string(info.pageSize) + "; both or neither must be 0");
    auto arena = checkedEvaluate(info.arena, padRows(info.maxTokens, info.rowPadding),
                                 padRows(info.maxSamples, info.rowPadding));
    if (!arena || *arena > kMaxBytes)
      return rule.broken("the arena is beyond " + std::to_string(kMaxBytes) +
                         " bytes at maxTokens and maxSamples");
    return Status::ok();
  }

  Status files() {
    auto all = records<FileRecord>(SectionKind::Files);
    for (uint64_t i = 0; i < all.size(); ++i) {
      RecordCheck rule = check(SectionKind::Files, i);
      QUIRE_RETURN_IF_ERROR(rule.string(all[i].name, "name"));
      QUIRE_RETURN_IF_ERROR(rule.range(all[i].name.size, 1, 4096, "the length of name"));
      QUIRE_RETURN_IF_ERROR(rule.range(all[i].bytes, 0, kMaxBytes, "bytes"));
    }
    return Status::ok();
  }

  Status sources() {
    auto all = records<SourceRecord>(SectionKind::Sources);
    auto files = records<FileRecord>(SectionKind::Files);
    uint64_t dataBytes = sections_[static_cast<size_t>(SectionKind::Data)].size();
    for (uint64_t i = 0; i < all.size(); ++i) {
      const SourceRecord &source = all[i];
      RecordCheck rule = check(SectionKind::Sources, i);
      QUIRE_RETURN_IF_ERROR(rule.enumeration(source.kind, "kind"));
      QUIRE_RETURN_IF_ERROR(rule.enumeration(source.element, "element"));
      QUIRE_RETURN_IF_ERROR(rule.string(source.tensor, "tensor"));
      QUIRE_RETURN_IF_ERROR(rule.range(source.rows, 1, kMaxBytes, "rows"));
      QUIRE_RETURN_IF_ERROR(rule.range(source.columns, 1, kMaxBytes, "columns"));
      bool inFile = source.kind == SourceKind::Tensor || source.kind == SourceKind::TransposedTensor;
      uint64_t limit = dataBytes;
      if (inFile) {
        QUIRE_RETURN_IF_ERROR(rule.index(source.file, files.size(), "file"));
        limit = files[source.file].bytes;
      } else {
        QUIRE_RETURN_IF_ERROR(rule.equal(source.file, kNone, "file", "the value for data in the plan"));
      }
      bool isRandom = source.kind == SourceKind::Random;
      if (!isRandom && !fits(source.offset, source.bytes, limit))
        return rule.broken("bytes " + std::to_string(source.offset) + " to +" +
                           std::to_string(source.bytes) + " go beyond the " +
                           std::to_string(limit) + " bytes of " +
                           (inFile ? "its file" : "section Data"));
      if (source.kind == SourceKind::RotaryTable) {
        QUIRE_RETURN_IF_ERROR(rotary(source, rule));
        continue;
      }
      if (isRandom && (!isFloat(source.element) || !std::isfinite(source.scale)))
        return rule.broken(std::string("random elements are finite numbers, not ") +
                           elementName(source.element) + " times " + std::to_string(source.scale));
      auto bytes = weightBytes(WeightLayout::RowMajor, source.element, source.rows, source.columns, 0);
      if (!bytes || *bytes != source.bytes)
        return rule.broken(std::to_string(source.rows) + " x " + std::to_string(source.columns) +
                           " elements of " + elementName(source.element) + " do not take " +
                           std::to_string(source.bytes) + " bytes");
    }
    return Status::ok();
  }

  static Status rotary(const SourceRecord &source, const RecordCheck &rule) {
    if (!isFloat(source.element))
      return rule.broken(std::string("a rotary table cannot have element type ") +
                         elementName(source.element));
    if (source.columns % 2 != 0)
      return rule.broken("a rotary table has an even number of columns, not " +
                         std::to_string(source.columns));
    if (!std::isfinite(source.scale))
      return rule.broken("scale is not finite");
    QUIRE_RETURN_IF_ERROR(rule.range(source.rows, 1, kMaxContext, "rows"));
    return rule.equal(source.bytes, source.columns / 2 * sizeof(float), "bytes",
                      "the size of columns/2 float frequencies");
  }

  Status weights() {
    auto all = records<WeightRecord>(SectionKind::Weights);
    auto sources = records<SourceRecord>(SectionKind::Sources);
    uint64_t total = 0;
    for (uint64_t i = 0; i < all.size(); ++i) {
      const WeightRecord &weight = all[i];
      RecordCheck rule = check(SectionKind::Weights, i);
      QUIRE_RETURN_IF_ERROR(rule.string(weight.name, "name"));
      QUIRE_RETURN_IF_ERROR(rule.enumeration(weight.element, "element"));
      QUIRE_RETURN_IF_ERROR(rule.enumeration(weight.layout, "layout"));
      QUIRE_RETURN_IF_ERROR(rule.range(weight.rows, 1, kMaxBytes, "rows"));
      QUIRE_RETURN_IF_ERROR(rule.range(weight.columns, 1, kMaxBytes, "columns"));
      bool panel = weight.layout == WeightLayout::Panel;
      QUIRE_RETURN_IF_ERROR(rule.range(weight.panel, panel ? 1 : 0, 4096, "panel"));
      auto bytes =
          weightBytes(weight.layout, weight.element, weight.rows, weight.columns, weight.panel);
      if (!bytes || *bytes > kMaxBytes)
        return rule.broken("its size is beyond " + std::to_string(kMaxBytes) + " bytes");
      QUIRE_RETURN_IF_ERROR(rule.equal(weight.bytes, *bytes, "bytes", "the size of its layout"));
      total += roundUp(*bytes, kWeightAlignment);
      if (total > kMaxBytes)
        return rule.broken("the weights up to here are beyond " + std::to_string(kMaxBytes) +
                           " bytes");

      if (!fits(weight.firstSource, weight.sourceCount, sources.size()))
        return rule.broken("sources " + std::to_string(weight.firstSource) + " to +" +
                           std::to_string(weight.sourceCount) + " of " +
                           std::to_string(sources.size()));
      uint64_t rows = 0;
      for (const SourceRecord &source : sources.subspan(weight.firstSource, weight.sourceCount)) {
        if (source.element != weight.element)
          return rule.broken(std::string("it has element type ") + elementName(weight.element) +
                             ", one of its sources has " + elementName(source.element));
        QUIRE_RETURN_IF_ERROR(
            rule.equal(source.columns, weight.columns, "the width of a source", "its own"));
        rows += source.rows;
        if (rows > weight.rows)
          break; // wrong already; adding on could wrap around to the right number
      }
      QUIRE_RETURN_IF_ERROR(rule.equal(rows, weight.rows, "the rows of its sources", "its rows"));
    }
    return check(SectionKind::Info, 0)
        .equal(infoRecord().weightBytes, total, "weightBytes", "the sum over Weights");
  }

  Status pools() {
    auto all = records<PoolRecord>(SectionKind::Pools);
    uint64_t total = 0;
    struct Place {
      uint64_t bytes = 0;
      uint32_t groups = 0; // a bit for each
    };
    std::vector<Place> places(all.size());
    static_assert(kMaxCacheGroups <= 32);
    for (uint64_t i = 0; i < all.size(); ++i) {
      RecordCheck rule = check(SectionKind::Pools, i);
      QUIRE_RETURN_IF_ERROR(rule.string(all[i].name, "name"));
      QUIRE_RETURN_IF_ERROR(rule.enumeration(all[i].element, "element"));
      QUIRE_RETURN_IF_ERROR(
          rule.index(all[i].group, std::min<uint64_t>(all.size(), kMaxCacheGroups), "group"));
      QUIRE_RETURN_IF_ERROR(rule.index(all[i].place, all.size(), "place"));
      QUIRE_RETURN_IF_ERROR(rule.range(all[i].bytesPerPage, 1, 1ull << 32, "bytesPerPage"));
      Place &place = places[all[i].place];
      if (place.groups & (1u << all[i].group))
        return rule.broken("another pool of group " + std::to_string(all[i].group) +
                           " has place " + std::to_string(all[i].place) + " too");
      if (place.groups)
        QUIRE_RETURN_IF_ERROR(rule.equal(all[i].bytesPerPage, place.bytes, "bytesPerPage",
                                         "that of the pools at its place"));
      else
        total += all[i].bytesPerPage;
      place.bytes = all[i].bytesPerPage;
      place.groups |= 1u << all[i].group;
    }
    if (!all.empty() && infoRecord().pageSize == 0)
      return brokenRule(SectionKind::Pools, kNoRecord, "there are pools, but pageSize is 0");
    if (total > kMaxBytes)
      return brokenRule(SectionKind::Pools, kNoRecord, "a page is too large over all pools");
    return check(SectionKind::Info, 0)
        .equal(infoRecord().pageBytes, total, "pageBytes", "the sum over the places of Pools");
  }

  Status tensors() {
    auto all = records<TensorRecord>(SectionKind::Tensors);
    std::vector<std::string_view> names;
    for (uint64_t i = 0; i < all.size(); ++i) {
      const TensorRecord &tensor = all[i];
      RecordCheck rule = check(SectionKind::Tensors, i);
      QUIRE_RETURN_IF_ERROR(rule.string(tensor.name, "name"));
      QUIRE_RETURN_IF_ERROR(rule.range(tensor.name.size, 1, 4096, "the length of name"));
      QUIRE_RETURN_IF_ERROR(rule.enumeration(tensor.element, "element"));
      QUIRE_RETURN_IF_ERROR(rule.enumeration(tensor.extent, "extent"));
      QUIRE_RETURN_IF_ERROR(rule.range(tensor.isOutput, 0, 1, "isOutput"));
      QUIRE_RETURN_IF_ERROR(rule.range(tensor.columns, 1, INT32_MAX, "columns"));
      QUIRE_RETURN_IF_ERROR(rule.range(tensor.rowStride, tensor.columns, INT32_MAX, "rowStride"));
      names.push_back(name(tensor.name));
    }
    std::sort(names.begin(), names.end());
    if (auto twin = std::adjacent_find(names.begin(), names.end()); twin != names.end())
      return brokenRule(SectionKind::Tensors, kNoRecord,
                        "the name '" + std::string(*twin) + "' appears twice");
    return Status::ok();
  }

  Status kernels() {
    auto all = records<KernelRecord>(SectionKind::Kernels);
    for (uint64_t i = 0; i < all.size(); ++i) {
      RecordCheck rule = check(SectionKind::Kernels, i);
      QUIRE_RETURN_IF_ERROR(rule.string(all[i].name, "name"));
      QUIRE_RETURN_IF_ERROR(rule.string(all[i].source, "source"));
      QUIRE_RETURN_IF_ERROR(rule.string(all[i].schedule, "schedule"));
      QUIRE_RETURN_IF_ERROR(
          rule.range(all[i].bufferCount, 0, kMaxOperandsPerLaunch, "bufferCount"));
      QUIRE_RETURN_IF_ERROR(
          rule.range(all[i].scalarCount, 0, kMaxOperandsPerLaunch, "scalarCount"));
    }
    return Status::ok();
  }

  Status images() {
    auto all = records<ImageRecord>(SectionKind::Images);
    auto entries = records<EntryRecord>(SectionKind::Entries);
    uint64_t kernelCount = records<KernelRecord>(SectionKind::Kernels).size();
    uint64_t dataBytes = sections_[static_cast<size_t>(SectionKind::Data)].size();
    uint32_t seen = 0;
    for (uint64_t i = 0; i < all.size(); ++i) {
      const ImageRecord &image = all[i];
      RecordCheck rule = check(SectionKind::Images, i);
      QUIRE_RETURN_IF_ERROR(rule.enumeration(image.target, "target"));
      uint32_t targetBit = 1u << static_cast<uint32_t>(image.target);
      if (seen & targetBit)
        return rule.broken("there are two images for one target");
      seen |= targetBit;
      if (isCuda(image.target) != isCuda(all[0].target))
        return rule.broken("it has CUDA code and CPU code; a plan is for one of them");
      if (!fits(image.dataOffset, image.bytes, dataBytes))
        return rule.broken("its code lies at " + std::to_string(image.dataOffset) + " to +" +
                           std::to_string(image.bytes) + ", but Data has " +
                           std::to_string(dataBytes) + " bytes");
      QUIRE_RETURN_IF_ERROR(
          rule.equal(image.entryCount, kernelCount, "entryCount", "the number of kernels"));
      if (!fits(image.firstEntry, image.entryCount, entries.size()))
        return rule.broken("its entries " + std::to_string(image.firstEntry) + " to +" +
                           std::to_string(image.entryCount) + " go beyond the " +
                           std::to_string(entries.size()) + " of section Entries");
      for (uint32_t k = 0; k < image.entryCount; ++k)
        QUIRE_RETURN_IF_ERROR(entry(image, k, entries[image.firstEntry + k],
                                    check(SectionKind::Entries, image.firstEntry + k)));
    }
    return Status::ok();
  }

  /// Those that an entry names; `kernel` is the entry's.
  Status tensorMaps(const ImageRecord &image, const EntryRecord &entry, const KernelRecord &kernel,
                    const RecordCheck &rule) const {
    auto all = records<TensorMapRecord>(SectionKind::TensorMaps);
    bool has = image.target == ImageTarget::Sm90a;
    QUIRE_RETURN_IF_ERROR(
        rule.range(entry.tensorMapCount, 0, has ? kMaxTensorMaps : 0, "tensorMapCount"));
    if (entry.tensorMapCount == 0)
      return rule.equal(entry.firstTensorMap, 0, "firstTensorMap", "it has no tensor maps and");
    if (!fits(entry.firstTensorMap, entry.tensorMapCount, all.size()))
      return rule.broken("its tensor maps " + std::to_string(entry.firstTensorMap) + " to +" +
                         std::to_string(entry.tensorMapCount) + " go beyond the " +
                         std::to_string(all.size()) + " of section TensorMaps");
    for (uint32_t i = entry.firstTensorMap; i < entry.firstTensorMap + entry.tensorMapCount; ++i)
      QUIRE_RETURN_IF_ERROR(
          validateTensorMap(all[i], kernel, check(SectionKind::TensorMaps, i)));
    return Status::ok();
  }

  Status entry(const ImageRecord &image, uint32_t kernel, const EntryRecord &entry,
               const RecordCheck &rule) const {
    if (entry.codeOffset >= image.bytes || entry.codeBytes > image.bytes - entry.codeOffset)
      return rule.broken("kernel " + std::to_string(kernel) + " lies at byte " +
                         std::to_string(entry.codeOffset) + " to +" +
                         std::to_string(entry.codeBytes) + " of " + std::to_string(image.bytes) +
                         " bytes of code");
    bool cuda = isCuda(image.target);
    QUIRE_RETURN_IF_ERROR(rule.string(entry.symbol, "symbol"));
    QUIRE_RETURN_IF_ERROR(
        rule.range(entry.symbol.size, cuda ? 1 : 0, cuda ? 4096 : 0, "the length of symbol"));
    QUIRE_RETURN_IF_ERROR(
        rule.range(entry.codeBytes, cuda ? 1 : 0, cuda ? kMaxBytes : 0, "codeBytes"));
    QUIRE_RETURN_IF_ERROR(
        rule.range(entry.threads, cuda ? 1 : 0, cuda ? kMaxThreads : 0, "threads"));
    QUIRE_RETURN_IF_ERROR(
        rule.range(entry.sharedBytes, 0, cuda ? kMaxSharedBytes : 0, "sharedBytes"));
    QUIRE_RETURN_IF_ERROR(
        rule.range(entry.registers, 0, cuda ? kMaxThreadRegisters : 0, "registers"));
    uint32_t legal =
        cuda ? kEntryProgrammaticLaunch | kEntryPersistent | kEntryClusterMask : 0;
    if (entry.flags & ~legal)
      return rule.broken("flags is " + std::to_string(entry.flags) +
                         ", which has bits that this version does not know");
    if (cuda && entry.codeOffset % kCubinAlignment != 0)
      return rule.broken("its cubin starts at byte " + std::to_string(entry.codeOffset) +
                         ", not a multiple of " + std::to_string(kCubinAlignment));
    return tensorMaps(image, entry, records<KernelRecord>(SectionKind::Kernels)[kernel], rule);
  }

  Status partitions() {
    auto all = records<PartitionRecord>(SectionKind::Partitions);
    uint64_t total = 0, workspaces = 0;
    for (uint64_t i = 0; i < all.size(); ++i) {
      const PartitionRecord &partition = all[i];
      RecordCheck rule = check(SectionKind::Partitions, i);
      QUIRE_RETURN_IF_ERROR(rule.range(partition.queryTile, 1, kMaxTokens, "queryTile"));
      if (partition.minQuery > partition.maxQuery)
        return rule.broken("minQuery " + std::to_string(partition.minQuery) +
                           " is above maxQuery " + std::to_string(partition.maxQuery));
      QUIRE_RETURN_IF_ERROR(rule.range(partition.split, 0, kMaxContext, "split"));
      QUIRE_RETURN_IF_ERROR(
          rule.range(partition.maxSplits, 1, partition.split ? kMaxContext : 1, "maxSplits"));
      if (partition.split &&
          uint64_t(partition.split) * partition.maxSplits < infoRecord().maxContext)
        return rule.broken(std::to_string(partition.maxSplits) + " splits of " +
                           std::to_string(partition.split) + " keys do not hold a context of " +
                           std::to_string(infoRecord().maxContext));
      QUIRE_RETURN_IF_ERROR(rule.range(partition.capacity, 0, 1u << 26, "capacity"));
      QUIRE_RETURN_IF_ERROR(
          rule.range(partition.wave, 0, partition.split ? 1u << 26 : 0, "wave"));
      total += uint64_t(partition.capacity) * sizeof(WorkItem);
      QUIRE_RETURN_IF_ERROR(workspace(partition, rule, workspaces));
    }
    return check(SectionKind::Info, 0)
        .equal(infoRecord().workListBytes, total, "workListBytes", "the sum over Partitions");
  }

  /// Workspaces follow each other from `end`, which moves on, inside the arena's constant part.
  Status workspace(const PartitionRecord &partition, const RecordCheck &rule, uint64_t &end) {
    if (partition.workspaceItemBytes == 0)
      return rule.equal(partition.workspaceOffset, 0, "workspaceOffset", "it has no workspace and");
    if (partition.split == 0)
      return rule.broken("it has a workspace, but its keys are not split");
    uint64_t limit = infoRecord().arena.constant;
    auto bytes = checkedMultiply(partition.workspaceItemBytes, partition.capacity);
    if (partition.workspaceOffset % kSectionAlignment != 0 || partition.workspaceOffset < end ||
        !bytes || !fits(partition.workspaceOffset, *bytes, limit))
      return rule.broken("its workspace of " + std::to_string(partition.capacity) + " x " +
                         std::to_string(partition.workspaceItemBytes) + " bytes at byte " +
                         std::to_string(partition.workspaceOffset) +
                         " must lie aligned behind byte " + std::to_string(end) + " inside the " +
                         std::to_string(limit) + " constant bytes of the arena");
    end = partition.workspaceOffset + *bytes;
    return Status::ok();
  }

  Status texts() {
    auto all = records<TextRecord>(SectionKind::Texts);
    for (uint64_t i = 0; i < all.size(); ++i) {
      RecordCheck rule = check(SectionKind::Texts, i);
      QUIRE_RETURN_IF_ERROR(rule.string(all[i].name, "name"));
      QUIRE_RETURN_IF_ERROR(rule.string(all[i].text, "text"));
    }
    return Status::ok();
  }

  Status stops() {
    auto all = records<int32_t>(SectionKind::Stops);
    for (uint64_t i = 0; i < all.size(); ++i)
      if (all[i] < 0)
        return brokenRule(SectionKind::Stops, i,
                          "token id " + std::to_string(all[i]) + " is negative");
    return Status::ok();
  }

  std::string_view name(StringRef reference) const {
    auto bytes = sections_[static_cast<size_t>(SectionKind::Strings)];
    return {reinterpret_cast<const char *>(bytes.data()) + reference.offset, reference.size};
  }

  const Sections &sections_;
};

} // namespace

Status validateRecords(const Sections &sections) {
  QUIRE_RETURN_IF_ERROR(RecordValidator(sections).run());
  return validateProgram(sections);
}

} // namespace quire::plan
