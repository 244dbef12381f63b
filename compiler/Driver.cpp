// Implements Driver.h.
#include "compiler/Driver.h"

#include "compiler/Explain.h"
#include "compiler/IrFiles.h"
#include "compiler/PassDump.h"
#include "compiler/PassSwitch.h"
#include "compiler/Registration.h"
#include "compiler/cpu/CodeGen.h"
#include "compiler/cpu/CpuImage.h"
#include "compiler/cpu/Passes.h"
#include "compiler/import/Import.h"
#include "compiler/operator/Attributes.h"
#include "compiler/operator/ImportOperator.h"
#include "compiler/tile/Passes.h"

#include "mlir/IR/AsmState.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Support/Timing.h"
#include "llvm/Config/llvm-config.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

#include <chrono>

using namespace mlir;

namespace quire::compiler {
namespace {

std::string placeOf(Location location) {
  if (isa<UnknownLoc>(location))
    return {};
  if (auto file = dyn_cast<FileLineColLoc>(location))
    return file.getFilename().str() + ":" + std::to_string(file.getLine()) + ":" +
           std::to_string(file.getColumn()) + ": ";
  if (auto name = dyn_cast<NameLoc>(location))
    return name.getName().str() + ": ";
  std::string text;
  llvm::raw_string_ostream stream(text);
  location.print(stream);
  return text + ": ";
}

std::string lineOf(const Diagnostic &diagnostic) {
  std::string line = placeOf(diagnostic.getLocation()) + diagnostic.str();
  for (const Diagnostic &note : diagnostic.getNotes())
    line += "; " + placeOf(note.getLocation()) + note.str();
  return line;
}

plan::ImageTarget imageTarget(CpuLevel level) {
  return level == CpuLevel::X86_64_V3 ? plan::ImageTarget::X86_64_V3 : plan::ImageTarget::X86_64_V4;
}

/// The stage whose result a module is: what --compile-to or --dump-ir wrote can be edited and compiled
/// on.
Stage stageOf(ModuleOp module) {
  if (!module.getOps<planir::EntryOp>().empty())
    return Stage::Plan;
  if (!module.getOps<tile::KernelOp>().empty())
    return Stage::Tile;
  return countDispatches(module).empty() ? Stage::Import : Stage::Graph;
}

/// One compilation, stage by stage. Every step returns whether to go on.
class Compilation {
public:
  Compilation(MLIRContext &context, const CompileOptions &options)
      : context(context), options(options), passSwitch(context, options.disabledPasses),
        handler(&context, [this](Diagnostic &diagnostic) { return note(diagnostic); }) {}

  CompileReport run() {
    timing.setEnabled(options.passTiming);
    allPasses = timing.getRootScope();
    bool done = import() && stage(Stage::Graph) && stage(Stage::Tile) && code() &&
                stage(Stage::Plan) && passesKnown() && write();
    (void)done; // the report says how far it came
    if (options.passTiming)
      printPassTimes();
    return std::move(report);
  }

private:
  LogicalResult note(Diagnostic &diagnostic) {
    switch (diagnostic.getSeverity()) {
    case DiagnosticSeverity::Error:
      report.errors.push_back(lineOf(diagnostic));
      break;
    case DiagnosticSeverity::Warning:
      report.warnings.push_back(lineOf(diagnostic));
      break;
    case DiagnosticSeverity::Remark:
    case DiagnosticSeverity::Note:
      report.remarks.push_back(lineOf(diagnostic));
      break;
    }
    return success();
  }

  bool fail(CompileFailure kind, const std::string &message = {}) {
    report.failure = kind;
    if (!message.empty())
      report.errors.push_back(message);
    return false;
  }

  void finished(StringRef name, std::chrono::steady_clock::time_point start) {
    double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    report.stages.emplace_back(name.str(), seconds);
    if (options.onStage)
      options.onStage(name, seconds);
  }

