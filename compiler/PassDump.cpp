// Implements PassDump.h. A pass manager takes each kernel through all of its passes before the next
// one, and several kernels at once, so the module as a whole never stands between two of these
// passes. Each kernel is therefore copied after each of its passes, and when all are done the
// modules are put together from the copies. MLIR's own tree of files (enableIRPrintingToFileTree)
// gives a file for each kernel and pass, without the rest of the module unless threads are off, and
// one counter for each kernel.
//
//   outline-kernels   tile.kernel(tile-parallel cse)      01-outline-kernels.mlir   whole module
//                                                    ->   02-tile-parallel.mlir     whole module
//                                                         (no 03: cse changed no kernel)
#include "compiler/PassDump.h"

#include "compiler/IrFiles.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "mlir/Pass/Pass.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

#include <vector>

using namespace mlir;

namespace quire::compiler {
namespace {

/// One kernel after one of its passes.
struct Snapshot {
  std::string pass;
  OwningOpRef<Operation *> op;
  bool failed;
};

/// The pass manager calls from several threads, one at a time.
class PassDump : public PassInstrumentation {
public:
  PassDump(std::string folder, PassDumpResult &result) : folder(std::move(folder)), result(result) {
    removeEarlierFiles();
  }

  void runBeforePass(Pass *, Operation *op) override {
    if (!op->getParentOp() && text.empty())
      text = irText(op);
    ++running[op];
  }
  void runAfterPass(Pass *pass, Operation *op) override { ended(pass, op, false); }
  void runAfterPassFailed(Pass *pass, Operation *op) override { ended(pass, op, true); }

private:
  void ended(Pass *pass, Operation *op, bool failed) {
    if (--running[op])
      return; // a pass that was run by another pass on the same op
    StringRef name = pass->getArgument();
    if (!op->getParentOp()) {
      if (name.empty()) // the adaptor that took the kernels through their passes
        assemble(cast<ModuleOp>(op));
      else
        write(name, irText(op), failed);
      kernels.clear();
    } else if (!name.empty() && isa<ModuleOp>(op->getParentOp())) {
      kernels[op].push_back({name.str(), OwningOpRef<Operation *>(op->clone()), failed});
    }
  }

  /// Writes the modules between the passes of an adaptor.
  void assemble(ModuleOp module) {
    OwningOpRef<ModuleOp> copy = module.clone();
    struct Track {
      std::vector<Snapshot> *history;
      Operation *current; ///< in `copy`
    };
    std::vector<Track> tracks;
    size_t passes = 0;
    for (auto [original, copied] : llvm::zip(*module.getBody(), *copy->getBody()))
      if (auto found = kernels.find(&original); found != kernels.end()) {
        tracks.push_back({&found->second, &copied});
        passes = std::max(passes, found->second.size());
      }
    for (size_t pass = 0; pass < passes; ++pass) {
      bool failed = false;
      StringRef name;
      for (Track &track : tracks) {
        if (pass >= track.history->size())
          continue; // this kernel came no further: it stays as its last pass left it
        Snapshot &snapshot = (*track.history)[pass];
        Operation *next = snapshot.op.release();
        track.current->getBlock()->getOperations().insert(track.current->getIterator(), next);
        track.current->erase();
        track.current = next;
        name = snapshot.pass;
        failed |= snapshot.failed;
      }
      write(name, irText(*copy), failed);
    }
  }

  void write(StringRef pass, std::string newText, bool failed) {
    ++number;
    if (newText == text && !failed)
      return;
    text = std::move(newText);
    pass.consume_front("quire-");
    std::string name = (number < 10 ? "0" : "") + std::to_string(number) + "-" + pass.str() +
                       (failed ? ".failed" : "") + ".mlir";
    std::string error = writeIrFile(folder, name, text);
    if (result.error.empty())
      result.error = std::move(error);
  }

  /// What an earlier run left would be taken for this one's.
  void removeEarlierFiles() const {
    std::error_code error;
    for (llvm::sys::fs::directory_iterator file(folder, error), end; !error && file != end;
         file.increment(error)) {
      StringRef name = llvm::sys::path::filename(file->path());
      if (name.size() > 3 && llvm::isDigit(name[0]) && llvm::isDigit(name[1]) && name[2] == '-' &&
          name.ends_with(".mlir"))
        llvm::sys::fs::remove(file->path());
    }
  }

  std::string folder;
  PassDumpResult &result;
  std::string text;                              ///< of the module as it was written or found last
  unsigned number = 0;                           ///< of the last pass
  llvm::DenseMap<Operation *, unsigned> running; ///< passes that began and have not ended
  llvm::DenseMap<Operation *, std::vector<Snapshot>> kernels;
};

} // namespace

std::unique_ptr<PassInstrumentation> makePassDump(std::string folder, PassDumpResult &result) {
  return std::make_unique<PassDump>(std::move(folder), result);
}

} // namespace quire::compiler
