// Which tensors a checkpoint holds, as the importer asks for them: by name and expected shape.
#pragma once

#include "runtime/base/Status.h"
#include "runtime/plan/Format.h"
#include "runtime/weights/ModelFiles.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"

#include <set>
#include <string>

namespace quire::importer {

class WeightCatalog {
public:
  virtual ~WeightCatalog() = default;
  virtual bool contains(llvm::StringRef tensor) const = 0;
  /// The element type (F32, F16 or BF16) of a tensor that must exist with this stored shape. `asker`
  /// is the template's name for it. Errors: NotFound with near names, InvalidArgument for another
  /// shape, Unsupported for another type.
  virtual Result<plan::ElementType> require(llvm::StringRef tensor, llvm::ArrayRef<int64_t> shape,
                                            llvm::StringRef asker) = 0;
  /// The element type that most bytes of the checkpoint have.
  virtual plan::ElementType mainType() const = 0;
};

/// The safetensors files of a model directory.
class FileCatalog : public WeightCatalog {
public:
  explicit FileCatalog(ModelFiles files) : files(std::move(files)) {}
  bool contains(llvm::StringRef tensor) const override;
  Result<plan::ElementType> require(llvm::StringRef tensor, llvm::ArrayRef<int64_t> shape,
                                    llvm::StringRef asker) override;
  plan::ElementType mainType() const override;

  /// One line about tensors that were never asked for and match none of `ignored` (patterns with
  /// "*"); empty when there are none.
  std::string unusedWarning(llvm::ArrayRef<std::string> ignored) const;

private:
  ModelFiles files;
  std::set<std::string, std::less<>> used;

  std::string describeFiles() const;
  std::string nearNames(llvm::StringRef tensor) const;
};

/// Whether `name` matches `pattern`, in which "*" stands for any characters.
bool matchesPattern(llvm::StringRef name, llvm::StringRef pattern);

} // namespace quire::importer
