// Checks the tensors that a template asks for against the headers of the safetensors files.
#include "compiler/import/WeightCatalog.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

#include <map>

using namespace quire;
using namespace quire::importer;

static std::string shapeText(llvm::ArrayRef<int64_t> shape) {
  return "[" + llvm::join(llvm::map_range(shape, [](int64_t size) { return std::to_string(size); }), ", ") +
         "]";
}

bool quire::importer::matchesPattern(llvm::StringRef name, llvm::StringRef pattern) {
  llvm::SmallVector<llvm::StringRef> pieces;
  pattern.split(pieces, '*');
  if (!name.consume_front(pieces.front()))
    return false;
  if (pieces.size() == 1)
    return name.empty();
  for (llvm::StringRef piece : llvm::ArrayRef(pieces).drop_front().drop_back()) {
    size_t at = name.find(piece);
    if (at == llvm::StringRef::npos)
      return false;
    name = name.drop_front(at + piece.size());
  }
  return name.ends_with(pieces.back());
}

bool FileCatalog::contains(llvm::StringRef tensor) const {
  return files.find(tensor).has_value();
}

Result<plan::ElementType> FileCatalog::require(llvm::StringRef tensor,
                                               llvm::ArrayRef<int64_t> shape,
                                               llvm::StringRef asker) {
  std::string what = "tensor \"" + tensor.str() + "\" (" + asker.str() + ")";
  auto location = files.find(tensor);
  if (!location)
    return Status::error(ErrorCode::NotFound,
                         what + " is not in " + describeFiles() + nearNames(tensor));
  const StoredTensor &stored = *location->tensor;
  std::string where = " in " + files.files()[location->file].name;
  bool same = stored.shape.size() == shape.size() &&
              llvm::equal(stored.shape, shape, [](uint64_t a, int64_t b) {
                return b >= 0 && a == static_cast<uint64_t>(b);
              });
  if (!same)
    return Status::error(ErrorCode::InvalidArgument,
                         what + " is " + stored.typeText() + where +
                             ", but config.json asks for " + shapeText(shape) +
                             "; the files and config.json belong to different models");
  std::optional<plan::ElementType> element = planElement(stored.type);
  if (!element || (*element != plan::ElementType::F32 && *element != plan::ElementType::F16 &&
                   *element != plan::ElementType::BF16))
    return Status::error(ErrorCode::Unsupported,
                         what + " is " + stored.typeText() + where +
                             "; weights must be F32, F16 or BF16: convert the checkpoint");
  used.insert(tensor.str());
  return *element;
}

plan::ElementType FileCatalog::mainType() const {
  std::map<plan::ElementType, uint64_t> bytes;
  for (const auto &[name, location] : files.tensors())
    if (auto element = planElement(location.tensor->type))
      bytes[*element] += location.tensor->bytes;
  plan::ElementType main = plan::ElementType::F32;
  uint64_t most = 0;
  for (plan::ElementType type :
       {plan::ElementType::F32, plan::ElementType::BF16, plan::ElementType::F16})
    if (bytes[type] > most) {
      most = bytes[type];
      main = type;
    }
  return main;
}

std::string FileCatalog::unusedWarning(llvm::ArrayRef<std::string> ignored) const {
  constexpr size_t kShown = 3;
  std::vector<std::string> extra;
  for (const auto &[name, location] : files.tensors()) {
    llvm::StringRef tensor = name;
    if (!used.count(name) && llvm::none_of(ignored, [&](const std::string &pattern) {
          return matchesPattern(tensor, pattern);
        }))
      extra.push_back("\"" + name + "\"");
  }
  if (extra.empty())
    return {};
  std::string text = std::to_string(extra.size()) +
                     (extra.size() == 1 ? " tensor is" : " tensors are") +
                     " in the weight files but not used by the model: " +
                     llvm::join(llvm::ArrayRef(extra).take_front(kShown), ", ");
  return extra.size() > kShown ? text + ", …" : text;
}

std::string FileCatalog::describeFiles() const {
  if (files.files().size() == 1)
    return files.files()[0].name;
  return "any of the " + std::to_string(files.files().size()) + " weight files (" +
         files.files()[0].name + " …)";
}

std::string FileCatalog::nearNames(llvm::StringRef tensor) const {
  constexpr unsigned kFarthest = 12, kShown = 3;
  std::vector<std::pair<unsigned, std::string>> near;
  for (const auto &[name, location] : files.tensors()) {
    unsigned distance = llvm::StringRef(name).edit_distance(tensor, true, kFarthest);
    if (distance <= kFarthest)
      near.emplace_back(distance, "\"" + name + "\"");
  }
  llvm::sort(near);
  if (near.empty())
    return {};
  std::vector<std::string> names;
  for (const auto &[distance, name] : llvm::ArrayRef(near).take_front(kShown))
    names.push_back(name);
  return "; near names are " + llvm::join(names, ", ");
}