  /// Ends a stage: writes its dump, stops if it was the last one wanted.
  bool ended(Stage stage, ModuleOp result) {
    if (!options.dumpIr.empty() &&
        !dump(options.dumpIr, numberedStageName(stage) + ".mlir", irText(result)))
      return false;
    if (options.stopAfter != stage)
      return true;
    report.text = irText(result);
    return passesKnown() && false;
  }

  bool dump(const std::string &folder, const std::string &name, StringRef content) {
    std::string error = writeIrFile(folder, name, content);
    return error.empty() || fail(CompileFailure::Output, error);
  }

  bool import() {
    auto start = std::chrono::steady_clock::now();
    bool isText = StringRef(options.input).ends_with(".mlir");
    bool isOperator = !options.operatorSignature.empty();
    if (!(isOperator ? importSignature() : isText ? parse() : importDirectory()) || !openFiles())
      return false;
    finished("import", start);
    return ended(Stage::Import, *module);
  }

  bool importDirectory() {
    importer::ImportOptions importOptions;
    importOptions.modelDirectory = options.input;
    importOptions.templatesDirectory = options.templates;
    importOptions.pageSize = options.pageSize;
    importOptions.maxContext = options.context;
    importOptions.cacheElement = options.cacheElement;
    auto imported = importer::importModel(context, importOptions, report.warnings);
    if (!imported.isOk())
      return fail(CompileFailure::Model, imported.status().message());
    module = imported.takeValue();
    return true;
  }

  bool importSignature() {
    OperatorDefaults defaults;
    defaults.page = options.pageSize;
    if (options.context)
      defaults.context = options.context;
    auto imported = importOperator(context, options.operatorSignature, options.templates, defaults,
                                   report.warnings);
    if (!imported.isOk())
      return fail(CompileFailure::Model, imported.status().message());
    module = imported.takeValue();
    return true;
  }

  bool parse() {
    module = parseSourceFile<ModuleOp>(options.input, ParserConfig(&context));
    if (!module)
      return fail(CompileFailure::Model,
                  report.errors.empty() ? "cannot read " + options.input : std::string());
    if (!module->lookupSymbol("step"))
      return fail(CompileFailure::Model, options.input + " has no function @step");
    reached = stageOf(*module);
    Builder builder(&context);
    if (!options.modelDirectory.empty())
      (*module)->setAttr("quire.directory", builder.getStringAttr(options.modelDirectory));
    if (options.context)
      (*module)->setAttr("quire.max_context", builder.getI64IntegerAttr(options.context));
    if (!(*module)->hasAttr("quire.model"))
      (*module)->setAttr("quire.model",
                         builder.getStringAttr(llvm::sys::path::stem(options.input)));
    return true;
  }

  /// Opens the weight files and records their folder as an absolute path.
  bool openFiles() {
    auto directory = (*module)->getAttrOfType<StringAttr>("quire.directory");
    auto readsFiles = [](Operation *op) {
      return isa<graph::WeightOp, planir::WeightOp>(op) ? WalkResult::interrupt()
                                                        : WalkResult::advance();
    };
    bool hasFolder = directory && !directory.empty();
    if ((*module)->hasAttr(kRandomWeightsAttr))
      return true;
    if (!module->walk(readsFiles).wasInterrupted() || (!hasFolder && options.stopAfter))
      return true;
    if (!hasFolder)
      return fail(CompileFailure::Model,
                  options.input + " has weights; say where their files are with --model-dir");
    llvm::SmallString<256> absolute;
    if (llvm::sys::fs::real_path(directory.getValue(), absolute))
      return fail(CompileFailure::Model, "there is no folder " + directory.str());
    (*module)->setAttr("quire.directory", StringAttr::get(&context, absolute));
    auto opened = ModelFiles::open(std::string(absolute));
    if (!opened.isOk())
      return fail(CompileFailure::Model, opened.status().message());
    files = opened.takeValue();
    return true;
  }

