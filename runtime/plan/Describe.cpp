// Writes a plan as text for people.
#include "runtime/plan/Describe.h"

#include "runtime/plan/CacheGroups.h"
#include "runtime/plan/Names.h"

#include <algorithm>
#include <cstdarg>
#include <cstdio>

namespace quire {
using namespace plan;

namespace {

__attribute__((format(printf, 2, 3))) void print(std::string &out, const char *format, ...) {
  char line[512];
  va_list arguments;
  va_start(arguments, format);
  int length = std::vsnprintf(line, sizeof(line), format, arguments);
  va_end(arguments);
  out.append(line, std::min<size_t>(static_cast<size_t>(std::max(length, 0)), sizeof(line) - 1));
}

/// "12.5 MiB" with the exact count behind it.
std::string byteText(uint64_t bytes) {
  static constexpr const char *units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  double value = static_cast<double>(bytes);
  size_t unit = 0;
  while (value >= 1024 && unit + 1 < std::size(units)) {
    value /= 1024;
    ++unit;
  }
  char text[64];
  if (unit == 0)
    std::snprintf(text, sizeof(text), "%llu B", static_cast<unsigned long long>(bytes));
  else
    std::snprintf(text, sizeof(text), "%.1f %s (%llu)", value, units[unit],
                  static_cast<unsigned long long>(bytes));
  return text;
}

class Describer {
public:
  explicit Describer(const Plan &plan) : plan_(plan) {}

  void summary(const std::string &resident) {
    const InfoRecord &info = plan_.info();
    line("Plan for " + name(info.modelName));
    line("  written by        " + name(info.compiler) + ", format version " +
         std::to_string(plan_.header().version) + ", " + byteText(plan_.bytes().size()));
    line("  model directory   " + name(info.modelDirectory));
    line("  options           " + name(info.options));
    print(out_, "  limits            %u tokens, %u sequences, %u samples a step", info.maxTokens,
          info.maxSequences, info.maxSamples);
    if (info.pageSize)
      print(out_, "; %u tokens of context in pages of %u", info.maxContext, info.pageSize);
    line("");
    if (info.vocabularySize)
      line("  vocabulary        " + std::to_string(info.vocabularySize));
    if (!plan_.stops().empty()) {
      std::string stops;
      for (int32_t stop : plan_.stops())
        stops += " " + std::to_string(stop);
      line("  stop tokens      " + stops);
    }
    uint64_t arena = evaluate(info.arena, padRows(info.maxTokens, info.rowPadding),
                              padRows(info.maxSamples, info.rowPadding));
    line("  weights           " + byteText(info.weightBytes) + ", mostly " +
         elementName(static_cast<ElementType>(info.weightElement)));
    line("  arena             " + byteText(arena) + " = " + describeSize(info.arena) +
         ", rows padded to " + std::to_string(info.rowPadding));
    line("  work lists        " + byteText(info.workListBytes));
    line("  one cache page    " + byteText(info.pageBytes) + " over all pools");
    if (!resident.empty())
      line("  program           " + resident);
  }

  void program() {
    line("\nProgram (" + std::to_string(plan_.instructions().size()) + " instructions)");
    auto instructions = plan_.instructions();
    for (uint32_t i = 0; i < instructions.size(); ++i) {
      print(out_, "  %4u  ", i);
      line(instruction(instructions[i]));
    }
  }

  void kernels() {
    line("\nKernels (" + std::to_string(plan_.kernels().size()) + ")");
    std::vector<uint64_t> launches(plan_.kernels().size());
    for (const InstructionRecord &record : plan_.instructions())
      if (record.opcode == Opcode::Launch)
        ++launches[record.index];
    for (uint32_t i = 0; i < plan_.kernels().size(); ++i) {
      const KernelRecord &kernel = plan_.kernels()[i];
      print(out_, "  %4u  ", i);
      line(name(kernel.name) + "  " + std::to_string(kernel.bufferCount) + " buffers, " +
           std::to_string(kernel.scalarCount) + " scalars, " + std::to_string(launches[i]) +
           (launches[i] == 1 ? " launch" : " launches") + work(kernel));
      if (kernel.source.size)
        line("          from      " + name(kernel.source));
      if (kernel.schedule.size)
        line("          schedule  " + name(kernel.schedule));
    }
  }

