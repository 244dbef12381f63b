// Implements IrFiles.h.
#include "compiler/IrFiles.h"

#include "mlir/IR/Operation.h"
#include "mlir/Support/FileUtilities.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/ToolOutputFile.h"

std::string quire::compiler::irText(mlir::Operation *op) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  op->print(stream);
  stream << "\n";
  return text;
}

std::string quire::compiler::writeIrFile(const std::string &folder, const std::string &name,
                                         llvm::StringRef content) {
  if (std::error_code error = llvm::sys::fs::create_directories(folder))
    return "cannot create " + folder + ": " + error.message();
  llvm::SmallString<128> path(folder);
  llvm::sys::path::append(path, name);
  std::string message;
  auto file = mlir::openOutputFile(path, &message);
  if (!file)
    return message;
  file->os() << content;
  file->os().flush();
  if (std::error_code error = file->os().error()) {
    file->os().clear_error();
    return "cannot write " + std::string(path) + ": " + error.message();
  }
  file->keep();
  return {};
}