  bool runPasses(Stage stage, ModuleOp target, const StageOptions &stageOptions) {
    PassManager manager(&context, ModuleOp::getOperationName());
    buildStage(stage, manager, stageOptions);
    PassDumpResult passFiles;
    if (!options.dumpIr.empty())
      manager.addInstrumentation(makePassDump(options.dumpIr + "/" + numberedStageName(stage), passFiles));
    TimingScope scope;
    if (options.passTiming) {
      scope = allPasses.nest(stageName(stage));
      manager.enableTiming(scope);
    }
    if (failed(manager.run(target)))
      return fail(CompileFailure::Compile);
    return passFiles.error.empty() || fail(CompileFailure::Output, passFiles.error);
  }

  bool stage(Stage stage) {
    auto start = std::chrono::steady_clock::now();
    if (stage > reached && !runPasses(stage, *module, stageOptions()))
      return false;
    if (stage == Stage::Graph) {
      dispatches = countDispatches(*module);
      texts.push_back({"graph", irText(*module)});
    }
    if (stage == Stage::Tile)
      for (auto kernel : module->getOps<tile::KernelOp>()) {
        std::string name = kernel.getSymName().str();
        texts.push_back({"tile." + name, irText(kernel)});
        if (!options.dumpKernels.empty() &&
            !dump(options.dumpKernels, name + ".mlir", texts.back().text))
          return false;
      }
    finished(stageName(stage), start);
    return ended(stage, *module);
  }

  bool forCuda() const { return !options.cudaTargets.empty(); }

  StageOptions stageOptions() const {
    StageOptions result;
    result.schedules = options.schedules;
    result.batchInvariant = options.batchInvariant;
    result.storage = forCuda() ? "rows" : "panels";
    if (!options.storage.empty())
      result.storage = options.storage;
    result.sample = options.sample.value_or(forCuda());
    result.cpuLevel = options.cpuLevels.back();
    if (forCuda())
      result.cudaTarget = options.cudaTargets.back().name;
    return result;
  }

  /// Stage C, for every target on its own copy of the kernels.
  bool code() {
    Stage backend = forCuda() ? Stage::Cuda : Stage::Cpu;
    if (options.stopAfter == backend || !options.dumpIr.empty()) {
      OwningOpRef<ModuleOp> copy = ModuleOp::create(module->getLoc());
      for (auto kernel : module->getOps<tile::KernelOp>())
        copy->push_back(kernel->clone());
      if (!runPasses(backend, *copy, stageOptions()) || !ended(backend, *copy))
        return false;
    }
    if (options.stopAfter == Stage::Plan)
      return true;
    return forCuda() ? cudaCode() : cpuCode();
  }

  bool cpuCode() {
    for (CpuLevel level : options.cpuLevels) {
      auto start = std::chrono::steady_clock::now();
      FailureOr<CpuImage> image = compileCpuImage(*module, level);
      if (failed(image))
        return fail(CompileFailure::Compile);
      NativeCode code{imageTarget(level), std::move(image->bytes), {}};
      for (const CpuKernelCode &kernel : image->kernels) {
        code.entries.emplace_back().offset = kernel.offset;
        report.kernels.push_back({kernel.name, cpuTarget(level).name, kernel.bytes,
                                  kernel.lowerSeconds, kernel.emitSeconds});
      }
      if (!options.dumpKernels.empty() && !dumpCode(level, code, *image))
        return false;
      images.push_back(std::move(code));
      finished(cpuTarget(level).name, start);
    }
    return true;
  }