  void memory() {
    line("\nWeights (" + std::to_string(plan_.weights().size()) + ", " +
         byteText(plan_.info().weightBytes) + ")");
    for (uint32_t i = 0; i < plan_.weights().size(); ++i)
      weight(i);
    if (!plan_.pools().empty())
      line("\nCache pools (" + std::to_string(plan_.pools().size()) + ", " +
           byteText(plan_.info().pageBytes) + " a page)");
    groups();
    for (uint32_t i = 0; i < plan_.pools().size(); ++i) {
      const PoolRecord &pool = plan_.pools()[i];
      print(out_, "  %4u  ", i);
      line(name(pool.name) + "  " + elementName(pool.element) + ", group " +
           std::to_string(pool.group) + ", place " + std::to_string(pool.place) + ", " +
           byteText(pool.bytesPerPage) + " a page, keeps " +
           (pool.window ? "the last " + std::to_string(pool.window) + " tokens" : "all tokens"));
    }
    line("\nTensors (" + std::to_string(plan_.tensors().size()) + ")");
    for (uint32_t i = 0; i < plan_.tensors().size(); ++i) {
      const TensorRecord &tensor = plan_.tensors()[i];
      print(out_, "  %4u  ", i);
      line(std::string(tensor.isOutput ? "output " : "input  ") + name(tensor.name) + "  " +
           elementName(tensor.element) + "[" + extentName(tensor.extent) + ", " +
           std::to_string(tensor.columns) + "], row stride " + std::to_string(tensor.rowStride));
    }
    if (!plan_.partitions().empty())
      line("\nWork lists (" + std::to_string(plan_.partitions().size()) + ")");
    for (uint32_t i = 0; i < plan_.partitions().size(); ++i) {
      const PartitionRecord &partition = plan_.partitions()[i];
      print(out_, "  %4u  sequences of %u to %u queries, %u queries an item, ", i,
            partition.minQuery, partition.maxQuery, partition.queryTile);
      if (partition.split)
        print(out_, "keys split at multiples of %u into at most %u", partition.split,
              partition.maxSplits);
      else
        out_ += "keys not split";
      if (partition.wave)
        print(out_, ", longer in steps of many keys (waves of %u)", partition.wave);
      print(out_, ", at most %u items\n", partition.capacity);
      if (partition.workspaceItemBytes)
        line("          workspace " +
             byteText(partition.workspaceItemBytes * partition.capacity) + " = " +
             std::to_string(partition.workspaceItemBytes) + " an item, in the arena at " +
             std::to_string(partition.workspaceOffset));
    }
  }

  void images() {
    line("\nNative code");
    if (plan_.images().empty())
      line("  none");
    for (const ImageRecord &image : plan_.images()) {
      line(std::string("  ") + targetName(image.target) + "  " + byteText(image.bytes) + ", " +
           std::to_string(image.entryCount) + " kernels");
      if (isCuda(image.target))
        for (const EntryRecord &entry :
             plan_.entries().subspan(image.firstEntry, image.entryCount)) {
          line("    " + cudaEntry(entry));
          for (const TensorMapRecord &map : plan_.tensorMaps(entry))
            line("      " + tensorMap(map));
        }
    }
  }

  void texts() {
    line("\nTexts (" + std::to_string(plan_.texts().size()) + ")");
    for (const TextRecord &text : plan_.texts())
      line("  " + name(text.name) + "  " + byteText(text.text.size));
  }

  std::string take() { return std::move(out_); }

private:
  void line(const std::string &text) { (out_ += text) += '\n'; }
  std::string name(StringRef reference) const { return printable(plan_.string(reference)); }

