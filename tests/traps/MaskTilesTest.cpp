// Masks bound the loops over keys: which pages each work item of attention reads is traced, and must be the
// pages that hold a key which one of its queries sees. Pools are protected against any access before an
// item runs; the first access to a page faults, is noted, and opens the page. A page holds one tile of keys.
#include "compiler/Driver.h"
#include "runtime/device/cpu/CpuDevice.h"
#include "runtime/exec/Executor.h"
#include "tests/tools/quire-diff/Checkpoint.h"
#include "tests/tools/quire-diff/RandomModule.h"

#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"

#include <gtest/gtest.h>

#include <csignal>
#include <fstream>
#include <functional>
#include <set>

#include <sys/mman.h>

namespace quire::test {
namespace {

constexpr int64_t kPage = 32, kContext = 320;

/// The protected pools. Plain data: the handler of the fault reads it.
struct Guard {
  uint8_t *base = nullptr;
  size_t bytesPerPage = 0, pages = 0;
  bool touched[64] = {};
} guards[4];
size_t guardCount = 0;

void onFault(int, siginfo_t *info, void *) {
  auto *address = static_cast<uint8_t *>(info->si_addr);
  for (size_t i = 0; i < guardCount; ++i) {
    Guard &guard = guards[i];
    if (address < guard.base || address >= guard.base + guard.bytesPerPage * guard.pages)
      continue;
    size_t page = static_cast<size_t>(address - guard.base) / guard.bytesPerPage;
    guard.touched[page] = true;
    mprotect(guard.base + page * guard.bytesPerPage, guard.bytesPerPage, PROT_READ | PROT_WRITE);
    return;
  }
  signal(SIGSEGV, SIG_DFL); // somebody else's fault: it comes again and ends the program
}

void protect(int rights) {
  for (size_t i = 0; i < guardCount; ++i)
    ASSERT_EQ(mprotect(guards[i].base, guards[i].bytesPerPage * guards[i].pages, rights), 0);
}

/// The pages of each pool that one work item read.
struct ItemTrace {
  plan::WorkItem item;
  std::vector<std::set<int64_t>> pools;
};

/// A CPU device that runs launches which read a work list item by item, with the pools under guard.
class TracingDevice : public Device {
public:
  TracingDevice(std::unique_ptr<Device> inner, const Plan &plan) : inner(std::move(inner)) {
    workListAt.assign(plan.kernels().size(), -1);
    for (const plan::InstructionRecord &instruction : plan.instructions()) {
      if (instruction.opcode != plan::Opcode::Launch)
        continue;
      int buffer = 0;
      for (uint32_t i = 0; i < instruction.operandCount; ++i) {
        auto kind = plan.operands()[instruction.firstOperand + i].kind;
        if (kind == plan::OperandKind::WorkList)
          workListAt[instruction.index] = buffer;
        buffer += kind != plan::OperandKind::Scalar;
      }
    }
  }

  DeviceProperties properties() const override { return inner->properties(); }
  bool sharesHostMemory() const override { return inner->sharesHostMemory(); }
  Result<DeviceBuffer> allocate(uint64_t bytes, std::string_view purpose,
                                MemoryKind kind) override {
    return inner->allocate(bytes, purpose, kind);
  }
  Status copy(void *target, const void *source, uint64_t bytes, Queue queue) override {
    return inner->copy(target, source, bytes, queue);
  }
  Status fill(void *target, uint8_t value, uint64_t bytes, Queue queue) override {
    return inner->fill(target, value, bytes, queue);
  }
  Status order(Queue before, Queue after) override { return inner->order(before, after); }
  Result<bool> isIdle(Queue queue) override { return inner->isIdle(queue); }
  Result<std::unique_ptr<DeviceImage>> loadImage(const Plan &plan) override {
    return inner->loadImage(plan);
  }
  Status synchronize(Queue queue) override { return inner->synchronize(queue); }

  Status launch(const DeviceImage &image, uint32_t kernel, std::span<void *const> buffers,
                std::span<const int64_t> scalars, int64_t items) override {
    int at = workListAt[kernel];
    if (at < 0)
      return inner->launch(image, kernel, buffers, scalars, items);
    std::vector<void *> own(buffers.begin(), buffers.end());
    const auto *list = static_cast<const plan::WorkItem *>(buffers[static_cast<size_t>(at)]);
    // One cache head, so that the grid is the work list.
    for (int64_t number = 0; number < items; ++number) {
      plan::WorkItem item = list[number];
      own[static_cast<size_t>(at)] = &item;
      QUIRE_RETURN_IF_ERROR(inner->synchronize(Queue::Compute));
      for (size_t i = 0; i < guardCount; ++i)
        std::fill(std::begin(guards[i].touched), std::end(guards[i].touched), false);
      protect(PROT_NONE);
      Status status = inner->launch(image, kernel, own, scalars, 1);
      Status done = inner->synchronize(Queue::Compute);
      protect(PROT_READ | PROT_WRITE);
      QUIRE_RETURN_IF_ERROR(std::move(status));
      QUIRE_RETURN_IF_ERROR(std::move(done));
      ItemTrace trace{item, {}};
      for (size_t i = 0; i < guardCount; ++i) {
        trace.pools.emplace_back();
        for (size_t page = 0; page < guards[i].pages; ++page)
          if (guards[i].touched[page])
            trace.pools.back().insert(static_cast<int64_t>(page));
      }
      traces.push_back(std::move(trace));
    }
    return Status::ok();
  }

