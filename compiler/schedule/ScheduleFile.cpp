// Reads schedule files.
#include "compiler/schedule/ScheduleFile.h"

#include "llvm/Support/JSON.h"
#include "llvm/Support/MemoryBuffer.h"

namespace quire::schedule {
namespace {

llvm::Error fail(llvm::StringRef path, const llvm::Twine &text) {
  return llvm::createStringError(path + ": " + text);
}

llvm::Expected<Choice> readChoice(llvm::StringRef path, const llvm::json::Object &object) {
  Choice choice;
  const std::pair<llvm::StringRef, int64_t *> fields[] = {
      {"limit", &choice.limit}, {"min", &choice.minimum},   {"max", &choice.maximum},
      {"rows", &choice.rows},   {"panels", &choice.panels}, {"queries", &choice.queries},
      {"keys", &choice.keys},   {"split", &choice.split},   {"columns", &choice.columns},
      {"depth", &choice.depth}, {"warps", &choice.warps},   {"stages", &choice.stages}};
  const std::pair<llvm::StringRef, std::string *> names[] = {{"instruction", &choice.instruction},
                                                             {"parallel", &choice.parallel}};
  for (const auto &[key, value] : object) {
    llvm::StringRef name = key;
    if (name == "registers") {
      const llvm::json::Array *sizes = value.getAsArray();
      if (!sizes || sizes->size() != 3)
        return fail(path, "\"registers\" must be an array of three sizes [m, n, k]");
      for (size_t i = 0; i < 3; ++i) {
        std::optional<int64_t> size = (*sizes)[i].getAsInteger();
        if (!size)
          return fail(path, "\"registers\" must hold integers");
        choice.registers[i] = *size;
      }
      continue;
    }
    if (const auto *word = llvm::find_if(names, [&](const auto &f) { return f.first == name; });
        word != std::end(names)) {
      std::optional<llvm::StringRef> text = value.getAsString();
      if (!text)
        return fail(path, "\"" + name + "\" must be a string");
      *word->second = text->str();
      continue;
    }
    const auto *field = llvm::find_if(fields, [&](const auto &f) { return f.first == name; });
    if (field == std::end(fields))
      return fail(path, "unknown field \"" + name + "\" in a variant");
    std::optional<int64_t> number = value.getAsInteger();
    if (!number)
      return fail(path, "\"" + name + "\" must be an integer");
    *field->second = *number;
  }
  return choice;
}

/// Whether `object`, the `match` of an entry, holds for a kernel.
llvm::Expected<bool> holds(llvm::StringRef path, const llvm::json::Object &object,
                           const KernelShape &shape) {
  const std::pair<llvm::StringRef, int64_t> fields[] = {{"panels", shape.panels},
                                                        {"columns", shape.columns},
                                                        {"width", shape.width},
                                                        {"page", shape.page},
                                                        {"group", shape.group},
                                                        {"headDim", shape.headDim}};
  bool result = true;
  for (const auto &[key, value] : object) {
    llvm::StringRef name = key;
    const auto *field = llvm::find_if(fields, [&](const auto &f) { return f.first == name; });
    std::optional<int64_t> number = value.getAsInteger();
    if (field == std::end(fields) || !number)
      return fail(path, "\"match\" has the unknown field or value \"" + name + "\"");
    result &= *number == field->second;
  }
  return result;
}

llvm::Expected<std::vector<Choice>>
readVariants(llvm::StringRef path, const llvm::json::Array &variants, const KernelShape &shape) {
  std::vector<Choice> choices;
  for (const llvm::json::Value &value : variants) {
    const llvm::json::Object *variant = value.getAsObject();
    if (!variant)
      return fail(path, "a variant must be an object");
    llvm::Expected<Choice> choice = readChoice(path, *variant);
    if (!choice)
      return choice.takeError();
    choices.push_back(complete(shape, *choice));
  }
  return choices;
}

} // namespace

llvm::Expected<std::vector<Choice>> readChoices(llvm::StringRef path, const KernelShape &shape) {
  auto buffer = llvm::MemoryBuffer::getFile(path);
  if (!buffer)
    return fail(path, "cannot be read: " + buffer.getError().message());
  llvm::Expected<llvm::json::Value> document = llvm::json::parse((*buffer)->getBuffer());
  if (!document)
    return fail(path, "is not JSON: " + llvm::toString(document.takeError()));
  const llvm::json::Object *object = document->getAsObject();
  const llvm::json::Array *kernels = object ? object->getArray("kernels") : nullptr;
  if (!kernels || object->size() != 1)
    return fail(path, "must be an object with one field, the array \"kernels\"");
  for (const llvm::json::Value &value : *kernels) {
    const llvm::json::Object *entry = value.getAsObject();
    const llvm::json::Array *variants = entry ? entry->getArray("variants") : nullptr;
    const llvm::json::Object *match = entry ? entry->getObject("match") : nullptr;
    if (!variants || entry->size() != (match ? 2u : 1u))
      return fail(path,
                  "an entry of \"kernels\" has the array \"variants\" and may have \"match\"");
    if (match) {
      llvm::Expected<bool> isMatch = holds(path, *match, shape);
      if (!isMatch)
        return isMatch.takeError();
      if (!*isMatch)
        continue;
    }
    return readVariants(path, *variants, shape);
  }
  return std::vector<Choice>();
}

} // namespace quire::schedule