  /// What a sequence holds in each group: all groups take pages of the same size from one memory.
  void groups() {
    if (plan_.pools().empty())
      return;
    const InfoRecord &info = plan_.info();
    CacheGroups groups = cacheGroups(plan_.pools());
    uint64_t tokenBytes = info.pageBytes / info.pageSize;
    for (uint32_t group = 0; group < groups.count; ++group) {
      uint32_t window = groups.windows[group];
      auto pagesFor = [&](uint32_t stepTokens) {
        uint64_t tokens = tokensHeld(window, info.maxContext, stepTokens, info.pageSize);
        return (tokens + info.pageSize - 1) / info.pageSize;
      };
      uint64_t pages = pagesFor(info.maxTokens);
      line("  group " + std::to_string(group) + "  " + byteText(tokenBytes) + " a token, keeps " +
           (window ? "the last " + std::to_string(window) + " tokens" : "all tokens") +
           ": at most " + std::to_string(pages) + " pages a sequence, " +
           byteText(pages * info.pageBytes) +
           (window ? ", and " + std::to_string(pagesFor(1)) + " while it writes" : ""));
    }
  }

  std::string cudaEntry(const EntryRecord &entry) const {
    std::string text = name(entry.symbol) + "  " + std::to_string(entry.threads) + " threads, " +
                       std::to_string(entry.registers) + " registers, " +
                       byteText(entry.sharedBytes) + " shared, cubin " + byteText(entry.codeBytes);
    if (entry.flags & kEntryPersistent)
      text += ", persistent";
    if (entry.flags & kEntryProgrammaticLaunch)
      text += ", starts early";
    if (uint32_t cluster = (entry.flags & kEntryClusterMask) >> kEntryClusterShift)
      text += ", clusters of " + std::to_string(cluster);
    return text;
  }

  /// "boxes [64, 128] of buffer 0, bf16 [scalar 1, 4096], strides [8192, 2], swizzled in 128 bytes":
  /// the outermost dimension first, as shapes are written.
  static std::string tensorMap(const TensorMapRecord &map) {
    auto list = [&](auto each) {
      std::string text = "[";
      for (uint32_t i = map.rank; i-- > 0;)
        text += each(i) + (i ? ", " : "]");
      return text;
    };
    auto extent = [&](uint32_t i) {
      if (i + 1 < map.rank || map.extents[i])
        return std::to_string(map.extents[i]);
      return map.scalar == kNone ? "any" : "scalar " + std::to_string(map.scalar);
    };
    return "boxes " + list([&](uint32_t i) { return std::to_string(map.box[i]); }) +
           " of buffer " + std::to_string(map.buffer) + ", " + elementName(map.element) + " " +
           list(extent) + ", strides " +
           list([&](uint32_t i) { return std::to_string(map.strides[i]); }) +
           (map.swizzle ? ", swizzled in " + std::to_string(map.swizzle) + " bytes" : "");
  }

  static std::string work(const KernelRecord &kernel) {
    std::string text;
    if (kernel.flopsPerItem)
      text += ", " + std::to_string(kernel.flopsPerItem) + " FLOP an item";
    if (kernel.bytesPerItem)
      text += ", reads " + byteText(kernel.bytesPerItem) + " an item";
    return text;
  }

  void weight(uint32_t index) {
    const WeightRecord &weight = plan_.weights()[index];
    print(out_, "  %4u  ", index);
    std::string layout = layoutName(weight.layout);
    if (weight.layout == WeightLayout::Panel)
      layout += " of " + std::to_string(weight.panel) + " rows";
    else if (weight.panel)
      layout += " padded to " + std::to_string(weight.panel) + " rows";
    line(name(weight.name) + "  " + elementName(weight.element) + "[" +
         std::to_string(weight.rows) + ", " + std::to_string(weight.columns) + "], " + layout +
         ", " + byteText(weight.bytes));
    auto sources = plan_.sources().subspan(weight.firstSource, weight.sourceCount);
    for (const SourceRecord &source : sources) {
      std::string text = std::string("          ") + sourceKindName(source.kind) + " " +
                         std::to_string(source.rows) + " rows";
      if (source.tensor.size)
        text += " of " + name(source.tensor);
      if (source.file != kNone)
        text += " in " + name(plan_.files()[source.file].name) + " at " +
                std::to_string(source.offset);
      line(text);
    }
  }