  std::vector<ItemTrace> traces;

protected:
  void release(void *, uint64_t, MemoryKind) override {} // buffers belong to the inner device

private:
  std::unique_ptr<Device> inner;
  std::vector<int> workListAt; ///< place of the work list among a kernel's buffers, or -1
};

using Sees = std::function<bool(int64_t query, int64_t key)>;

struct MaskCase {
  const char *name;
  Mask mask;
  Sees sees;
};

constexpr int kWindow = 45, kPrefix = 70;

const MaskCase kCases[] = {
    {"causal", Mask::Causal, [](int64_t q, int64_t k) { return k <= q; }},
    {"strict", Mask::Strict, [](int64_t q, int64_t k) { return k < q; }},
    {"window", Mask::Window, [](int64_t q, int64_t k) { return k <= q && q - k < kWindow; }},
    {"prefix", Mask::Prefix, [](int64_t q, int64_t k) { return k <= q || k < kPrefix; }},
    {"windowAndPrefix", Mask::WindowAndPrefix,
     [](int64_t q, int64_t k) { return (k <= q && q - k < kWindow) || k < kPrefix; }},
    {"document", Mask::Document,
     [](int64_t q, int64_t k) { return k <= q && q - k <= q % kWindow; }},
    {"chunk", Mask::Chunk,
     [](int64_t q, int64_t k) { return k <= q && k / kWindow == q / kWindow; }},
    {"full", Mask::Full, [](int64_t, int64_t) { return true; }},
};

/// What an item's queries see, by asking the mask for every pair.
std::set<int64_t> visiblePages(const plan::WorkItem &item, const Sees &sees) {
  std::set<int64_t> pages;
  for (int64_t query = item.position; query < item.position + item.rowCount; ++query)
    for (int64_t key = item.keyBegin; key < item.keyEnd; ++key)
      if (sees(query, key))
        pages.insert(key / kPage);
  return pages;
}

class MaskTiles : public ::testing::TestWithParam<MaskCase> {
protected:
  void SetUp() override {
    struct sigaction action = {};
    action.sa_sigaction = onFault;
    action.sa_flags = SA_SIGINFO;
    sigaction(SIGSEGV, &action, &before);
  }
  void TearDown() override {
    guardCount = 0;
    sigaction(SIGSEGV, &before, nullptr);
  }

  /// Compiles the case and runs a sequence of kContext tokens: long and short chunks and single tokens.
  /// Traces name pages of the sequence, not of the pool.
  Result<std::vector<ItemTrace>> trace(const std::vector<std::string> &disabledPasses) {
    RandomModel model;
    model.mask = GetParam().mask;
    model.heads = model.group = 2;
    model.dim = static_cast<int>(kPage); // 32 keys of 32 f32 columns: one page of the machine
    model.page = static_cast<int>(kPage);
    model.hidden = 32;
    model.window = kWindow;
    model.prefix = kPrefix;
    model.context = static_cast<int>(kContext);
    model.rotary = false;
    QUIRE_RETURN_IF_ERROR(compile(model.text(), disabledPasses));

    QUIRE_ASSIGN_OR_RETURN(Plan plan, Plan::open(folder.file("case.plan")));
    CpuDeviceOptions deviceOptions;
    deviceOptions.threads = 1;
    QUIRE_ASSIGN_OR_RETURN(std::unique_ptr<Device> cpu, createCpuDevice(deviceOptions));
    TracingDevice device(std::move(cpu), plan);
    QUIRE_ASSIGN_OR_RETURN(auto weights, WeightStore::load(plan, {}));
    ExecutorOptions options;
    options.pageCount = kContext / kPage;
    QUIRE_ASSIGN_OR_RETURN(auto executor, Executor::create(plan, device, *weights, options));
    guardCount = plan.pools().size();
    for (uint32_t i = 0; i < guardCount; ++i) {
      guards[i] = {executor->pool(i).data(), plan.pools()[i].bytesPerPage, options.pageCount, {}};
      if (guards[i].bytesPerPage % 4096 || reinterpret_cast<uintptr_t>(guards[i].base) % 4096)
        return Status::error(ErrorCode::Internal, "cache pages are not pages of the machine");
    }
    int32_t length = 0;
    for (int32_t rows : {1, 100, 1, 37, 8, 1, 1, 11, 90, 1, 1, 68})
      QUIRE_RETURN_IF_ERROR(step(*executor, length, rows));
    EXPECT_EQ(length, kContext);
    std::vector<ItemTrace> traces = std::move(device.traces);
    for (ItemTrace &trace : traces)
      for (std::set<int64_t> &pages : trace.pools) {
        std::set<int64_t> own;
        for (int64_t page : pages)
          own.insert(kContext / kPage - 1 - page);
        pages = own;
      }
    guardCount = 0;
    return traces;
  }

private:
  Status compile(const std::string &text, const std::vector<std::string> &disabledPasses) {
    std::ofstream(folder.file("case.mlir")) << text;
    mlir::MLIRContext context;
    compiler::prepareContext(context);
    auto module = mlir::parseSourceString<mlir::ModuleOp>(text, mlir::ParserConfig(&context));
    std::mt19937_64 random(7);
    QUIRE_RETURN_IF_ERROR(writeRandomWeights(*module, folder.path(), random));
    compiler::CompileOptions compile;
    compile.input = folder.file("case.mlir");
    compile.modelDirectory = folder.path();
    compile.output = folder.file("case.plan");
    compile.disabledPasses = disabledPasses;
    compiler::CompileReport report = compiler::compileModel(context, compile);
    if (report.failure != compiler::CompileFailure::None)
      return Status::error(ErrorCode::Internal, report.errors.empty() ? "?" : report.errors.front());
    return Status::ok();
  }

