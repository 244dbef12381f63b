// quire-import-test: imports a model directory and prints the module; warnings and errors go to
// standard error. For the lit tests of the importer.
//   quire-import-test MODEL_DIR TEMPLATE_DIR [--page=N] [--context=N] [--cache=ELEMENT]
#include "compiler/import/Import.h"

#include "llvm/Support/CommandLine.h"
#include "llvm/Support/raw_ostream.h"

int main(int argc, char **argv) {
  namespace cl = llvm::cl;
  cl::opt<std::string> model(cl::Positional, cl::Required, cl::desc("MODEL_DIR"));
  cl::opt<std::string> templates(cl::Positional, cl::Required, cl::desc("TEMPLATE_DIR"));
  cl::opt<int64_t> page("page", cl::init(32), cl::desc("tokens in a page"));
  cl::opt<int64_t> positions("context", cl::init(0), cl::desc("positions; 0 takes the model's own"));
  cl::opt<std::string> cache("cache", cl::init("auto"), cl::desc("auto, f32, f16 or bf16"));
  cl::ParseCommandLineOptions(argc, argv, "imports a model directory and prints the module\n");

  mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
  std::vector<std::string> warnings;
  auto module = quire::importer::importModel(
      context, {model, templates, page, positions, cache}, warnings);
  for (const std::string &warning : warnings)
    llvm::errs() << "warning: " << warning << "\n";
  if (!module.isOk()) {
    llvm::errs() << "error: " << module.status().message() << "\n";
    return 1;
  }
  (*module)->print(llvm::outs());
  return 0;
}