  bool cudaCode() {
    auto start = std::chrono::steady_clock::now();
    CudaCodeOptions cudaOptions{options.cudaTargets, options.nvrtc, options.kernelCache,
                                options.dumpKernels, {}};
    if (options.onProgress)
      cudaOptions.onProgress = [&](size_t done, size_t total) {
        options.onProgress(stageName(Stage::Cuda), done, total);
      };
    FailureOr<CudaCode> code = compileCudaCode(*module, cudaOptions);
    if (failed(code))
      return fail(CompileFailure::Compile);
    llvm::append_range(report.warnings, code->warnings);
    for (const cuda::CudaImage &image : code->images)
      for (const cuda::CudaKernelCode &kernel : image.kernels)
        report.kernels.push_back({kernel.kernel.name, image.target.name, kernel.bytes,
                                  kernel.lowerSeconds, kernel.compileSeconds, kernel.cached,
                                  kernel.kernel.threads, kernel.registers,
                                  kernel.kernel.sharedBytes});
    images = std::move(code->native);
    llvm::append_range(texts, code->texts);
    finished(stageName(Stage::Cuda), start);
    return true;
  }

  bool dumpCode(CpuLevel level, const NativeCode &code, const CpuImage &image) {
    for (const CpuKernelCode &kernel : image.kernels)
      if (!dump(options.dumpKernels, kernel.name + "." + cpuTarget(level).name + ".bin",
                StringRef(reinterpret_cast<const char *>(code.code.data()) + kernel.offset,
                          std::min<uint64_t>(kernel.bytes, code.code.size() - kernel.offset))))
        return false;
    return true;
  }

  /// A pass that was to be disabled and never came up is a mistake of the caller.
  bool passesKnown() {
    std::vector<std::string> unknown = passSwitch.neverSeen();
    if (unknown.empty())
      return true;
    return fail(CompileFailure::Usage, "no pass '" + unknown.front() +
                                           "' ran, so it cannot be disabled; passes are " +
                                           passSwitch.seenNames());
  }

  bool write() {
    auto start = std::chrono::steady_clock::now();
    report.explain = explain(*module, dispatches, report.remarks);
    WriteOptions writeOptions;
    writeOptions.limits = options.limits;
    writeOptions.compiler = compilerVersion();
    writeOptions.options = options.description;
    writeOptions.images = std::move(images);
    writeOptions.texts = std::move(texts);
    writeOptions.texts.push_back({"explain", report.explain});
    FailureOr<PlanWriter> writer = makePlan(*module, files ? &*files : nullptr, writeOptions);
    if (failed(writer))
      return fail(CompileFailure::Compile);
    Status status = writer->write(options.output);
    if (!status.isOk())
      return fail(status.code() == ErrorCode::Internal ? CompileFailure::Compile
                                                       : CompileFailure::Output,
                  status.message());
    finished("write", start);
    return true;
  }

  void printPassTimes() {
    allPasses.stop();
    llvm::raw_string_ostream stream(report.passTimes);
    timing.setOutput(createOutputStrategy(DefaultTimingManager::OutputFormat::Text, stream));
    timing.setDisplayMode(DefaultTimingManager::DisplayMode::List);
    timing.print();
    timing.setEnabled(false); // its destructor prints again, and the stream is gone by then
  }

  MLIRContext &context;
  const CompileOptions &options;
  CompileReport report;
  PassSwitch passSwitch;
  ScopedDiagnosticHandler handler;
  DefaultTimingManager timing;
  TimingScope allPasses;
  OwningOpRef<ModuleOp> module;
  Stage reached = Stage::Import; ///< stages up to here are done already
  std::optional<ModelFiles> files;
  std::map<std::string, unsigned> dispatches;
  std::vector<PlanText> texts;
  std::vector<NativeCode> images;
};

} // namespace

void prepareContext(MLIRContext &context) {
  DialectRegistry registry;
  registerAllDialects(registry);
  registerCpuDialects(registry);
  registerCodeGenTranslations(registry);
  context.appendDialectRegistry(registry);
  context.loadAllAvailableDialects();
  context.printOpOnDiagnostic(false);
}

CompileReport compileModel(MLIRContext &context, const CompileOptions &options) {
  return Compilation(context, options).run();
}

std::string compilerVersion() {
  return "quire-compile " QUIRE_VERSION " (LLVM " LLVM_VERSION_STRING ")";
}

} // namespace quire::compiler
