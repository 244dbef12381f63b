// Implements AttentionLayer.h.
#include "tests/bench/attention/AttentionLayer.h"

#include "compiler/Driver.h"
#include "runtime/device/cpu/CpuDevice.h"

#include "mlir/IR/MLIRContext.h"

#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>

#include <unistd.h>

namespace quire::bench {
namespace {

constexpr uint32_t kPage = 32;

[[noreturn]] void fail(const std::string &message) {
  std::fprintf(stderr, "bench-attention: %s\n", message.c_str());
  std::exit(1);
}

template <typename T> T take(Result<T> result) {
  if (!result.isOk())
    fail(std::string(result.status().message()));
  return result.takeValue();
}

/// Causal attention of grouped heads, decomposed, as a model template states it.
std::string moduleText(const LayerShape &shape) {
  auto rows = [](uint64_t columns) { return "tensor<?x" + std::to_string(columns) + "xf32>"; };
  auto heads = [&](uint64_t count) {
    return "tensor<?x" + std::to_string(count) + "x" + std::to_string(shape.dim) + "xf32>";
  };
  std::string q = rows(shape.heads * shape.dim), k = rows(shape.cacheHeads * shape.dim);
  std::string qh = heads(shape.heads), kh = heads(shape.cacheHeads);
  std::string cells = "tensor<?x" + std::to_string(shape.heads) + "x?x";
  std::string s = cells + "f32>", i = cells + "i32>";
  std::ostringstream out;
  out << "!cache = !graph.cache<page = " << kPage << ", element = bf16, window = 0, components = [";
  for (const char *name : {"k", "v"})
    out << (*name == 'v' ? ", " : "") << "<\"" << name << "\", heads = " << shape.cacheHeads
        << ", dim = " << shape.dim << ">";
  out << "]>\nmodule attributes {quire.model = \"attention\", quire.max_context = " << shape.context
      << " : i64} {\n  func.func @step(%q: " << q << " {quire.name = \"q\"}, %k: " << k
      << " {quire.name = \"k\"}, %v: " << k << " {quire.name = \"v\"}, %batch: !graph.batch,"
      << " %cache: !cache {quire.name = \"cache\"}) -> (" << q
      << " {quire.name = \"o\"}, !cache) {\n"
      << "    %qh = graph.reshape %q : " << q << " -> " << qh << "\n"
      << "    %kh = graph.reshape %k : " << k << " -> " << kh << "\n"
      << "    %vh = graph.reshape %v : " << k << " -> " << kh << "\n"
      << "    %c = graph.cache_append %cache of %batch [\"k\", \"v\"] (%kh, %vh) : !cache, " << kh
      << ", " << kh << "\n"
      << "    %s = graph.scores %qh, %c \"k\" of %batch : " << qh << ", !cache -> " << s << "\n"
      << "    %f = arith.constant " << std::scientific << 1 / std::sqrt(double(shape.dim))
      << " : f32\n"
      << "    %fs = graph.splat %f like %s : f32, " << s << " -> " << s << "\n"
      << "    %s1 = arith.mulf %s, %fs : " << s << "\n"
      << "    %at = graph.position query %s of %batch : " << s << " -> " << i << "\n"
      << "    %kp = graph.position key %s of %batch : " << s << " -> " << i << "\n"
      << "    %seen = arith.cmpi sle, %kp, %at : " << i << "\n"
      << "    %low = arith.constant 0xFF800000 : f32\n"
      << "    %ls = graph.splat %low like %s : f32, " << s << " -> " << s << "\n"
      << "    %s2 = arith.select %seen, %s1, %ls : " << cells << "i1>, " << s << "\n"
      << "    %p = graph.softmax %s2 : " << s << " -> " << s << "\n"
      << "    %o = graph.mix %p, %c \"v\" of %batch : " << s << ", !cache -> " << qh << "\n"
      << "    %of = graph.reshape %o : " << qh << " -> " << q << "\n"
      << "    return %of, %c : " << q << ", !cache\n  }\n}\n";
  return out.str();
}

void compile(const LayerShape &shape, uint32_t queries, const LayerOptions &layer,
             const std::string &path) {
  std::ofstream(path + ".mlir") << moduleText(shape);
  mlir::MLIRContext context;
  compiler::prepareContext(context);
  compiler::CompileOptions options;
  options.input = path + ".mlir";
  options.output = path;
  options.limits = {queries, 1, 1};
  options.cpuLevels = {__builtin_cpu_supports("avx512f") ? compiler::CpuLevel::X86_64_V4
                                                         : compiler::CpuLevel::X86_64_V3};
  const std::string schedules = path + ".schedules";
  if (layer.split >= 0) {
    std::filesystem::create_directory(schedules);
    std::ofstream(schedules + "/attention.json")
        << "{\"kernels\": [{\"variants\": [{\"max\": 1, \"queries\": 1, \"split\": "
        << layer.split << "}, {\"min\": 2, \"queries\": 8}]}]}\n";
    options.schedules = schedules;
  }
  if (!layer.fused)
    options.disabledPasses = {"quire-fuse-attention"};
  compiler::CompileReport report = compiler::compileModel(context, options);
  std::filesystem::remove(path + ".mlir");
  std::filesystem::remove_all(schedules);
  if (report.failure != compiler::CompileFailure::None)
    fail("the compiler refused: " + (report.errors.empty() ? "" : report.errors.front()));
}

uint16_t toBf16(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, 4);
  return static_cast<uint16_t>((bits + 0x8000) >> 16);
}

double processorSeconds() {
  timespec time;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

} // namespace

AttentionLayer::AttentionLayer(const LayerShape &layerShape, uint32_t queries,
                               const LayerOptions &layer)
    : shape(layerShape), threads(layer.threads) {
  path = (std::filesystem::temp_directory_path() /
          ("bench-attention-" + std::to_string(::getpid()) + ".plan"))
             .string();
  compile(shape, queries, layer, path);
  plan = std::make_unique<Plan>(take(Plan::open(path)));
  weights = take(WeightStore::load(*plan, {.modelDirectory = {}, .threads = 1, .progress = {}}));
  CpuDeviceOptions deviceOptions;
  deviceOptions.threads = threads;
  device = take(createCpuDevice(deviceOptions));
  ExecutorOptions options;
  options.pageCount = (shape.context + kPage - 1) / kPage;
  executor = take(Executor::create(*plan, *device, *weights, options));

  // The same seed for both, so that outputs can be compared.
  std::mt19937_64 random(shape.heads * 1000003ull + shape.context);
  std::normal_distribution<float> normal;
  for (uint32_t pool = 0; pool < plan->pools().size(); ++pool) {
    std::span<uint8_t> bytes = executor->pool(pool);
    for (size_t i = 0; i + 1 < bytes.size(); i += 2) {
      uint16_t element = toBf16(normal(random));
      std::memcpy(bytes.data() + i, &element, 2);
    }
  }
  auto fill = [&](std::vector<float> &rows, uint32_t columns) {
    rows.resize(size_t{queries} * columns);
    for (float &value : rows)
      value = normal(random);
  };
  fill(queryRows, shape.heads * shape.dim);
  fill(keyRows, shape.cacheHeads * shape.dim);
  fill(valueRows, shape.cacheHeads * shape.dim);
  for (uint32_t page = 0; page < options.pageCount; ++page)
    table.push_back(static_cast<int32_t>(page));
}

AttentionLayer::~AttentionLayer() {
  std::error_code error;
  std::filesystem::remove(path, error);
}

LayerTime AttentionLayer::run(uint32_t queries) {
  positions.resize(queries);
  for (uint32_t i = 0; i < queries; ++i)
    positions[i] = static_cast<int32_t>(shape.context - queries + i);
  int32_t offsets[2] = {0, static_cast<int32_t>(queries)};
  int32_t lengths[1] = {static_cast<int32_t>(shape.context)};
  StepInput inputs[3] = {{"q", queryRows.data(), queries, 0},
                         {"k", keyRows.data(), queries, 0},
                         {"v", valueRows.data(), queries, 0}};
  StepBatch batch;
  batch.tokens = queries;
  batch.positions = positions;
  batch.slots = positions; // page p holds positions p * page …
  batch.queryOffsets = offsets;
  batch.keyLengths = lengths;
  batch.blockTable = table;
  batch.maxPages = static_cast<uint32_t>(table.size());
  batch.inputs = inputs;
  double started = processorSeconds();
  auto wallStarted = std::chrono::steady_clock::now();
  if (Status status = executor->run(batch); !status.isOk())
    fail(std::string(status.message()));
  std::chrono::duration<double> wall = std::chrono::steady_clock::now() - wallStarted;
  return {(processorSeconds() - started) / threads, wall.count()};
}

std::vector<float> AttentionLayer::output() const {
  TensorView view = take(executor->output("o"));
  std::vector<float> values;
  for (uint64_t row = 0; row < view.rows; ++row)
    values.insert(values.end(), view.row(row), view.row(row) + view.columns);
  return values;
}

} // namespace quire::bench