  /// One sequence whose pages lie in the pool from the last to the first.
  static Status step(Executor &executor, int32_t &length, int32_t rows) {
    std::vector<int32_t> ids, positions, slots, table, offsets{0, rows}, lengths{length + rows}, samples{0};
    for (int32_t row = 0; row < rows; ++row) {
      int32_t position = length + row, page = static_cast<int32_t>(kContext / kPage) - 1 - position / kPage;
      ids.push_back(position % 31);
      positions.push_back(position);
      slots.push_back(page * static_cast<int32_t>(kPage) + position % kPage);
    }
    for (int32_t page = static_cast<int32_t>(kContext / kPage); page-- > 0;)
      table.push_back(page);
    StepBatch batch;
    batch.tokens = static_cast<uint32_t>(rows);
    batch.tokenIds = ids;
    batch.positions = positions;
    batch.slots = slots;
    batch.queryOffsets = offsets;
    batch.keyLengths = lengths;
    batch.blockTable = table;
    batch.maxPages = static_cast<uint32_t>(table.size());
    batch.sampleRows = samples;
    length += rows;
    return executor.run(batch);
  }

  WorkFolder folder;
  struct sigaction before;
};

std::string describe(const ItemTrace &trace) {
  return "item of " + std::to_string(trace.item.rowCount) + " queries from " +
         std::to_string(trace.item.position) + ", keys up to " + std::to_string(trace.item.keyEnd);
}

} // namespace

TEST_P(MaskTiles, ItemsReadThePagesThatTheirQueriesSee) {
  auto traced = trace({});
  ASSERT_TRUE(traced.isOk()) << traced.status().message();
  std::vector<ItemTrace> traces = traced.takeValue();
  size_t read = 0, visible = 0, all = 0;
  for (const ItemTrace &trace : traces) {
    std::set<int64_t> expected = visiblePages(trace.item, GetParam().sees);
    ASSERT_EQ(trace.pools.size(), 2u);
    EXPECT_EQ(trace.pools[0], expected) << "keys, " << describe(trace);
    EXPECT_EQ(trace.pools[1], expected) << "values, " << describe(trace);
    read += trace.pools[0].size();
    visible += expected.size();
    all += static_cast<size_t>((trace.item.keyEnd + kPage - 1) / kPage);
  }
  EXPECT_GT(traces.size(), 40u);
  EXPECT_EQ(read, visible);
  std::printf("%s: %zu items read %zu tiles of keys, %zu hold visible keys, %zu hold keys\n",
              GetParam().name, traces.size(), read, visible, all);
}

/// Without the pass every item reads every key: the trace would see it.
TEST_P(MaskTiles, WithoutTheBoundsEveryTileIsRead) {
  auto traced = trace({"quire-bound-mask"});
  ASSERT_TRUE(traced.isOk()) << traced.status().message();
  for (const ItemTrace &trace : traced.takeValue())
    EXPECT_EQ(trace.pools[0], visiblePages(trace.item, [](int64_t, int64_t) { return true; }))
        << describe(trace);
}

INSTANTIATE_TEST_SUITE_P(Masks, MaskTiles, ::testing::ValuesIn(kCases),
                         [](const auto &info) { return std::string(info.param.name); });

} // namespace quire::test
