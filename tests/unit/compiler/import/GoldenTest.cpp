// Every golden model, imported and run by the reference interpreter, against the logits that Hugging
// Face transformers computed: a 64-token prefill and 32 decode steps.
#include "compiler/import/Import.h"
#include "compiler/reference/Interpreter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <numeric>

using namespace quire;
using quire::reference::Tensor;

namespace {

/// Elements of a tensor of 4-byte numbers.
template <class T> std::vector<T> readTensor(const std::string &path, const std::string &name) {
  Result<File> file = File::open(path);
  EXPECT_TRUE(file.isOk()) << path;
  Result<SafetensorsHeader> header = readSafetensorsHeader(*file);
  EXPECT_TRUE(header.isOk()) << path;
  auto found = header->tensors.find(name);
  EXPECT_TRUE(found != header->tensors.end()) << name;
  std::vector<T> values(found->second.bytes / sizeof(T));
  EXPECT_TRUE(file->readAt(found->second.offset, values.data(), found->second.bytes).isOk());
  return values;
}

/// The largest difference over the largest value.
double relativeError(const Tensor &actual, const std::vector<float> &expected, size_t start) {
  double largest = 0, error = 0;
  for (size_t i = 0; i < actual.values.size(); ++i) {
    largest = std::max(largest, std::abs(double(expected[start + i])));
    error = std::max(error, std::abs(actual.values[i] - expected[start + i]));
  }
  return error / largest;
}

struct Imported {
  mlir::MLIRContext context{mlir::MLIRContext::Threading::DISABLED};
  mlir::OwningOpRef<mlir::ModuleOp> module;
  std::vector<std::string> warnings;
  std::string folder;

  explicit Imported(const std::string &family)
      : folder(QUIRE_GOLDEN_FOLDER "/" + family) {
    importer::ImportOptions options;
    options.modelDirectory = folder;
    options.templatesDirectory = QUIRE_MODELS_FOLDER;
    auto result = importer::importModel(context, options, warnings);
    EXPECT_TRUE(result.isOk()) << result.status().message();
    if (result.isOk())
      module = result.takeValue();
  }

  reference::Interpreter interpreter() {
    Result<ModelFiles> files = ModelFiles::open(folder);
    EXPECT_TRUE(files.isOk());
    auto shared = std::make_shared<ModelFiles>(files.takeValue());
    auto loader = [shared](llvm::StringRef name) -> mlir::FailureOr<std::vector<float>> {
      auto location = shared->find(name);
      if (!location)
        return mlir::failure();
      return readTensor<float>(shared->directory() + "/" + shared->files()[location->file].name,
                               name.str());
    };
    return reference::Interpreter(*module->getOps<mlir::func::FuncOp>().begin(), loader);
  }
};

class Golden : public testing::TestWithParam<const char *> {};

TEST_P(Golden, LogitsAreThoseOfTransformers) {
  constexpr double kTolerance = 2e-5;
  Imported model(GetParam());
  ASSERT_TRUE(model.module);
  EXPECT_TRUE(model.warnings.empty()) << model.warnings.front();
  reference::Interpreter interpreter = model.interpreter();

  std::string golden = model.folder + "/golden.safetensors";
  auto prompt = readTensor<int32_t>(golden, "prompt_ids");
  auto tokens = readTensor<int32_t>(golden, "f32.tokens");
  auto prefill = readTensor<float>(golden, "f32.prefill_logits");
  auto steps = readTensor<float>(golden, "f32.step_logits");
  size_t vocabulary = prefill.size() / prompt.size();

  reference::SequenceStep step{0, prompt, std::vector<int64_t>(prompt.size())};
  std::iota(step.samples.begin(), step.samples.end(), 0);
  auto logits = interpreter.run({step});
  ASSERT_TRUE(mlir::succeeded(logits));
  EXPECT_LT(relativeError(logits->front(), prefill, 0), kTolerance);
  for (size_t at = 1; at < tokens.size(); ++at) {
    logits = interpreter.run({{0, {tokens[at - 1]}, {0}}});
    ASSERT_TRUE(mlir::succeeded(logits));
    EXPECT_LT(relativeError(logits->front(), steps, at * vocabulary), kTolerance) << "step " << at;
  }
}

INSTANTIATE_TEST_SUITE_P(Families, Golden,
                         testing::Values("llama", "llama3", "llama3_v5", "mistral", "qwen2",
                                         "qwen3", "gemma2", "gpt2"));

TEST(Golden, PerceptronGivesItsRows) {
  Imported model("mlp");
  ASSERT_TRUE(model.module);
  reference::Interpreter interpreter = model.interpreter();
  auto rows = readTensor<float>(model.folder + "/golden.safetensors", "input");
  auto expected = readTensor<float>(model.folder + "/golden.safetensors", "output.gelu");
  constexpr int64_t kColumns = 48;
  Tensor input({static_cast<int64_t>(rows.size()) / kColumns, kColumns});
  input.values.assign(rows.begin(), rows.end());
  llvm::StringMap<Tensor> inputs;
  inputs["x"] = input;
  auto result = interpreter.run({}, inputs);
  ASSERT_TRUE(mlir::succeeded(result));
  ASSERT_EQ(result->front().values.size(), expected.size());
  EXPECT_LT(relativeError(result->front(), expected, 0), 1e-6);
}

} // namespace