  std::string instruction(const InstructionRecord &record) const {
    std::string dst = registerName(record.dst) + " = ";
    std::string a = registerName(record.a), b = registerName(record.b);
    switch (record.opcode) {
    case Opcode::Constant:
      return dst + std::to_string(record.imm);
    case Opcode::Add:
      return dst + a + " + " + b;
    case Opcode::Multiply:
      return dst + a + " * " + b;
    case Opcode::CeilDiv:
      return dst + "ceil(" + a + " / " + b + ")";
    case Opcode::Minimum:
      return dst + "min(" + a + ", " + b + ")";
    case Opcode::Maximum:
      return dst + "max(" + a + ", " + b + ")";
    case Opcode::BranchIfGreater:
      return "if " + a + " > " + b + " go to " + std::to_string(record.imm);
    case Opcode::Jump:
      return "go to " + std::to_string(record.imm);
    case Opcode::Partition:
      return dst + "partition(work list " + std::to_string(record.index) +
             (record.imm ? ", if split)" : ")");
    case Opcode::Launch:
      return launch(record);
    case Opcode::End:
    case Opcode::Count:
      break;
    }
    return "end";
  }

  std::string launch(const InstructionRecord &record) const {
    std::string text = "launch " + name(plan_.kernels()[record.index].name) + " [" +
                       registerName(record.a) + "] (";
    const char *separator = "";
    for (const OperandRecord &operand :
         plan_.operands().subspan(record.firstOperand, record.operandCount)) {
      text += separator + operandText(operand);
      separator = ", ";
    }
    return text + ")";
  }

  std::string operandText(const OperandRecord &operand) const {
    switch (operand.kind) {
    case OperandKind::Arena:
      return "arena[" + describeSize(operand.offset) + "]";
    case OperandKind::Weight:
      return "weight " + name(plan_.weights()[operand.index].name);
    case OperandKind::Pool:
      return "pool " + name(plan_.pools()[operand.index].name);
    case OperandKind::Tensor:
      return "tensor " + name(plan_.tensors()[operand.index].name);
    case OperandKind::Batch:
      return batchFieldName(static_cast<BatchField>(operand.index)) +
             (operand.group ? " of group " + std::to_string(operand.group) : std::string());
    case OperandKind::WorkList:
      return "work list " + std::to_string(operand.index);
    case OperandKind::Workspace:
      return "workspace " + std::to_string(operand.index) + "[" +
             std::to_string(operand.offset.constant) + "]";
    case OperandKind::Scalar:
      return registerName(operand.index);
    case OperandKind::Count:
      break;
    }
    return "?";
  }

  const Plan &plan_;
  std::string out_;
};

} // namespace

std::string describeSize(const ByteSize &size) {
  std::string text;
  auto add = [&](uint64_t value, const char *unit) {
    if (value)
      text += (text.empty() ? "" : " + ") + std::to_string(value) + unit;
  };
  add(size.constant, "");
  add(size.perToken, " T");
  add(size.perSample, " S");
  return text.empty() ? "0" : text;
}

std::string describe(const Plan &plan, const DescribeOptions &options) {
  Describer describer(plan);
  if (options.summary)
    describer.summary(options.resident);
  if (options.program)
    describer.program();
  if (options.kernels)
    describer.kernels();
  if (options.memory)
    describer.memory();
  if (options.images)
    describer.images();
  if (options.texts)
    describer.texts();
  return describer.take();
}

Result<std::string> describeText(const Plan &plan, std::string_view name) {
  std::string names;
  for (const TextRecord &text : plan.texts()) {
    if (plan.string(text.name) == name)
      return std::string(plan.string(text.text));
    names += (names.empty() ? "" : ", ") + printable(plan.string(text.name));
  }
  return Status::error(ErrorCode::NotFound, "the plan has no text '" + printable(name) +
                                                "'; it has " +
                                                (names.empty() ? "none" : names));
}

} // namespace quire
